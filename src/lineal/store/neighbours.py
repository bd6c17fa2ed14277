"""Neighbours of vertices, never more of one than asked for: what a picture of a large graph is drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lineal.core.model import Edge, EdgeKind
from lineal.store.edges import EVIDENCE, records
from lineal.store.history import recorded_by, values_of
from lineal.store.lists import each
from lineal.store.tx import Row, Tx
from lineal.store.words import find_word, get_words

_AT_ONCE = 50_000  # vertices of one statement


class Neighbours:
    """NeighbourStore."""

    def list_neighbours(
        self,
        tx: Tx,
        nodes: Sequence[int],
        *,
        up: bool,
        limit: int,
        as_of: int | None = None,
        valid_at: int | None = None,
        skip: Sequence[str] = (),
    ) -> dict[int, list[int]]:
        """By vertex, up to `limit` vertices before it (`up`) or behind it, each once, in order of their numbers.

        Args:
            valid_at: only over edges that had happened by then.
            skip: roles of `used` edges that are not followed (`environment`, `code`).

        Answered by the covering indexes when `as_of` is None; about 1 microsecond for each neighbour.
        """
        if not nodes:
            return {}
        near, far = ("dst", "src") if up else ("src", "dst")
        skipped = _types(tx, skip)
        less = f" AND e.type NOT IN ({each(tx, 'skipped')})" if skipped else ""
        less += _happened(valid_at)
        values = {**values_of(as_of), **({"skipped": skipped} if skipped else {}), **_by(valid_at)}
        inner = (
            f"SELECT DISTINCT e.{far} AS far FROM edge e WHERE e.{near} = {{}} AND {recorded_by(as_of, 'e')}{less} "
            f"ORDER BY e.{far} LIMIT :limit"
        )
        if tx.engine == "sqlite":
            one = inner.format(":node")
            return {
                node: [far for (far,) in tx.rows(one, node=node, limit=limit, **values)] for node in nodes
            }
        found: dict[int, list[int]] = {node: [] for node in nodes}
        for node, other in tx.rows(
            f"SELECT n.item, k.far FROM ({each(tx, 'nodes')}) n CROSS JOIN LATERAL ({inner.format('n.item')}) k",
            nodes=list(nodes),
            limit=limit,
            **values,
        ):
            found[node].append(other)
        return found

    def list_between(
        self,
        tx: Tx,
        pairs: Iterable[tuple[int, int]],
        *,
        as_of: int | None = None,
        valid_at: int | None = None,
        skip: Sequence[str] = (),
    ) -> list[Edge]:
        """The edges from the first to the second vertex of each pair, by time."""
        wanted = sorted(set(pairs))
        if not wanted:
            return []
        columns = "SELECT e.at, e.src, e.dst, t.kind, t.role, t.rule, e.evidence, e.via, e.again, e.batch, e.recorded_at "
        where = f"JOIN edge_type t ON t.id = e.type WHERE {recorded_by(as_of, 'e')}{_happened(valid_at)}"
        rows: list[Row] = []
        if tx.engine == "sqlite":
            one = f"{columns} FROM edge e {where} AND e.dst = :dst AND e.src = :src"
            for src, dst in wanted:
                rows += tx.rows(one, src=src, dst=dst, **values_of(as_of), **_by(valid_at))
        else:
            rows = tx.rows(
                f"{columns} FROM unnest(CAST(:srcs AS bigint[]), CAST(:dsts AS bigint[])) p (src, dst) "
                f"JOIN edge e ON e.src = p.src AND e.dst = p.dst {where}",
                srcs=[src for src, _ in wanted],
                dsts=[dst for _, dst in wanted],
                **values_of(as_of),
                **_by(valid_at),
            )
        rows.sort()
        skipped = set(skip)
        return [
            edge for edge in records(tx, rows) if not (edge.kind == EdgeKind.USED and edge.role in skipped)
        ]

    def list_governing(
        self, tx: Tx, runs: Sequence[int], role: str, *, as_of: int | None = None
    ) -> dict[int, int]:
        """By run, the version that it ran under in that role (`code`, `environment`); of several the last."""
        types = _types(tx, [role])
        if not runs or not types:
            return {}
        return dict(
            tx.rows(
                f"SELECT e.dst, max(e.src) FROM edge e WHERE e.dst IN ({each(tx, 'runs')}) "
                f"AND e.type IN ({each(tx, 'types')}) AND {recorded_by(as_of, 'e')} GROUP BY e.dst",
                runs=list(runs),
                types=types,
                **values_of(as_of),
            )
        )

    def reach(
        self,
        tx: Tx,
        nodes: Sequence[int],
        *,
        up: bool,
        limit: int,
        as_of: int | None = None,
        valid_at: int | None = None,
        skip: Sequence[str] = (),
    ) -> tuple[list[int], bool]:
        """Everything before (`up`) or behind these vertices, the nearest first; one of themselves only if it lies before or behind
        another.

        Args:
            limit: most vertices. The second value tells whether there are more.
            valid_at: only over edges that had happened by then.
        """
        if not nodes:
            return [], False
        behind, ahead = ("dst", "src") if up else ("src", "dst")
        skipped = _types(tx, skip)
        less = f" AND e.type NOT IN ({each(tx, 'skipped')})" if skipped else ""
        less += _happened(valid_at)
        rows = tx.rows(
            f"WITH RECURSIVE walk (node) AS (SELECT e.{ahead} FROM ({each(tx, 'nodes')}) k "
            f"JOIN edge e ON e.{behind} = k.item AND {recorded_by(as_of, 'e')}{less} UNION "
            f"SELECT e.{ahead} FROM walk JOIN edge e ON e.{behind} = walk.node AND {recorded_by(as_of, 'e')}{less}) "
            "SELECT node FROM walk LIMIT :limit",
            nodes=sorted(set(nodes)),
            limit=limit + 1,
            **values_of(as_of),
            **({"skipped": skipped} if skipped else {}),
            **_by(valid_at),
        )
        return [node for (node,) in rows[:limit]], len(rows) > limit

    def spread(
        self,
        tx: Tx,
        start: int,
        *,
        up: bool,
        limit: int,
        as_of: int | None = None,
        valid_at: int | None = None,
        since: int | None = None,
        evidence: Sequence[str] = (),
        skip: Sequence[str] = (),
    ) -> tuple[dict[int, int], bool]:
        """Everything before (`up`) or behind a vertex with its distance in edges, nearest first, and whether there is more than `limit`.

        Args:
            valid_at, since: only over edges that had happened by then, that happened from then on.
            evidence: only over edges known so.

        One statement for each distance and 50,000 vertices; about 2 microseconds for each edge.
        """
        behind, ahead = ("dst", "src") if up else ("src", "dst")
        skipped = _types(tx, skip)
        where, values = [recorded_by(as_of, "e")], dict[str, Any](values_of(as_of))
        for test, name, value in (
            (f"e.type NOT IN ({each(tx, 'skipped')})", "skipped", skipped or None),
            ("e.at <= :valid_at", "valid_at", valid_at),
            ("e.at >= :since", "since", since),
            (
                f"e.evidence IN ({each(tx, 'evidence')})",
                "evidence",
                [EVIDENCE.get(known, 0) for known in evidence] or None,
            ),
        ):
            if value is not None:
                where.append(test)
                values[name] = value
        away: dict[int, int] = {start: 0}
        frontier, hops = [start], 0
        while frontier:
            hops += 1
            found: list[int] = []
            for at in range(0, len(frontier), _AT_ONCE):
                rows = tx.rows(
                    f"SELECT DISTINCT e.{ahead} FROM edge e WHERE e.{behind} IN ({each(tx, 'nodes')}) "
                    f"AND {' AND '.join(where)}",
                    nodes=frontier[at : at + _AT_ONCE],
                    **values,
                )
                fresh = [node for (node,) in rows if node not in away]
                away.update(dict.fromkeys(fresh, hops))
                found += fresh
                if len(away) > limit + 1:
                    del away[start]
                    return dict(list(away.items())[:limit]), True
            frontier = sorted(found)
        del away[start]
        return away, False

    def count_kinds(self, tx: Tx, nodes: Sequence[int]) -> dict[str, int]:
        """How many of these runs and versions are of which kind."""
        found: dict[int, int] = {}
        for at in range(0, len(nodes), _AT_ONCE):
            for table in ("run", "version"):
                rows = tx.rows(
                    f"SELECT kind, count(*) FROM {table} WHERE node IN ({each(tx, 'nodes')}) GROUP BY kind",
                    nodes=list(nodes[at : at + _AT_ONCE]),
                )
                for kind, count in rows:
                    found[kind] = found.get(kind, 0) + count
        words = get_words(tx, found)
        return {words[kind]: count for kind, count in found.items()}

    def list_kinds(self, tx: Tx) -> set[str]:
        """The kinds of which there ever was a run or an artifact."""
        rows = tx.rows("SELECT DISTINCT kind FROM run UNION SELECT DISTINCT kind FROM artifact")
        return set(get_words(tx, [kind for (kind,) in rows]).values())

    def narrow(self, tx: Tx, nodes: Sequence[int], *, kinds: Sequence[str], namespace: str) -> list[int]:
        """Those of the vertices that are of one of these kinds (`run` and `version` are all of them) and in that namespace; an empty
        list and an empty text let everything through."""
        words = [word for word in (find_word(tx, kind) for kind in kinds) if word is not None]
        space = find_word(tx, namespace) if namespace else None
        if namespace and space is None:
            return []
        found: list[int] = []
        for table, whole, own in (
            ("run r JOIN job s ON s.id = r.job", "run", "r"),
            ("version r JOIN artifact s ON s.id = r.artifact", "version", "r"),
        ):
            tests = [f"{own}.node IN ({each(tx, 'nodes')})"]
            values: dict[str, Any] = {}
            if kinds and whole not in kinds:
                tests.append(f"{own}.kind IN ({each(tx, 'kinds')})")
                values["kinds"] = words
            if space is not None:
                tests.append("s.namespace = :space")
                values["space"] = space
            for at in range(0, len(nodes), _AT_ONCE):
                rows = tx.rows(
                    f"SELECT {own}.node FROM {table} WHERE {' AND '.join(tests)}",
                    nodes=list(nodes[at : at + _AT_ONCE]),
                    **values,
                )
                found += [node for (node,) in rows]
        return found


def _happened(valid_at: int | None) -> str:
    return "" if valid_at is None else " AND e.at <= :valid_at"


def _by(valid_at: int | None) -> dict[str, int]:
    return {} if valid_at is None else {"valid_at": valid_at}


def _types(tx: Tx, roles: Sequence[str]) -> list[int]:
    words = [word for word in (find_word(tx, role) for role in roles) if word is not None]
    if not words:
        return []
    return [
        id
        for (id,) in tx.rows(
            f"SELECT id FROM edge_type WHERE kind = :kind AND role IN ({each(tx, 'words')})",
            kind=int(EdgeKind.USED),
            words=words,
        )
    ]
