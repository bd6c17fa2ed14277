"""What neither engine can check by itself: that numbers mean something, and that sums and compressed points are whole."""

from __future__ import annotations

from lineal.core.errors import LinealError
from lineal.store.migrations import MIGRATIONS
from lineal.store.schema import get_version
from lineal.store.tx import Tx

_PAGE = 200  # chunks that are read at a time

# A sentence with the number of rows, and how to count them.
_COUNTS = (
    (
        "{} edges begin or end at a vertex that does not exist",
        (
            "SELECT count(*) FROM edge e WHERE NOT EXISTS (SELECT 1 FROM node n WHERE n.id = e.src) "
            "OR NOT EXISTS (SELECT 1 FROM node n WHERE n.id = e.dst)"
        ),
    ),
    (
        "{} parameters or tags have a text that is not in the dictionary",
        "SELECT count(*) FROM attribute a WHERE NOT EXISTS (SELECT 1 FROM word w WHERE w.id = a.text)",
    ),
    (
        "{} edges are of a type that does not exist",
        "SELECT count(*) FROM edge e WHERE NOT EXISTS (SELECT 1 FROM edge_type t WHERE t.id = e.type)",
    ),
    (
        "{} vertices are neither a run nor a version",
        (
            "SELECT count(*) FROM node n WHERE NOT EXISTS (SELECT 1 FROM run r WHERE r.node = n.id) "
            "AND NOT EXISTS (SELECT 1 FROM version v WHERE v.node = n.id)"
        ),
    ),
    (
        "{} things that clients of ML Metadata put are not in the graph",
        (
            "SELECT count(*) FROM mlmd_node m WHERE CASE WHEN m.kind = 2 "
            "THEN NOT EXISTS (SELECT 1 FROM collection c WHERE c.id = m.vertex) "
            "ELSE NOT EXISTS (SELECT 1 FROM node n WHERE n.id = m.vertex) END"
        ),
    ),
    (
        "{} runs have another number of metric points than their summaries say",
        (
            "SELECT count(*) FROM (SELECT m.node, sum(m.count) AS said, "
            "COALESCE((SELECT sum(b.count) FROM metric_block b WHERE b.node = m.node), 0) + "
            "COALESCE((SELECT sum(c.count) FROM metric_chunk c WHERE c.node = m.node), 0) AS found "
            "FROM metric m GROUP BY m.node) t WHERE said <> found"
        ),
    ),
)


def check(tx: Tx) -> list[str]:
    """One sentence per thing found broken in the record."""
    version = get_version(tx)
    found = [] if version == len(MIGRATIONS) else [f"the schema is {version}, {len(MIGRATIONS)} is wanted"]
    for sentence, count in _COUNTS:
        if rows := tx.value(count):
            found.append(sentence.format(rows))
    return found + _chunks(tx)


def _chunks(tx: Tx) -> list[str]:
    found: list[str] = []
    last = 0
    while rows := tx.rows(
        "SELECT id, node, count, body FROM metric_chunk WHERE id > :last ORDER BY id LIMIT :page",
        last=last,
        page=_PAGE,
    ):
        from lineal.store import codec

        for id, node, count, body in rows:
            try:
                whole = len(codec.decode(bytes(body)).step) == count
            except LinealError:
                whole = False
            if not whole:
                found.append(f"metric chunk {id} of the run at vertex {node} is damaged")
        last = rows[-1][0]
    return found
