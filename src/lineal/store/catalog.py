"""Lists of what is recorded: jobs, artifacts, keys, and how many there are of each."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.store.base import ArtifactRow, JobRow
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.text import give
from lineal.store.tx import Tx
from lineal.store.words import Scope, find_word, get_words

_TEXT = "COALESCE({0}.body, {0}.name)"
_NOT_DELETED = f"NOT EXISTS (SELECT 1 FROM deletion d WHERE d.node = {{0}}.node AND d.{STANDS})"


class Catalog:
    """CatalogStore."""

    def list_jobs(self, tx: Tx, *, limit: int) -> list[JobRow]:
        """Jobs with at least one run, those that ran last first."""
        rows = tx.rows(
            "SELECT j.id, j.namespace, j.name, s.runs, s.failed, s.last FROM job j JOIN ("
            "  SELECT r.job AS job, count(*) AS runs, max(r.started_at) AS last,"
            "         sum(CASE WHEN r.state IN ('failed', 'killed', 'lost') THEN 1 ELSE 0 END) AS failed"
            f"  FROM run r WHERE {_NOT_DELETED.format('r')} GROUP BY r.job"
            ") s ON s.job = j.id ORDER BY s.last DESC, j.id LIMIT :limit",
            limit=limit,
        )
        words = get_words(tx, {word for row in rows for word in row[1:3]})
        return [
            JobRow(id=id, namespace=words[space], name=words[name], runs=runs, failed=failed, last_at=last)
            for id, space, name, runs, failed, last in rows
        ]

    def list_last_runs(self, tx: Tx, jobs: Sequence[int], *, each_job: int) -> dict[int, list[int]]:
        """The newest runs of jobs, the newest first, by the job's number."""
        found: dict[int, list[int]] = {}
        for job in jobs:
            rows = tx.rows(
                f"SELECT r.node FROM run r WHERE r.job = :job AND {_NOT_DELETED.format('r')} "
                "ORDER BY r.started_at DESC, r.node DESC LIMIT :limit",
                job=job,
                limit=each_job,
            )
            found[job] = [node for (node,) in rows]
        return found

    def list_newest(
        self, tx: Tx, *, kinds: Sequence[str], text: str, limit: int, offset: int = 0
    ) -> list[ArtifactRow]:
        """Artifacts whose name holds `text` (letter case of ASCII aside), those with the newest version first.

        Args:
            kinds: only these; empty: all but code and environments.
        """
        numbers = [number for number in (find_word(tx, kind) for kind in kinds) if number is not None]
        if kinds and not numbers:
            return []
        hidden = [n for n in (find_word(tx, kind) for kind in ("code", "environment")) if n is not None]
        chosen, condition = (numbers, "IN") if kinds else (hidden, "NOT IN")
        rows = tx.rows(
            "SELECT a.namespace, a.name, v.kind, a.version_count, v.node, v.recorded_at FROM artifact a "
            "JOIN version v ON v.artifact = a.id AND v.number = a.version_count JOIN word w ON w.id = a.name "
            f"WHERE v.kind {condition} ({each(tx, 'kinds')}) "
            f"AND (:text = '' OR {_position(tx)} > 0) AND {_NOT_DELETED.format('v')} "
            "ORDER BY v.recorded_at DESC, v.node DESC LIMIT :limit OFFSET :offset",
            kinds=chosen,
            text=text.lower(),
            limit=limit,
            offset=offset,
        )
        words = get_words(tx, {word for row in rows for word in row[:3]})
        return [
            ArtifactRow(
                namespace=words[space],
                name=words[name],
                kind=words[kind],
                versions=count,
                newest=node,
                recorded_at=at,
            )
            for space, name, kind, count, node, at in rows
        ]

    def list_keys(self, tx: Tx, scope: Scope, *, limit: int) -> list[str]:
        """The keys of parameters, tags or metrics that a run ever had, in byte order."""
        rows = tx.rows(
            f"SELECT {_TEXT.format('w')} AS text FROM field f JOIN word w ON w.id = f.name "
            "WHERE f.scope = :scope ORDER BY text LIMIT :limit",
            scope=scope,
            limit=limit,
        )
        return [give(text) for (text,) in rows]

    def count_states(self, tx: Tx) -> dict[tuple[str, str], int]:
        """How many runs there are, by kind and state; deleted ones are not counted."""
        rows = _kinds_and_states(tx)
        gone = tx.rows(
            f"SELECT r.kind, r.state, count(*) FROM deletion d JOIN run r ON r.node = d.node WHERE d.{STANDS} "
            "GROUP BY r.kind, r.state"
        )
        words = get_words(tx, {kind for kind, _, _ in rows})
        found = {(words[kind], state): count for kind, state, count in rows}
        for kind, state, count in gone:
            found[words[kind], state] -= count
        return found

    def count_jobs(self, tx: Tx) -> int:
        """How many jobs ran anything but deployments; deleted runs are counted too."""
        kind = find_word(tx, "deployment") or 0
        exists = "EXISTS (SELECT 1 FROM run r WHERE r.job = j.id AND r.kind <> :kind)"
        return int(tx.value(f"SELECT count(*) FROM job j WHERE {exists}", kind=kind) or 0)

    def count_artifacts(self, tx: Tx) -> dict[str, int]:
        """How many artifacts there are, by kind."""
        rows = tx.rows("SELECT kind, count(*) FROM artifact GROUP BY kind")
        words = get_words(tx, {kind for kind, _ in rows})
        return {words[kind]: count for kind, count in rows}

    def count_by_day(self, tx: Tx, *, since: int) -> dict[int, int]:
        """How many runs started on each day (UTC, days since 1970) from a time on."""
        rows = tx.rows(
            "SELECT started_at / 86400000000 AS day, count(*) FROM run WHERE started_at >= :since GROUP BY day",
            since=since,
        )
        return dict(rows)


def _kinds_and_states(tx: Tx) -> list[tuple[int, str, int]]:
    """By kind and state, how many runs. The commonest kind is what the others leave of all: both totals come from indexes alone,
    and only the runs of rarer kinds are looked at."""
    kinds = tx.rows("SELECT kind, count(*) FROM run GROUP BY kind ORDER BY count(*) DESC, kind")
    if not kinds:
        return []
    left: dict[str, int] = dict(tx.rows("SELECT state, count(*) FROM run GROUP BY state"))
    found: list[tuple[int, str, int]] = []
    for kind, _ in kinds[1:]:
        for state, count in tx.rows(
            "SELECT state, count(*) FROM run WHERE kind = :kind GROUP BY state", kind=kind
        ):
            left[state] -= count
            found.append((kind, state, count))
    return [*found, *((kinds[0][0], state, count) for state, count in left.items() if count)]


def _position(tx: Tx) -> str:
    text = f"lower({_TEXT.format('w')})"
    return f"strpos({text}, :text)" if tx.engine == "postgres" else f"instr({text}, :text)"
