"""Runs counted by what they have in common, with what a metric did among them."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from lineal.core.errors import Invalid
from lineal.store.base import RunGroupRow
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.tx import Tx
from lineal.store.words import find_field, get_words

COLUMNS = ("job", "name", "state", "kind", "actor")
_KEYED = {"params": "params", "tags": "tags"}
_FEW = 12  # different values of a metric that are a group each; more are put into stretches
_STRETCHES = 8  # about so many
_MOST = sys.float_info.max
_NAN, _LESS, _MORE = -1, -2, -3  # the stretches of what is no number, and of the infinities


class _Stretch(NamedTuple):
    """Values of a metric from `low` on and below `high`, or the one value that both are; what is no such value has a name only."""

    name: str
    low: float | None = None
    high: float | None = None


class _Key(NamedTuple):
    """What runs are grouped by. value: as SQL; joins: what must be joined for it; words: it is the number of a word; stretches: it is
    the number of one of these."""

    value: str
    joins: str = ""
    words: bool = False
    stretches: dict[int, _Stretch] | None = None


class Grouping:
    """GroupingStore."""

    def count_runs(
        self, tx: Tx, nodes: Sequence[int], *, by: str, metric: str, limit: int
    ) -> list[RunGroupRow]:
        """The groups of these runs by the value of a field, the largest first, ties by value; at most `limit`.

        Args:
            by: job, name, state, kind, actor, group, `params.KEY`, `tags.KEY` or `metrics.KEY`. A run in several groups counts in
                each. Last values of a metric are grouped by stretches where there are many different ones.
            metric: its last values are summed up where they are numbers; empty: none.

        Raises Invalid: runs have no such field. O(runs), in the database.
        """
        values: dict[str, Any] = {"nodes": list(nodes), "limit": limit}
        by_what = self._key(tx, by, values)
        key, stretches = by_what.value, by_what.stretches or {}
        values["metric"] = (find_field(tx, "metrics", metric) if metric else None) or 0
        rows = tx.rows(
            f"SELECT {key} AS value, count(*), sum(CASE WHEN r.state = 'running' THEN 1 ELSE 0 END), "
            "sum(CASE WHEN r.state IN ('failed', 'killed', 'lost') THEN 1 ELSE 0 END), max(r.started_at), "
            "count(m.last), avg(m.last), min(m.last), max(m.last) "
            f"FROM ({each(tx, 'nodes')}) k JOIN run r ON r.node = k.item {by_what.joins} "
            "LEFT JOIN metric m ON m.node = r.node AND m.field = :metric "
            f"GROUP BY {key} ORDER BY count(*) DESC, max(r.started_at) DESC, {key} LIMIT :limit",
            **values,
        )
        texts = get_words(tx, {row[0] for row in rows if row[0] is not None}) if by_what.words else {}

        def named(value: Any) -> str | None:
            if value is None:
                return None
            return texts[value] if by_what.words else stretches[value].name if stretches else str(value)

        return [
            RunGroupRow(
                value=named(value),
                runs=runs,
                running=running,
                failed=failed,
                last_at=last,
                numbers=numbers,
                mean=mean,
                minimum=low,
                maximum=high,
                low=stretches[value].low if value in stretches else None,
                high=stretches[value].high if value in stretches else None,
            )
            for value, runs, running, failed, last, numbers, mean, low, high in rows
        ]

    @staticmethod
    def _key(tx: Tx, by: str, values: dict[str, Any]) -> _Key:
        """What to group by. Values that its SQL needs are added. Raises Invalid."""
        scope, dot, key = by.partition(".")
        if dot and scope in _KEYED and key:
            values["field"] = find_field(tx, _KEYED[scope], key) or 0  # type: ignore[arg-type]
            attribute = f"LEFT JOIN attribute a ON a.node = r.node AND a.field = :field AND a.{STANDS}"
            return _Key("a.text", attribute, words=True)
        if dot and scope == "metrics" and key:
            values["field"] = find_field(tx, "metrics", key) or 0
            return _by_metric(tx, values)
        if by == "job":
            return _Key("j.name", "JOIN job j ON j.id = r.job", words=True)
        if by == "group":
            joins = (
                f"LEFT JOIN collection_member c ON c.node = r.node AND c.{STANDS} "
                "LEFT JOIN collection g ON g.id = c.collection"
            )
            return _Key("g.name", joins, words=True)
        if by in COLUMNS:
            return _Key(f"r.{by}", words=by != "state")
        raise Invalid(
            f"runs cannot be grouped by {by[:100]!r}",
            hint=f"by params.KEY, tags.KEY, metrics.KEY, group, {', '.join(COLUMNS)}",
        )


def _by_metric(tx: Tx, values: dict[str, Any]) -> _Key:
    """The stretch of a metric's last value. The bounds are compared as they are told, so that a filter by them finds the same runs."""
    among = f"({each(tx, 'nodes')}) k JOIN metric x ON x.node = k.item AND x.field = :field"
    values |= {"least": -_MOST, "most": _MOST}
    known = {name: values[name] for name in ("nodes", "field", "least", "most")}
    few = tx.rows(
        f"SELECT DISTINCT x.last FROM {among} WHERE x.last BETWEEN :least AND :most ORDER BY x.last LIMIT {_FEW + 1}",
        **known,
    )
    stretches = {_NAN: _Stretch("NaN"), _LESS: _Stretch("-Infinity"), _MORE: _Stretch("Infinity")}
    if len(few) <= _FEW:
        stretches |= {n: _Stretch(f"{value:.12g}", value, value) for n, (value,) in enumerate(few)}
        test = "="
    else:
        low, high = tx.rows(
            f"SELECT min(x.last), max(x.last) FROM {among} WHERE x.last BETWEEN :least AND :most", **known
        )[0]
        pairs = enumerate(itertools.pairwise(bounds(low, high)))
        stretches |= {n: _Stretch(f"{a:.12g} – {b:.12g}", a, b) for n, (a, b) in pairs}
        test = "<"
    values |= {f"at{n}": stretch.high for n, stretch in stretches.items() if n >= 0}
    tests = " ".join(f"WHEN x.last {test} :at{n} THEN {n}" for n in stretches if n >= 0)
    ends = (
        f"WHEN x.node IS NULL THEN NULL WHEN x.last IS NULL THEN {_NAN} "
        f"WHEN x.last < :least THEN {_LESS} WHEN x.last > :most THEN {_MORE}"
    )
    joins = "LEFT JOIN metric x ON x.node = r.node AND x.field = :field"
    return _Key(f"CASE {ends} {tests} END", joins, stretches=stretches)


def bounds(low: float, high: float) -> list[float]:
    """Round numbers in order, the first not above `low`, the last above `high`, with about `_STRETCHES` stretches between them."""
    rough = high / _STRETCHES - low / _STRETCHES
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next((power * k for k in (1, 2, 5) if power * k >= rough), power * 10)
    digits = max(0, -math.floor(math.log10(step))) if step > 0 else 0
    if step > 0 and abs(low) / step < 1e12 and abs(high) / step < 1e12 and digits < 300:
        first = math.floor(low / step)
        found = [round((first + n) * step, digits) for n in range(2 * _STRETCHES + 3)]
        found = found[: next((n for n, bound in enumerate(found) if bound > high), len(found)) + 1]
        if found[0] <= low and high < found[-1] < math.inf and len(set(found)) == len(found):
            return found
    # Too near each other, or too large, for round numbers.
    found = sorted({low + (high / _STRETCHES - low / _STRETCHES) * n for n in range(_STRETCHES)})
    return [*(bound for bound in found if bound <= high), math.nextafter(high, math.inf)]
