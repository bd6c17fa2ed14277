"""When datasets were written and read, so that a read without a version finds the newest one before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lineal.store.bulk import insert
from lineal.store.lists import each
from lineal.store.tx import Asked, Tx

_WRITES = (
    ("series", "bigint"),
    ("at", "bigint"),
    ("tie", "bigint"),
    ("node", "bigint"),
    ("run", "bigint"),
)
_READS = (("series", "bigint"), ("at", "bigint"), ("run", "bigint"))
# A read belongs to the newest write before it by another run. A run may write one series under several names, so the
# range of reads that a write may touch ends only at the third write behind it.
_TOUCHED = (
    "SELECT r.run FROM dataset_read r WHERE r.series = {series} AND r.at >= {at} AND r.at < COALESCE("
    "(SELECT w.at FROM dataset_write w WHERE w.series = {series} AND w.at > {at} "
    "ORDER BY w.at LIMIT 1 OFFSET 2), 9223372036854775807)"
)
_NEWEST = (
    "SELECT w.node FROM dataset_write w WHERE w.series = {series} AND w.at <= {at} "
    "AND w.run <> {run} ORDER BY w.at DESC, w.tie DESC, w.node DESC LIMIT 1"
)


class DatasetWrite(msgspec.Struct, gc=False, frozen=True, order=True):
    """A version of a series, complete at a time. tie: orders writes of one time."""

    series: int
    at: int
    tie: int
    node: int
    run: int


class Moments:
    """MomentStore."""

    def ask_series(self, tx: Tx, artifacts: Sequence[int]) -> Asked[dict[int, int]]:
        """The series of those artifacts that share one with others; every other artifact is its own."""
        if not artifacts:
            return dict
        rows = tx.ask(
            f"SELECT artifact, series FROM dataset_series WHERE artifact IN ({each(tx, 'artifacts')})",
            artifacts=list(artifacts),
        )
        return lambda: dict(rows())

    def get_members(self, tx: Tx, series: int) -> list[int]:
        """The artifacts of a series, the least first."""
        rows = tx.rows(
            "SELECT artifact FROM dataset_series WHERE series = :series ORDER BY artifact", series=series
        )
        return [artifact for (artifact,) in rows] or [series]

    def join_series(self, tx: Tx, one: int, other: int) -> list[int]:
        """Make one series of two; the runs that read either."""
        least, further = min(one, other), max(one, other)
        for member in {least, *self.get_members(tx, least), *self.get_members(tx, further)}:
            tx.run(
                "INSERT INTO dataset_series (artifact, series) VALUES (:artifact, :series) "
                "ON CONFLICT (artifact) DO UPDATE SET series = excluded.series",
                artifact=member,
                series=least,
            )
        tx.run(
            "UPDATE dataset_write SET series = :least WHERE series = :further", least=least, further=further
        )
        tx.run(
            "DELETE FROM dataset_read WHERE series = :further AND EXISTS (SELECT 1 FROM dataset_read o "
            "WHERE o.series = :least AND o.at = dataset_read.at AND o.run = dataset_read.run)",
            least=least,
            further=further,
        )
        tx.run(
            "UPDATE dataset_read SET series = :least WHERE series = :further", least=least, further=further
        )
        rows = tx.rows("SELECT DISTINCT run FROM dataset_read WHERE series = :least", least=least)
        return [run for (run,) in rows]

    def clear_series(self, tx: Tx, series: Sequence[int]) -> set[int]:
        """Forget what was written and read of these series and what is one with them; the runs that did."""
        runs: set[int] = set()
        for table in ("dataset_read", "dataset_write"):
            rows = tx.rows(
                f"DELETE FROM {table} WHERE series IN ({each(tx, 'series')}) RETURNING run",
                series=list(series),
            )
            runs |= {run for (run,) in rows}
        tx.run(f"DELETE FROM dataset_series WHERE series IN ({each(tx, 'series')})", series=list(series))
        return runs

    def put_series(self, tx: Tx, series: Mapping[int, int]) -> None:
        """Let artifacts be of these series, of which `clear_series` was called before."""
        rows = sorted(series.items())
        insert(tx, "dataset_series", (("artifact", "bigint"), ("series", "bigint")), rows)

    def add_writes(self, tx: Tx, writes: Sequence[DatasetWrite]) -> None:
        """Record writes."""
        insert(tx, "dataset_write", _WRITES, [msgspec.structs.astuple(write) for write in writes])

    def remove_writes(self, tx: Tx, writes: Sequence[DatasetWrite]) -> None:
        """Take back writes that turned out to be otherwise."""
        tx.run_each(
            "DELETE FROM dataset_write WHERE series = :series AND at = :at AND tie = :tie AND node = :node AND run = :run",
            [
                {"series": w.series, "at": w.at, "tie": w.tie, "node": w.node, "run": w.run}
                for w in sorted(writes)
            ],
        )

    def add_reads(self, tx: Tx, reads: Sequence[tuple[int, int, int]]) -> None:
        """Record reads: series, time, run."""
        insert(tx, "dataset_read", _READS, sorted(set(reads)))

    def remove_reads(self, tx: Tx, reads: Sequence[tuple[int, int, int]]) -> None:
        """Take back reads that turned out to be otherwise."""
        tx.run_each(
            "DELETE FROM dataset_read WHERE series = :series AND at = :at AND run = :run",
            [{"series": s, "at": at, "run": run} for s, at, run in sorted(set(reads))],
        )

    def ask_touched(self, tx: Tx, writes: Sequence[tuple[int, int]]) -> Asked[set[int]]:
        """The runs whose reads may find another version once something was written there: series, time."""
        wanted = sorted(set(writes))
        if not wanted:
            return set
        if tx.engine == "sqlite":
            last: dict[int, int] = dict(
                tx.rows(
                    "SELECT i.item, (SELECT max(r.at) FROM dataset_read r WHERE r.series = i.item) "
                    f"FROM ({each(tx, 'series')}) i",
                    series=list({series for series, _ in wanted}),
                )
            )
            sql = _TOUCHED.format(series=":series", at=":at")
            found = {
                run
                for series, at in wanted
                if last[series] is not None and last[series] >= at
                for (run,) in tx.rows(sql, series=series, at=at)
            }
            return lambda: found
        inner = _TOUCHED.format(series="q.series", at="q.at")
        rows = tx.ask(
            "SELECT DISTINCT t.run FROM unnest(CAST(:series AS bigint[]), CAST(:at AS bigint[])) AS q (series, at) "
            f"CROSS JOIN LATERAL ({inner}) t",
            series=[series for series, _ in wanted],
            at=[at for _, at in wanted],
        )
        return lambda: {run for (run,) in rows()}

    def ask_newest(
        self, tx: Tx, reads: Sequence[tuple[int, int, int]]
    ) -> Asked[dict[tuple[int, int, int], int]]:
        """For reads (series, time, run): the version that the newest write by another run until then completed."""
        wanted = sorted(set(reads))
        if not wanted:
            return dict
        if tx.engine == "sqlite":
            sql = "SELECT (" + _NEWEST.format(series="?1", at="?2", run="?3") + ")"
            found = {
                key: node
                for key, (node,) in zip(wanted, tx.rows_each(sql, wanted), strict=True)
                if node is not None
            }
            return lambda: found
        inner = _NEWEST.format(series="q.series", at="q.at", run="q.run")
        rows = tx.ask(
            "SELECT q.series, q.at, q.run, t.node FROM unnest(CAST(:series AS bigint[]), CAST(:at AS bigint[]), "
            f"CAST(:run AS bigint[])) AS q (series, at, run) CROSS JOIN LATERAL ({inner}) t",
            series=[key[0] for key in wanted],
            at=[key[1] for key in wanted],
            run=[key[2] for key in wanted],
        )
        return lambda: {(series, at, run): node for series, at, run, node in rows()}
