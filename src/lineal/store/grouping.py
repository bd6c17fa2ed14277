"""Runs counted by what they have in common, with what a metric did among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lineal.core.errors import Invalid
from lineal.store.base import RunGroupRow
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.tx import Tx
from lineal.store.words import find_field, get_words

COLUMNS = ("job", "name", "state", "kind", "actor")
_KEYED = {"params": "params", "tags": "tags"}


class Grouping:
    """GroupingStore."""

    def count_runs(
        self, tx: Tx, nodes: Sequence[int], *, by: str, metric: str, limit: int
    ) -> list[RunGroupRow]:
        """The groups of these runs by the value of a field, the largest first, ties by value; at most `limit`.

        Args:
            by: job, name, state, kind, actor, group, `params.KEY` or `tags.KEY`. A run in several groups counts in each.
            metric: its last values are summed up where they are numbers; empty: none.

        Raises Invalid: runs have no such field. O(runs), in the database.
        """
        values: dict[str, Any] = {"nodes": list(nodes), "limit": limit}
        key, joins, words = self._key(tx, by, values)
        values["metric"] = (find_field(tx, "metrics", metric) if metric else None) or 0
        rows = tx.rows(
            f"SELECT {key} AS value, count(*), sum(CASE WHEN r.state = 'running' THEN 1 ELSE 0 END), "
            "sum(CASE WHEN r.state IN ('failed', 'killed', 'lost') THEN 1 ELSE 0 END), max(r.started_at), "
            "count(m.last), avg(m.last), min(m.last), max(m.last) "
            f"FROM ({each(tx, 'nodes')}) k JOIN run r ON r.node = k.item {joins} "
            "LEFT JOIN metric m ON m.node = r.node AND m.field = :metric "
            f"GROUP BY {key} ORDER BY count(*) DESC, max(r.started_at) DESC, {key} LIMIT :limit",
            **values,
        )
        texts = get_words(tx, {row[0] for row in rows if row[0] is not None}) if words else {}
        return [
            RunGroupRow(
                value=None if value is None else texts[value] if words else str(value),
                runs=runs,
                running=running,
                failed=failed,
                last_at=last,
                numbers=numbers,
                mean=mean,
                minimum=low,
                maximum=high,
            )
            for value, runs, running, failed, last, numbers, mean, low, high in rows
        ]

    @staticmethod
    def _key(tx: Tx, by: str, values: dict[str, Any]) -> tuple[str, str, bool]:
        """(the value as SQL, what must be joined for it, whether it is the number of a word)."""
        scope, dot, key = by.partition(".")
        if dot and scope in _KEYED and key:
            values["field"] = find_field(tx, _KEYED[scope], key) or 0  # type: ignore[arg-type]
            return (
                "a.text",
                f"LEFT JOIN attribute a ON a.node = r.node AND a.field = :field AND a.{STANDS}",
                True,
            )
        if by == "job":
            return "j.name", "JOIN job j ON j.id = r.job", True
        if by == "group":
            joins = (
                f"LEFT JOIN collection_member c ON c.node = r.node AND c.{STANDS} "
                "LEFT JOIN collection g ON g.id = c.collection"
            )
            return "g.name", joins, True
        if by in COLUMNS:
            return f"r.{by}", "", by != "state"
        raise Invalid(
            f"runs cannot be grouped by {by[:100]!r}",
            hint=f"by params.KEY, tags.KEY, group, {', '.join(COLUMNS)}",
        )
