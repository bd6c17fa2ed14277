"""Edges: who used and generated what, walked in both directions from covering indexes on integers.

An edge keeps the ends it was given beside the canonical ends (`src`, `dst`), which a join of two vertices rewrites. Walks
follow canonical ends and the edges they give back carry them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

from lineal.core.errors import Invalid
from lineal.core.events import Evidence
from lineal.core.model import Edge, EdgeKind, NodeKind
from lineal.store.base import Row, Tx
from lineal.store.bulk import insert
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each
from lineal.store.words import add_words, find_word, get_words

_COLUMNS = (
    ("src", "bigint"),
    ("dst", "bigint"),
    ("type", "bigint"),
    ("given_src", "bigint"),
    ("given_dst", "bigint"),
    ("revision", "integer"),
    ("recorded_at", "bigint"),
    ("at", "bigint"),
    ("evidence", "text"),
    ("via", "bigint"),
    ("again", "smallint"),
    ("batch", "bigint"),
)
# For an edge of which a row exists: only if none of them stands, a further revision.
_ADD_AGAIN = f"""
INSERT INTO edge ({", ".join(name for name, _ in _COLUMNS)})
SELECT :src, :dst, :type, :given_src, :given_dst, max(k.revision) + 1, :recorded_at, :at, :evidence, :via, :again, :batch
FROM edge k
WHERE k.dst = :dst AND k.src = :src AND k.type = :type AND k.given_src = :given_src AND k.given_dst = :given_dst
HAVING count(*) > 0 AND count(*) = count(k.retracted_at)
ON CONFLICT DO NOTHING
"""

_Ahead = Literal["src", "dst"]


class Edges:
    """EdgeStore."""

    def add_edges(self, tx: Tx, edges: Sequence[Edge], *, recorded_at: int) -> int:
        """Add edges; how many were new.

        Among the edges that stand there is one for each (src, dst, kind, role, rule): the first stays, with its time and
        evidence. One that was retracted may be added again.
        """
        if not edges:
            return 0
        word = add_words(tx, {text for e in edges for text in (e.role, e.rule, e.via)})
        types = _add_types(tx, {(int(e.kind), word[e.role], word[e.rule]) for e in edges})
        canonical = _canonical(tx, {node for e in edges for node in (e.src, e.dst)})
        rows = [
            {
                "src": canonical.get(e.src, e.src),
                "dst": canonical.get(e.dst, e.dst),
                "type": types[int(e.kind), word[e.role], word[e.rule]],
                "given_src": e.src,
                "given_dst": e.dst,
                "revision": 1,
                "recorded_at": recorded_at,
                "at": e.at,
                "evidence": str(e.evidence),
                "via": word[e.via],
                "again": int(e.again),
                "batch": e.batch,
            }
            for e in edges
        ]
        added = insert(tx, "edge", _COLUMNS, rows)
        return added if added == len(rows) else added + tx.many(_ADD_AGAIN, rows)

    def retract_edge(self, tx: Tx, src: int, dst: int, kind: int, rule: str, *, at: int) -> None:
        """Let the edges of this kind and rule, whatever their role, cease to stand; they remain in what `as_of` shows."""
        tx.run(
            f"UPDATE edge SET retracted_at = :at WHERE given_src = :src AND given_dst = :dst AND {STANDS} "
            "AND dst = COALESCE((SELECT stands_for FROM canonical WHERE node = :dst), :dst) "
            "AND src = COALESCE((SELECT stands_for FROM canonical WHERE node = :src), :src) "
            "AND type IN (SELECT id FROM edge_type WHERE kind = :kind AND rule = :rule)",
            src=src,
            dst=dst,
            kind=int(kind),
            rule=find_word(tx, rule),
            at=at,
        )

    def get_in(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> list[Edge]:
        """The edges that end at these vertices, by time."""
        return _incident(tx, "dst", nodes, as_of)

    def get_out(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> list[Edge]:
        """The edges that begin at these vertices, by time."""
        return _incident(tx, "src", nodes, as_of)

    def upstream(
        self, tx: Tx, node: int, *, depth: int, budget: int, as_of: int | None = None
    ) -> tuple[list[Edge], bool]:
        """The edges of everything that `node` came from, and whether the budget cut the answer short.

        Args:
            depth: hops, >= 0; a hop is one edge, so dataset -> run -> model is 2.
            budget: most vertices to reach, `node` included (count). The nearest ones are kept.

        Cost follows the vertices reached (about 4 microseconds each), not the size of the graph.
        Raises Invalid: `depth` is negative or `budget` below 1.
        """
        return _closure(tx, node, "src", depth, budget, as_of)

    def downstream(
        self, tx: Tx, node: int, *, depth: int, budget: int, as_of: int | None = None
    ) -> tuple[list[Edge], bool]:
        """The edges of everything that came from `node`; otherwise as `upstream`."""
        return _closure(tx, node, "dst", depth, budget, as_of)

    def kinds(self, tx: Tx, nodes: Sequence[int]) -> dict[int, NodeKind]:
        """Whether vertices are runs or versions; unknown ones are left out."""
        if not nodes:
            return {}
        rows = tx.rows(f"SELECT id, kind FROM node WHERE id IN ({each(tx, 'nodes')})", nodes=list(nodes))
        return {id: NodeKind(kind) for id, kind in rows}


def _add_types(tx: Tx, wanted: set[tuple[int, int, int]]) -> dict[tuple[int, int, int], int]:
    find = "SELECT id FROM edge_type WHERE kind = :kind AND role = :role AND rule = :rule"
    found: dict[tuple[int, int, int], int] = {}
    for type in sorted(wanted):
        values = dict(zip(("kind", "role", "rule"), type, strict=True))
        id = tx.value(find, **values)
        if id is None:
            tx.run(
                "INSERT INTO edge_type (kind, role, rule) VALUES (:kind, :role, :rule) ON CONFLICT DO NOTHING",
                **values,
            )
            id = tx.value(find, **values)
        found[type] = id
    return found


def _canonical(tx: Tx, nodes: set[int]) -> dict[int, int]:
    """The vertices that others stand for, for those of `nodes` that were joined."""
    return dict(
        tx.rows(
            f"SELECT node, stands_for FROM canonical WHERE node IN ({each(tx, 'nodes')})", nodes=list(nodes)
        )
    )


def _incident(tx: Tx, end: _Ahead, nodes: Sequence[int], as_of: int | None) -> list[Edge]:
    if not nodes:
        return []
    rows = tx.rows(
        "SELECT e.src, e.dst, t.kind, t.role, t.rule, e.at, e.evidence, e.via, e.again, e.batch, e.recorded_at "
        "FROM edge e JOIN edge_type t ON t.id = e.type "
        f"WHERE e.{end} IN ({each(tx, 'nodes')}) AND {recorded_by(as_of, 'e')}",
        nodes=list(nodes),
        **values_of(as_of),
    )
    return _records(tx, rows)


def _closure(
    tx: Tx, node: int, ahead: _Ahead, depth: int, budget: int, as_of: int | None
) -> tuple[list[Edge], bool]:
    if depth < 0 or budget < 1:
        raise Invalid(
            f"a walk with depth {depth} and a budget of {budget} vertices was asked for",
            hint="the depth must be at least 0, the budget at least 1",
        )
    behind: _Ahead = "dst" if ahead == "src" else "src"
    # Both engines work through a recursive UNION in the order of arrival: the vertices come nearest first, each once.
    rows = tx.rows(
        "WITH RECURSIVE walk (node) AS (SELECT CAST(:node AS bigint) UNION "
        f"SELECT e.{ahead} FROM walk JOIN edge e ON e.{behind} = walk.node AND {recorded_by(as_of, 'e')}) "
        "SELECT node FROM walk LIMIT :limit",
        node=node,
        limit=budget + 1,
        **values_of(as_of),
    )
    reached = [id for (id,) in rows]
    edges = _incident(tx, behind, reached, as_of)
    distance = _distances(node, edges, ahead) if depth < len(reached) else dict.fromkeys(reached, 0)
    cut = len(reached) > budget and distance[reached[budget]] <= depth
    kept = {id for id in reached[:budget] if distance[id] <= depth}
    last = depth if depth < len(reached) else 1
    return [
        e
        for e in edges
        if e.src in kept and e.dst in kept and distance[e.dst if ahead == "src" else e.src] < last
    ], cut


def _distances(start: int, edges: list[Edge], ahead: _Ahead) -> dict[int, int]:
    """Hops from `start` to every vertex that the edges reach."""
    beside: dict[int, list[int]] = {}
    for edge in edges:
        near, far = (edge.dst, edge.src) if ahead == "src" else (edge.src, edge.dst)
        beside.setdefault(near, []).append(far)
    distance, queue = {start: 0}, deque([start])
    while queue:
        near = queue.popleft()
        for far in beside.get(near, ()):
            if far not in distance:
                distance[far] = distance[near] + 1
                queue.append(far)
    return distance


def _records(tx: Tx, rows: list[Row]) -> list[Edge]:
    words = get_words(tx, {word for row in rows for word in (row[3], row[4], row[7])}) if rows else {}
    rows.sort(key=_order)
    return [
        Edge(
            src=row[0],
            dst=row[1],
            kind=_KINDS[row[2]],
            role=words[row[3]],
            rule=words[row[4]],
            at=row[5],
            evidence=_EVIDENCE[row[6]],
            via=words[row[7]],
            again=bool(row[8]),
            batch=row[9],
            recorded_at=row[10],
        )
        for row in rows
    ]


def _order(row: Row) -> Row:
    return (row[5], row[0], row[1], row[2:5])


_KINDS = {int(kind): kind for kind in EdgeKind}
_EVIDENCE = {str(evidence): evidence for evidence in Evidence}
