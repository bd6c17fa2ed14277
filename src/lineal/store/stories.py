"""Events of OpenLineage as received, and the story that they add up to for each run or dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lineal.store.bulk import insert
from lineal.store.lists import each
from lineal.store.tx import Asked, Tx

_LOCK = 0x4C494E4C53544F52  # advisory lock of PostgreSQL: stories are told by one server at a time
_EVENTS = (
    ("digest", "text"),
    ("at", "bigint"),
    ("message", "bigint"),
    ("start", "bigint"),
    ("length", "bigint"),
    ("node", "bigint"),
    ("recorded_at", "bigint"),
)


class KeptEvent(msgspec.Struct, gc=False, frozen=True):
    """Where an event stands: `length` bytes of a message from `start`. at: its own time; node: the run it is about."""

    digest: str
    at: int
    message: int
    start: int
    length: int
    node: int | None
    recorded_at: int


class KeptRun(msgspec.Struct, gc=False, frozen=True):
    """A run's vertex (None: it was not recorded yet), its story if one was kept, and whether another report named it before."""

    node: int | None
    story: bytes | None
    awaited: bool


class Stories:
    """StoryStore."""

    def hold_stories(self, tx: Tx) -> None:
        """Let no other server tell stories until the commit. SQLite has one writer at a time anyway."""
        if tx.engine == "postgres":
            tx.run("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)

    def ask_known(self, tx: Tx, digests: Sequence[str]) -> Asked[set[str]]:
        """Those of the events that are recorded already."""
        rows = tx.ask(
            f"SELECT digest FROM lineage_event WHERE digest IN ({each(tx, 'digests', 'text')})",
            digests=list(digests),
        )
        return lambda: {digest for (digest,) in rows()}

    def add_events(self, tx: Tx, events: Sequence[KeptEvent]) -> None:
        """Record where events stand."""
        insert(tx, "lineage_event", _EVENTS, [msgspec.structs.astuple(event) for event in events])

    def list_events(
        self,
        tx: Tx,
        *,
        after: int,
        before: int,
        as_of: int | None = None,
        newest_first: bool = True,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[KeptEvent], int]:
        """Events whose own time lies in [after, before), and how many there are in all."""
        where = "at >= :after AND at < :before" + ("" if as_of is None else " AND recorded_at <= :as_of")
        values = {"after": after, "before": before, **({} if as_of is None else {"as_of": as_of})}
        order = "DESC" if newest_first else "ASC"
        rows = tx.rows(
            "SELECT digest, at, message, start, length, node, recorded_at FROM lineage_event "
            f"WHERE {where} ORDER BY at {order}, digest {order} LIMIT :limit OFFSET :offset",
            limit=limit,
            offset=offset,
            **values,
        )
        return [KeptEvent(*row) for row in rows], int(
            tx.value(f"SELECT count(*) FROM lineage_event WHERE {where}", **values)
        )

    def ask_runs(self, tx: Tx, run_ids: Iterable[str]) -> Asked[dict[str, KeptRun]]:
        """What is known of each of these runs."""
        rows = tx.ask(
            "SELECT i.item, r.node, s.body, EXISTS (SELECT 1 FROM awaited a WHERE a.run_id = i.item) "
            f"FROM ({each(tx, 'ids', 'text')}) i LEFT JOIN run r ON r.run_id = i.item "
            "LEFT JOIN lineage_story s ON s.node = r.node",
            ids=list(run_ids),
        )
        return lambda: {
            run: KeptRun(node, None if body is None else bytes(body), bool(awaited))
            for run, node, body, awaited in rows()
        }

    def get_stories(self, tx: Tx, nodes: Sequence[int]) -> dict[int, bytes]:
        """The stories kept for vertices, as `put_stories` was given them."""
        rows = (
            tx.rows(
                f"SELECT node, body FROM lineage_story WHERE node IN ({each(tx, 'nodes')})", nodes=list(nodes)
            )
            if nodes
            else []
        )
        return {node: bytes(body) for node, body in rows}

    def ask_due(self, tx: Tx, limit: int) -> Asked[list[int]]:
        """Runs that are to be taken up again and were put off, at most so many."""
        rows = tx.ask("SELECT node FROM lineage_due ORDER BY node LIMIT :limit", limit=limit)
        return lambda: [node for (node,) in rows()]

    def put_off(self, tx: Tx, nodes: Sequence[int]) -> None:
        """Remember runs that are to be taken up again."""
        insert(tx, "lineage_due", (("node", "bigint"),), [(node,) for node in nodes])

    def done_with(self, tx: Tx, nodes: Sequence[int]) -> None:
        """Forget that runs were put off."""
        if nodes:
            tx.run(f"DELETE FROM lineage_due WHERE node IN ({each(tx, 'nodes')})", nodes=list(nodes))

    def put_stories(self, tx: Tx, stories: dict[int, bytes]) -> None:
        """Keep stories, each in place of what was kept for its vertex."""
        insert(
            tx,
            "lineage_story",
            (("node", "bigint"), ("body", "bytea")),
            sorted(stories.items()),
            conflict="ON CONFLICT (node) DO UPDATE SET body = excluded.body",
        )
