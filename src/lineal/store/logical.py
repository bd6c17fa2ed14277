"""The graph without versions: artifacts and jobs, and which of them feed which, kept up to date as edges are added.

A logical vertex is a number: twice that of an artifact, or twice that of a job and one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lineal.core.model import Edge, EdgeKind
from lineal.store.bulk import insert
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each
from lineal.store.tx import Asked, Tx
from lineal.store.words import get_words

KEPT_PARTS = 200_000  # of the edges that came, the last so many messages are kept for snapshots to be brought up to date by
_FORGET_EVERY, _FORGET_MOST = 64, 10_000
GOVERNS = ("environment", "code")
_COLUMNS = (
    ("src", "bigint"),
    ("dst", "bigint"),
    ("kind", "smallint"),
    ("count", "bigint"),
    ("first_at", "bigint"),
    ("last_at", "bigint"),
    ("recorded_at", "bigint"),
)
_MORE = (
    "ON CONFLICT (dst, src, kind) DO UPDATE SET count = logical_edge.count + excluded.count, "
    "first_at = CASE WHEN excluded.first_at < logical_edge.first_at THEN excluded.first_at ELSE logical_edge.first_at END, "
    "last_at = CASE WHEN excluded.last_at > logical_edge.last_at THEN excluded.last_at ELSE logical_edge.last_at END"
)


class LogicalEdge(msgspec.Struct, frozen=True, kw_only=True):
    """How one artifact or job feeds another. count: edges ever reported; first_at, last_at: of what happened (microseconds UTC)."""

    src: int
    dst: int
    kind: EdgeKind
    count: int
    first_at: int
    last_at: int


class LogicalNode(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact or a job. count: its versions or runs; newest: the vertex of the last; states: of a job's runs, by state."""

    key: int
    job: bool
    namespace: str
    name: str
    kind: str
    count: int
    newest: int
    recorded_at: int
    states: dict[str, int] = {}


def ask_series(tx: Tx, nodes: Iterable[int]) -> Asked[dict[int, int]]:
    """By vertex, the artifact or job that it is a version or run of."""
    wanted = list(nodes)
    rows = tx.ask(
        f"SELECT node, artifact * 2 FROM version WHERE node IN ({each(tx, 'nodes')}) "
        f"UNION ALL SELECT node, job * 2 + 1 FROM run WHERE node IN ({each(tx, 'nodes')})",
        nodes=wanted,
    )
    return lambda: dict(rows())


def data_edges(edges: Sequence[Edge]) -> list[Edge]:
    """Those of the edges along which data flows: not what governs a run."""
    return [e for e in edges if not (e.role in GOVERNS and int(e.kind) == 1)]


def keep_logical(
    tx: Tx,
    edges: Sequence[Edge],
    ends: Sequence[tuple[Any, ...]],
    series: Mapping[int, int],
    *,
    recorded_at: int,
) -> None:
    """Keep what edges that were just added mean for the graph without versions, and that they came.

    ends: of each edge, what stands for its ends; series: what `ask_series` gives of the reported ends.
    """
    data = data_edges(edges)
    if not data:
        return
    if len(data) < len(edges):
        flows = set(map(id, data))
        ends = [pair for e, pair in zip(edges, ends, strict=True) if id(e) in flows]
    keep_part(tx, ends, gone=False)
    found: dict[tuple[int, int, int], list[int]] = {}
    for e in data if series else ():
        src, dst, at = series.get(e.src), series.get(e.dst), e.at
        if src is None or dst is None:
            continue
        key = (src, dst, int(e.kind))
        known = found.get(key)
        if known is None:
            found[key] = [1, at, at]
            continue
        known[0] += 1
        if at < known[1]:
            known[1] = at
        elif at > known[2]:
            known[2] = at
    insert(
        tx,
        "logical_edge",
        _COLUMNS,
        [(*key, *counted, recorded_at) for key, counted in sorted(found.items())],
        conflict=_MORE,
    )


def keep_part(tx: Tx, pairs: Sequence[tuple[Any, ...]], *, gone: bool) -> None:
    """Keep that edges came, or that they ceased to stand. Of what came long ago no snapshot asks any more: it is let go."""
    if not pairs:
        return
    body = array("q", [end for pair in pairs for end in pair]).tobytes()
    tx.run("INSERT INTO edge_part (gone, body) VALUES (:gone, :body)", gone=int(gone), body=body)
    if sum(pairs[0]) % _FORGET_EVERY == 0:  # now and then; vertices are numbered without regard to this
        tx.run(
            "DELETE FROM edge_part WHERE id IN (SELECT id FROM edge_part "
            "WHERE id <= (SELECT max(id) FROM edge_part) - :kept ORDER BY id LIMIT :most)",
            kept=KEPT_PARTS,
            most=_FORGET_MOST,
        )


def relink(tx: Tx, run: int, *, recorded_at: int) -> None:
    """Let a run whose job has just become known lead from and to that job."""
    key = tx.value("SELECT job * 2 + 1 FROM run WHERE node = :run", run=run)
    for near, far, kind in (("given_dst", "given_src", 1), ("given_src", "given_dst", 2)):
        ends = ("v.artifact * 2, CAST(:key AS bigint)", "CAST(:key AS bigint), v.artifact * 2")[kind - 1]
        column = "dst" if kind == 1 else "src"
        tx.run(
            "INSERT INTO logical_edge (src, dst, kind, count, first_at, last_at, recorded_at) "
            f"SELECT {ends}, CAST(:kind AS smallint), count(*), min(e.at), max(e.at), CAST(:at AS bigint) FROM edge e "
            "JOIN edge_type t ON t.id = e.type AND t.kind = :kind "
            "AND NOT (t.kind = 1 AND t.role IN (SELECT id FROM word WHERE name IN ('code', 'environment'))) "
            f"JOIN version v ON v.node = e.{far} WHERE e.{column} = :run AND e.{near} = :run AND e.{STANDS} "
            "GROUP BY v.artifact ON CONFLICT DO NOTHING",
            key=key,
            kind=kind,
            run=run,
            at=recorded_at,
        )


def _moments(row: str, as_of: int | None, valid_at: int | None) -> tuple[list[str], dict[str, int]]:
    """The conditions that an edge was first recorded, and first happened, by then; and their values."""
    given = {"as_of": ("recorded_at", as_of), "valid_at": ("first_at", valid_at)}
    return (
        [f"{row}{column} <= :{name}" for name, (column, at) in given.items() if at is not None],
        {name: at for name, (_, at) in given.items() if at is not None},
    )


class Logical:
    """LogicalStore."""

    def series_of(self, tx: Tx, nodes: Sequence[int]) -> dict[int, int]:
        """By vertex, the artifact or job that it is a version or run of."""
        return ask_series(tx, nodes)()

    def list_neighbours(
        self,
        tx: Tx,
        keys: Sequence[int],
        *,
        up: bool,
        limit: int,
        as_of: int | None = None,
        valid_at: int | None = None,
    ) -> dict[int, list[int]]:
        """By logical vertex, up to `limit` of those before it (`up`) or behind it. as_of: first recorded by then; valid_at: first
        happened by then."""
        near, far = ("dst", "src") if up else ("src", "dst")
        tests, values = _moments("e.", as_of, valid_at)
        then = "".join(f" AND {test}" for test in tests)
        one = f"SELECT DISTINCT e.{far} AS far FROM logical_edge e WHERE e.{near} = {{}}{then} ORDER BY e.{far} LIMIT :limit"
        found: dict[int, list[int]] = {key: [] for key in keys}
        if not keys:
            return found
        if tx.engine == "sqlite":
            for key in keys:
                found[key] = [far for (far,) in tx.rows(one.format(":key"), key=key, limit=limit, **values)]
            return found
        for key, other in tx.rows(
            f"SELECT n.item, k.far FROM ({each(tx, 'keys')}) n CROSS JOIN LATERAL ({one.format('n.item')}) k",
            keys=list(keys),
            limit=limit,
            **values,
        ):
            found[key].append(other)
        return found

    def list_between(self, tx: Tx, pairs: Iterable[tuple[int, int]]) -> list[LogicalEdge]:
        """How the first of each pair feeds the second."""
        found: list[LogicalEdge] = []
        for src, dst in sorted(set(pairs)):
            rows = tx.rows(
                "SELECT kind, count, first_at, last_at FROM logical_edge WHERE dst = :dst AND src = :src",
                src=src,
                dst=dst,
            )
            found += [
                LogicalEdge(src=src, dst=dst, kind=EdgeKind(kind), count=count, first_at=first, last_at=last)
                for kind, count, first, last in rows
            ]
        return found

    def list_greatest(
        self, tx: Tx, *, limit: int, as_of: int | None = None, valid_at: int | None = None
    ) -> list[int]:
        """The logical vertices with the most edges, those first that have more. as_of, valid_at: as in `list_neighbours`."""
        tests, values = _moments("", as_of, valid_at)
        then = f"WHERE {' AND '.join(tests)} " if tests else ""
        rows = tx.rows(
            f"SELECT k.item FROM (SELECT src AS item, count FROM logical_edge {then}UNION ALL "
            f"SELECT dst, count FROM logical_edge {then}) k GROUP BY k.item ORDER BY sum(k.count) DESC, k.item LIMIT :limit",
            limit=limit,
            **values,
        )
        return [key for (key,) in rows]

    def list_newer(self, tx: Tx, versions: Mapping[int, int], *, as_of: int | None = None) -> dict[int, int]:
        """By version that is not the newest of its artifact, the newest: the last that arrived, unless the version was written again
        after it.

        Args:
            versions: by vertex, the artifact. as_of: of what was recorded by then.
        """
        then = "" if as_of is None else " AND v.recorded_at <= :as_of"
        values = {} if as_of is None else {"as_of": as_of}
        newest: dict[int, int | None] = dict(
            tx.rows(
                f"SELECT k.item, (SELECT v.node FROM version v WHERE v.artifact = k.item{then} "
                f"ORDER BY v.number DESC LIMIT 1) FROM ({each(tx, 'artifacts')}) k",
                artifacts=sorted(set(versions.values())),
                **values,
            )
            if versions
            else ()
        )
        older = {
            node: last
            for node, artifact in versions.items()
            if (last := newest[artifact]) is not None and last != node
        }
        if not older:
            return {}
        written: dict[int, int] = dict(
            tx.rows(
                "SELECT e.dst, max(e.at) FROM edge e JOIN edge_type t ON t.id = e.type AND t.kind = 2 "
                f"WHERE e.dst IN ({each(tx, 'nodes')}) AND {recorded_by(as_of, 'e')} GROUP BY e.dst",
                nodes=sorted({*older, *older.values()}),
                **values_of(as_of),
            )
        )
        return {
            node: last
            for node, last in older.items()
            if node not in written or last not in written or written[node] < written[last]
        }

    def describe(self, tx: Tx, keys: Sequence[int]) -> dict[int, LogicalNode]:
        """Artifacts and jobs by their logical vertices; unknown ones, and jobs without a name, are left out."""
        artifacts = [key // 2 for key in keys if not key % 2]
        jobs = [key // 2 for key in keys if key % 2]
        rows = (
            tx.rows(
                "SELECT a.id, a.namespace, a.name, a.kind, a.version_count, a.recorded_at, "
                "(SELECT v.node FROM version v WHERE v.artifact = a.id ORDER BY v.number DESC LIMIT 1) "
                f"FROM artifact a WHERE a.id IN ({each(tx, 'ids')})",
                ids=artifacts,
            )
            if artifacts
            else []
        )
        runs = (
            tx.rows(
                "SELECT j.id, j.namespace, j.name, r.state, count(*), max(r.node), max(r.started_at), min(r.kind) "
                f"FROM job j JOIN run r ON r.job = j.id WHERE j.id IN ({each(tx, 'ids')}) "
                "GROUP BY j.id, j.namespace, j.name, r.state ORDER BY j.id",
                ids=jobs,
            )
            if jobs
            else []
        )
        words = get_words(
            tx, {w for row in rows for w in row[1:4]} | {w for row in runs for w in (*row[1:3], row[7])}
        )
        found = {
            row[0] * 2: LogicalNode(
                key=row[0] * 2,
                job=False,
                namespace=words[row[1]],
                name=words[row[2]],
                kind=words[row[3]],
                count=row[4],
                recorded_at=row[5],
                newest=row[6] or 0,
            )
            for row in rows
        }
        for job, namespace, name, state, count, newest, at, kind in runs:
            key = job * 2 + 1
            known = found.get(key)
            if not words[name]:
                continue
            found[key] = LogicalNode(
                key=key,
                job=True,
                namespace=words[namespace],
                name=words[name],
                kind=words[kind],
                count=count + (known.count if known else 0),
                newest=max(newest, known.newest if known else 0),
                recorded_at=max(at, known.recorded_at if known else at),
                states={**(known.states if known else {}), state: count},
            )
        return found
