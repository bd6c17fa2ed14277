"""Tokens: by whom a server may be asked. A token's secret is never kept, only its SHA-256."""

from __future__ import annotations

import msgspec

from lineal.store.text import give, keep
from lineal.store.tx import Tx

_COLUMNS = "id, name, digest, scopes, actor, recorded_at, expires_at, revoked_at, used_at"


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A token. digest: SHA-256 of its secret, 64 hex digits; times: UTC microseconds, None for never."""

    id: str
    name: str
    digest: str
    scopes: list[str]
    actor: str
    recorded_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    used_at: int | None = None


class Tokens:
    """TokenStore."""

    def add_token(self, tx: Tx, token: TokenRecord) -> bool:
        """Keep a token; whether its id was free."""
        return bool(
            tx.many(
                f"INSERT INTO token ({_COLUMNS}) VALUES (:id, :name, :digest, :scopes, :actor, :recorded_at, "
                ":expires_at, NULL, NULL) ON CONFLICT (id) DO NOTHING",
                [
                    {
                        "id": token.id,
                        "name": keep(token.name),
                        "digest": token.digest,
                        "scopes": " ".join(token.scopes),
                        "actor": keep(token.actor),
                        "recorded_at": token.recorded_at,
                        "expires_at": token.expires_at,
                    }
                ],
            )
        )

    def get_token(self, tx: Tx, id: str) -> TokenRecord | None:
        """The token with that id, revoked and expired ones too."""
        row = tx.row(f"SELECT {_COLUMNS} FROM token WHERE id = :id", id=id)
        return _record(row) if row else None

    def list_tokens(self, tx: Tx, *, limit: int = 1000) -> list[TokenRecord]:
        """Every token, the oldest first."""
        rows = tx.rows(f"SELECT {_COLUMNS} FROM token ORDER BY recorded_at, id LIMIT :limit", limit=limit)
        return [_record(row) for row in rows]

    def has_tokens(self, tx: Tx) -> bool:
        """Whether a token was ever made, even if none is valid any more."""
        return bool(tx.value("SELECT EXISTS (SELECT 1 FROM token)"))

    def revoke_token(self, tx: Tx, id: str, *, at: int) -> None:
        """From now on this token opens nothing. A time that was set stays."""
        tx.run("UPDATE token SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL", id=id, at=at)

    def set_used(self, tx: Tx, id: str, *, at: int) -> None:
        """A token was shown at that time; an earlier time than the known one changes nothing."""
        tx.run("UPDATE token SET used_at = :at WHERE id = :id AND COALESCE(used_at, 0) < :at", id=id, at=at)


def _record(row: tuple[object, ...]) -> TokenRecord:
    id, name, digest, scopes, actor, recorded_at, expires_at, revoked_at, used_at = row
    return msgspec.convert(
        {
            "id": id,
            "name": give(str(name)),
            "digest": digest,
            "scopes": str(scopes).split(),
            "actor": give(str(actor)),
            "recorded_at": recorded_at,
            "expires_at": expires_at,
            "revoked_at": revoked_at,
            "used_at": used_at,
        },
        TokenRecord,
    )
