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
from lineal.store.bulk import insert_counted
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each
from lineal.store.logical import ask_series, data_edges, keep_logical, keep_part
from lineal.store.tx import Asked, Row, Tx
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
    ("evidence", "smallint"),
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

JOIN_LOCK = (
    0x4C494E4C4A4F494E  # advisory lock of PostgreSQL: shared by those who add edges, whole for who joins
)

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
        if tx.engine == "postgres":  # no join may rewrite ends meanwhile
            tx.run("SELECT pg_advisory_xact_lock_shared(:lock)", lock=JOIN_LOCK)
        nodes = {e.src for e in edges} | {e.dst for e in edges}
        canonical = _ask_canonical(tx, nodes)
        series = ask_series(tx, nodes) if data_edges(edges) else dict
        rows = _rows(edges, canonical(), _codes(tx, edges), recorded_at)
        added = insert_counted(tx, "edge", _COLUMNS, rows)
        if added < len(rows):
            names = [name for name, _ in _COLUMNS]
            added += tx.many(_ADD_AGAIN, [dict(zip(names, row, strict=True)) for row in rows])
        if added:
            keep_logical(tx, edges, [row[:2] for row in rows], series(), recorded_at=recorded_at)
        return added

    def retract_edge(self, tx: Tx, src: int, dst: int, kind: int, rule: str, *, at: int) -> None:
        """Let the edges of this kind and rule, whatever their role, cease to stand; they remain in what `as_of` shows."""
        keep_part(tx, [(src, dst)], gone=True)
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

    def retract_edges(self, tx: Tx, edges: Sequence[Edge], *, at: int) -> None:
        """Let these very edges (by ends, kind, role and rule) cease to stand; they remain in what `as_of` shows."""
        if not edges:
            return
        word = add_words(tx, {text for e in edges for text in (e.role, e.rule)})
        types = _add_types(tx, {(int(e.kind), word[e.role], word[e.rule]) for e in edges})
        keep_part(tx, [(e.src, e.dst) for e in edges], gone=True)
        stands_for = _ask_canonical(tx, {e.src for e in edges} | {e.dst for e in edges})().get
        tx.run_each(
            "UPDATE edge SET retracted_at = :at WHERE dst = :dst AND src = :src AND type = :type "
            f"AND given_src = :given_src AND given_dst = :given_dst AND {STANDS}",
            [
                {
                    "dst": stands_for(e.dst, e.dst),
                    "src": stands_for(e.src, e.src),
                    "type": types[int(e.kind), word[e.role], word[e.rule]],
                    "given_src": e.src,
                    "given_dst": e.dst,
                    "at": at,
                }
                for e in edges
            ],
        )

    def get_in(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> list[Edge]:
        """The edges that end at these vertices, by time."""
        return records(tx, _incident(tx, "dst", nodes, as_of))

    def get_out(self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None) -> list[Edge]:
        """The edges that begin at these vertices, by time."""
        return records(tx, _incident(tx, "src", nodes, as_of))

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


_Said = tuple[int, str, str, str]  # kind, role, rule, via


def _codes(tx: Tx, edges: Sequence[Edge]) -> dict[_Said, tuple[int, int]]:
    """The numbers of type and via for everything that edges say of themselves."""
    # An enum's hash is computed in Python each time, its value's is not: a batch has thousands of edges of few types.
    named = {(int(e.kind), e.role, e.rule, e.via) for e in edges}
    word = add_words(tx, {text for _, *texts in named for text in texts})
    types = _add_types(tx, {(kind, word[role], word[rule]) for kind, role, rule, _ in named})
    return {key: (types[key[0], word[key[1]], word[key[2]]], word[key[3]]) for key in named}


def _rows(
    edges: Sequence[Edge], canonical: dict[int, int], codes: dict[_Said, tuple[int, int]], recorded_at: int
) -> list[Row]:
    rows: list[Row] = []
    stands_for = canonical.get
    seen, evidence = None, 0  # of the edge before: mostly the next one is known alike
    for e in edges:
        src, dst = e.src, e.dst
        ends = (stands_for(src, src), stands_for(dst, dst)) if canonical else (src, dst)
        type, via = codes[int(e.kind), e.role, e.rule, e.via]
        if e.evidence is not seen:
            seen, evidence = e.evidence, EVIDENCE[e.evidence.value]
        rows.append((*ends, type, src, dst, 1, recorded_at, e.at, evidence, via, int(e.again), e.batch))
    return rows


def _add_types(tx: Tx, wanted: set[tuple[int, int, int]]) -> dict[tuple[int, int, int], int]:
    """The numbers of kinds of edges, each given as kind and the words of role and rule; given now to those that are new."""
    named = {f"{kind} {role} {rule}": (kind, role, rule) for kind, role, rule in sorted(wanted)}

    def ask(missing: list[str]) -> list[tuple[str, int]]:
        return [(name, _add_type(tx, *named[name])) for name in missing]

    found = tx.numbers.find("edge_type", named, ask)
    return {type: found[name] for name, type in named.items()}


def _add_type(tx: Tx, kind: int, role: int, rule: int) -> int:
    find = "SELECT id FROM edge_type WHERE kind = :kind AND role = :role AND rule = :rule"
    values = {"kind": kind, "role": role, "rule": rule}
    id = tx.value(find, **values)
    if id is None:
        tx.run(
            "INSERT INTO edge_type (kind, role, rule) VALUES (:kind, :role, :rule) ON CONFLICT DO NOTHING",
            **values,
        )
        id = tx.value(find, **values)
    return int(id)


def _ask_canonical(tx: Tx, nodes: set[int]) -> Asked[dict[int, int]]:
    """The vertices that others stand for, for those of `nodes` that were joined."""
    rows = tx.ask(
        f"SELECT node, stands_for FROM canonical WHERE node IN ({each(tx, 'nodes')})", nodes=list(nodes)
    )
    return lambda: dict(rows())


def _incident(
    tx: Tx, end: _Ahead, nodes: Sequence[int], as_of: int | None, *, within: bool = False
) -> list[Row]:
    """The edges with that end among the vertices, by time; `within`: with the other end among them too."""
    if not nodes:
        return []
    among = f"IN ({each(tx, 'nodes')})"
    # The plus keeps SQLite from looking up every pair of vertices.
    other = f"AND +e.{_behind(end)} {among}" if within else ""
    rows = tx.rows(
        "SELECT e.at, e.src, e.dst, t.kind, t.role, t.rule, e.evidence, e.via, e.again, e.batch, e.recorded_at "
        "FROM edge e JOIN edge_type t ON t.id = e.type "
        f"WHERE e.{end} {among} {other} AND {recorded_by(as_of, 'e')}",
        nodes=list(nodes),
        **values_of(as_of),
    )
    rows.sort()
    return rows


def _behind(ahead: _Ahead) -> _Ahead:
    return "dst" if ahead == "src" else "src"


def _closure(
    tx: Tx, node: int, ahead: _Ahead, depth: int, budget: int, as_of: int | None
) -> tuple[list[Edge], bool]:
    if depth < 0 or budget < 1:
        raise Invalid(
            f"a walk with depth {depth} and a budget of {budget} vertices was asked for",
            hint="the depth must be at least 0, the budget at least 1",
        )
    behind = _behind(ahead)
    if tx.engine == "postgres" and depth > _FEW and (few := _few(tx, node, ahead, min(budget, _FEW), as_of)):
        return records(tx, few[0]), False
    # Both engines work through a recursive UNION in the order of arrival: the vertices come nearest first, each once.
    walked = tx.rows(
        "WITH RECURSIVE walk (node) AS (SELECT CAST(:node AS bigint) UNION "
        f"SELECT e.{ahead} FROM walk JOIN edge e ON e.{behind} = walk.node AND {recorded_by(as_of, 'e')}) "
        "SELECT node FROM walk LIMIT :limit",
        node=node,
        limit=budget + 1,
        **values_of(as_of),
    )
    reached = [id for (id,) in walked]
    over = len(reached) > budget
    rows = _incident(tx, behind, reached, as_of, within=over)
    if not over and depth >= len(reached):
        return records(tx, rows), False
    near, far = (2, 1) if ahead == "src" else (1, 2)  # the columns of a row
    distance = _distances(node, [(row[near], row[far]) for row in rows])
    kept = {id for id in reached[:budget] if distance[id] <= depth}
    cut = over and distance[reached[budget]] <= depth
    rows = [row for row in rows if row[near] in kept and row[far] in kept and distance[row[near]] < depth]
    return records(tx, rows), cut


def _few(tx: Tx, node: int, ahead: _Ahead, most: int, as_of: int | None) -> tuple[list[Row]] | None:
    """The edges of a closure of at most so many vertices, walked and read in one statement; None where it is larger."""
    behind = _behind(ahead)
    rows = tx.rows(
        "WITH RECURSIVE walk (node) AS (SELECT CAST(:node AS bigint) UNION "
        f"SELECT e.{ahead} FROM walk JOIN edge e ON e.{behind} = walk.node AND {recorded_by(as_of, 'e')}), "
        "reached AS MATERIALIZED (SELECT node FROM walk LIMIT :most) "
        "SELECT e.at, e.src, e.dst, t.kind, t.role, t.rule, e.evidence, e.via, e.again, e.batch, e.recorded_at "
        f"FROM reached w JOIN edge e ON e.{behind} = w.node AND {recorded_by(as_of, 'e')} "
        "JOIN edge_type t ON t.id = e.type LIMIT :edges",
        node=node,
        most=most + 1,
        edges=_MOST_OF_FEW + 1,
        **values_of(as_of),
    )
    ends = {node, *(row[1 if ahead == "src" else 2] for row in rows)}
    if len(ends) > most or len(rows) > _MOST_OF_FEW:
        return None
    rows.sort()
    return (rows,)


_FEW, _MOST_OF_FEW = 1000, 5000  # vertices and edges of an ordinary closure


def _distances(start: int, hops: list[tuple[int, int]]) -> dict[int, int]:
    """How many hops, each from one vertex to the next, lead from `start` to every vertex that they reach."""
    beside: dict[int, list[int]] = {}
    for near, far in hops:
        beside.setdefault(near, []).append(far)
    distance, queue = {start: 0}, deque([start])
    while queue:
        near = queue.popleft()
        for far in beside.get(near, ()):
            if far not in distance:
                distance[far] = distance[near] + 1
                queue.append(far)
    return distance


def records(tx: Tx, rows: list[Row]) -> list[Edge]:
    """Edges out of rows of (at, src, dst, kind, role, rule, evidence, via, again, batch, recorded_at)."""
    words = get_words(tx, {word for row in rows for word in (row[4], row[5], row[7])}) if rows else {}
    return [
        Edge(
            src=src,
            dst=dst,
            kind=_KINDS[kind],
            at=at,
            role=words[role],
            evidence=BY_CODE[evidence],
            via=words[via],
            rule=words[rule],
            again=bool(again),
            batch=batch,
            recorded_at=recorded_at,
        )
        for at, src, dst, kind, role, rule, evidence, via, again, batch, recorded_at in rows
    ]


_KINDS = {int(kind): kind for kind in EdgeKind}
EVIDENCE = {"observed": 1, "declared": 2, "inferred": 3, "imported": 4}
BY_CODE = {code: Evidence(evidence) for evidence, code in EVIDENCE.items()}
