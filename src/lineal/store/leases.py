"""Leases: what only one server may do at a time, for as long as it says so."""

from __future__ import annotations

from lineal.store.tx import Tx


class Leases:
    """LeaseStore."""

    def take_lease(self, tx: Tx, name: str, holder: str, *, at: int, until: int) -> bool:
        """Whether it is the holder's until then: it is nobody's at this time (`at`), or the holder's already."""
        return bool(
            tx.many(
                "INSERT INTO lease (name, holder, until) VALUES (:name, :holder, :until) ON CONFLICT (name) "
                "DO UPDATE SET holder = excluded.holder, until = excluded.until "
                "WHERE lease.until <= :at OR lease.holder = excluded.holder",
                [{"name": name, "holder": holder, "until": until, "at": at}],
            )
        )

    def leave_lease(self, tx: Tx, name: str, holder: str) -> None:
        """Let anybody have it; nothing happens when it is somebody else's."""
        tx.run("DELETE FROM lease WHERE name = :name AND holder = :holder", name=name, holder=holder)
