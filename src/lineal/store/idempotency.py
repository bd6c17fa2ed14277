"""Replies kept for a day, so that a request sent again with the same key has no second effect."""

from __future__ import annotations

from lineal.store.text import keep
from lineal.store.tx import Tx

KEPT_US = 24 * 3600 * 1_000_000


class Replies:
    """ReplyStore."""

    def get_reply(self, tx: Tx, door: str, caller: str, key: str, *, at: int) -> tuple[str, bytes] | None:
        """Digest of the request that first came with this key, and its reply; None when there was none in a day."""
        row = tx.row(
            "SELECT digest, body FROM reply WHERE door = :door AND caller = :caller AND key = :key "
            "AND recorded_at > :oldest",
            door=door,
            caller=keep(caller),
            key=keep(key),
            oldest=at - KEPT_US,
        )
        return (str(row[0]), bytes(row[1])) if row else None

    def add_reply(
        self, tx: Tx, door: str, caller: str, key: str, *, digest: str, body: bytes, at: int
    ) -> bool:
        """Keep a reply; False when another transaction kept one for this key first (then this one must be undone)."""
        return bool(
            tx.many(
                "INSERT INTO reply (door, caller, key, digest, body, recorded_at) "
                "VALUES (:door, :caller, :key, :digest, :body, :at) ON CONFLICT (door, caller, key) "
                "DO UPDATE SET digest = excluded.digest, body = excluded.body, recorded_at = excluded.recorded_at "
                "WHERE reply.recorded_at <= :oldest",
                [
                    {
                        "door": door,
                        "caller": keep(caller),
                        "key": keep(key),
                        "digest": digest,
                        "body": body,
                        "at": at,
                        "oldest": at - KEPT_US,
                    }
                ],
            )
        )

    def forget_replies(self, tx: Tx, *, at: int, limit: int = 10_000) -> int:
        """Remove replies older than a day, at most `limit`; how many there were."""
        return tx.many(
            "DELETE FROM reply WHERE (door, caller, key) IN (SELECT door, caller, key FROM reply "
            "WHERE recorded_at <= :oldest ORDER BY recorded_at LIMIT :limit)",
            [{"oldest": at - KEPT_US, "limit": limit}],
        )
