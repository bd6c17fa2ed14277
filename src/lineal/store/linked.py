"""Jobs and datasets by name, and which of them are linked through runs: the view of the record without its versions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from lineal.store.base_doors import LinkedName
from lineal.store.history import recorded_by, values_of
from lineal.store.lists import each
from lineal.store.text import give
from lineal.store.tx import Tx
from lineal.store.words import find_word

_TEXT = "COALESCE({0}.body, {0}.name)"
_GOVERNS = ("environment", "code")


class Linked:
    """LinkedStore."""

    def list_linked_jobs(
        self,
        tx: Tx,
        *,
        namespace: str | None = None,
        name: str | None = None,
        hidden: Sequence[str] = (),
        without: Sequence[int] = (),
        as_of: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[LinkedName], int]:
        """Jobs in order of their names with the times of their first and last recorded run, and how many there are.

        Args:
            hidden: kinds of runs that make no job to be listed. without: jobs that are left out.
        """
        where, values = _named(tx, "j", namespace, name, without)
        kinds = [word for word in (find_word(tx, kind) for kind in hidden) if word is not None]
        known = "" if as_of is None else " AND r.recorded_at <= :as_of"
        inner = (
            "SELECT r.job AS id, min(r.recorded_at) AS first, max(r.recorded_at) AS last FROM run r "
            f"WHERE r.kind NOT IN ({each(tx, 'kinds')}){known} GROUP BY r.job"
        )
        source = f"FROM job j JOIN ({inner}) s ON s.id = j.id"
        return _page(tx, "j", source, where, {**values, "kinds": kinds, **values_of(as_of)}, limit, offset)

    def list_linked_datasets(
        self,
        tx: Tx,
        *,
        namespace: str | None = None,
        name: str | None = None,
        without: Sequence[int] = (),
        as_of: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[LinkedName], int]:
        """Artifacts, but for code, environments and those in `without`, in order of their names, and how many there are."""
        where, values = _named(tx, "a", namespace, name, without)
        kinds = [word for word in (find_word(tx, kind) for kind in _GOVERNS) if word is not None]
        where.append(f"a.kind NOT IN ({each(tx, 'kinds')})")
        known = "" if as_of is None else "WHERE v.recorded_at <= :as_of "
        inner = (
            "SELECT v.artifact AS id, min(v.recorded_at) AS first, max(v.recorded_at) AS last "
            f"FROM version v {known}GROUP BY v.artifact"
        )
        source = f"FROM artifact a JOIN ({inner}) s ON s.id = a.id"
        return _page(tx, "a", source, where, {**values, "kinds": kinds, **values_of(as_of)}, limit, offset)

    def last_read(self, tx: Tx, artifacts: Sequence[int], *, as_of: int | None = None) -> dict[int, int]:
        """By artifact, when it was last recorded that any version of it was read; those never read are left out."""
        known = "" if as_of is None else " AND e.recorded_at <= :as_of"
        if not artifacts:
            return {}
        rows = tx.rows(
            f"SELECT v.artifact, max(e.recorded_at) FROM version v JOIN edge e ON e.src = v.node{known} "
            f"WHERE v.artifact IN ({each(tx, 'artifacts')}) GROUP BY v.artifact",
            artifacts=list(artifacts),
            **values_of(as_of),
        )
        return dict(rows)

    def list_job_runs(
        self, tx: Tx, job: int, *, as_of: int | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[list[int], int]:
        """The vertices of a job's runs, the newest first, and how many there are."""
        known = "" if as_of is None else " AND recorded_at <= :as_of"
        rows = tx.rows(
            f"SELECT node FROM run WHERE job = :job{known} ORDER BY started_at DESC, node DESC LIMIT :limit OFFSET :offset",
            job=job,
            limit=limit,
            offset=offset,
            **values_of(as_of),
        )
        count = tx.value(f"SELECT count(*) FROM run WHERE job = :job{known}", job=job, **values_of(as_of))
        return [node for (node,) in rows], int(count)

    def get_speaking_runs(self, tx: Tx, jobs: Sequence[int], *, as_of: int | None = None) -> dict[int, int]:
        """By job: its newest run that has an edge, or its newest at all where none has."""
        known = "" if as_of is None else " AND r.recorded_at <= :as_of"
        newest = f"SELECT r.node FROM run r WHERE r.job = j.id{known} {{}}ORDER BY r.started_at DESC, r.node DESC LIMIT 1"
        linked = (
            f"AND (EXISTS (SELECT 1 FROM edge e WHERE e.dst = r.node AND {recorded_by(as_of, 'e')}) "
            f"OR EXISTS (SELECT 1 FROM edge e WHERE e.src = r.node AND {recorded_by(as_of, 'e')})) "
        )
        rows = (
            tx.rows(
                f"SELECT j.id, COALESCE(({newest.format(linked)}), ({newest.format('')})) "
                f"FROM job j WHERE j.id IN ({each(tx, 'jobs')})",
                jobs=list(jobs),
                **values_of(as_of),
            )
            if jobs
            else []
        )
        return {job: node for job, node in rows if node is not None}

    def get_touching_jobs(
        self, tx: Tx, artifacts: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, list[int]]:
        """By artifact: the jobs of which any run read or wrote any version of it."""
        found: dict[int, set[int]] = {}
        for near, far in (("src", "dst"), ("dst", "src")):
            rows = (
                tx.rows(
                    f"SELECT DISTINCT v.artifact, r.job FROM version v JOIN edge e ON e.{near} = v.node "
                    f"AND {recorded_by(as_of, 'e')} JOIN run r ON r.node = e.{far} "
                    f"WHERE v.artifact IN ({each(tx, 'artifacts')})",
                    artifacts=list(artifacts),
                    **values_of(as_of),
                )
                if artifacts
                else []
            )
            for artifact, job in rows:
                found.setdefault(artifact, set()).add(job)
        return {artifact: sorted(jobs) for artifact, jobs in found.items()}

    def list_nodes(self, tx: Tx, *, after: int, limit: int, recorded_by: int | None = None) -> list[int]:
        """The vertices of runs that follow a vertex, in their order, up to the first that was recorded later than a time."""
        rows = tx.rows(
            "SELECT node, recorded_at FROM run WHERE node > :after ORDER BY node LIMIT :limit",
            after=after,
            limit=limit,
        )
        known = takewhile(lambda row: recorded_by is None or row[1] <= recorded_by, rows)
        return [node for node, _ in known]

    def list_facets(
        self, tx: Tx, name: str, *, as_of: int | None = None, limit: int = 100_000
    ) -> list[bytes]:
        """The documents that stand under a name, each once."""
        rows = tx.rows(
            f"SELECT DISTINCT f.body FROM facet f WHERE f.name = :name AND {recorded_by(as_of, 'f')} LIMIT :limit",
            name=find_word(tx, name) or -1,
            limit=limit,
            **values_of(as_of),
        )
        return [bytes(body) for (body,) in rows]

    def list_linked_versions(
        self, tx: Tx, artifacts: Sequence[int], *, as_of: int | None = None, limit: int = 100, offset: int = 0
    ) -> dict[int, tuple[list[int], int]]:
        """By artifact, the vertices of its versions that a run read or wrote, those written last first, and how many there are."""
        if not artifacts:
            return {}
        wanted = f"({each(tx, 'artifacts')}) k CROSS JOIN version v"
        written = f"SELECT v.artifact, v.node, e.at AS written FROM {wanted} JOIN edge e ON e.dst = v.node AND {recorded_by(as_of, 'e')} "
        read = f"SELECT v.artifact, v.node, CAST(NULL AS bigint) FROM {wanted} JOIN edge e ON e.src = v.node AND {recorded_by(as_of, 'e')} "
        # Two halves: an edge at either end is found by an index of its own.
        halves = f"{written}WHERE v.artifact = k.item UNION ALL {read}WHERE v.artifact = k.item"
        rows = tx.rows(
            "SELECT artifact, node, place, count FROM (SELECT s.artifact, s.node, ROW_NUMBER() OVER (PARTITION BY s.artifact "
            "ORDER BY CASE WHEN s.written IS NULL THEN 1 ELSE 0 END, s.written DESC, s.node DESC) AS place, "
            "count(*) OVER (PARTITION BY s.artifact) AS count FROM "
            f"(SELECT l.artifact, l.node, max(l.written) AS written FROM ({halves}) l GROUP BY l.artifact, l.node) s) p "
            "WHERE place = 1 OR (place > :first AND place <= :last) ORDER BY artifact, place",
            artifacts=list(artifacts),
            first=offset,
            last=offset + limit,
            **values_of(as_of),
        )
        found: dict[int, tuple[list[int], int]] = {}
        for artifact, node, place, count in rows:
            nodes, _ = found.setdefault(artifact, ([], int(count)))
            if offset < place <= offset + limit:
                nodes.append(node)
        return found


def _named(
    tx: Tx, table: str, namespace: str | None, name: str | None, without: Sequence[int]
) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = []
    values: dict[str, Any] = {}
    for column, text in (("namespace", namespace), ("name", name)):
        if text is not None:
            where.append(f"{table}.{column} = :{column}")
            values[column] = find_word(tx, text) or -1
    if without:
        where.append(f"{table}.id NOT IN ({each(tx, 'without')})")
        values["without"] = list(without)
    return where, values


def _page(
    tx: Tx, table: str, source: str, where: list[str], values: dict[str, Any], limit: int, offset: int
) -> tuple[list[LinkedName], int]:
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    rows = tx.rows(
        f"SELECT {table}.id, {_TEXT.format('p')} AS space, {_TEXT.format('n')} AS called, s.first, s.last {source} "
        f"JOIN word p ON p.id = {table}.namespace JOIN word n ON n.id = {table}.name {condition} "
        "ORDER BY called, space LIMIT :limit OFFSET :offset",
        limit=limit,
        offset=offset,
        **values,
    )
    count = tx.value(f"SELECT count(*) {source} {condition}", **values)
    return [
        LinkedName(id, give(space), give(name), first, last) for id, space, name, first, last in rows
    ], int(count)
