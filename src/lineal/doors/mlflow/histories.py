"""Reading metrics back: a metric's history in pages, of several runs at once, and samples of it for charts.

numpy is imported where a history is read: a server that nobody asks for one needs none.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.wire import (
    TEXTS,
    Field,
    Message,
    Verb,
    integer,
    number_out,
    offset_of,
    page_size,
    text,
    token_of,
)
from lineal.service.operations import Scope

_MOST_AT_ONCE = 1_000_000  # points of one answer
_MOST_BULK = 25_000  # points of one answer for several runs
_MOST_RUNS = 100
_MOST_SAMPLED = 2500  # points of one run in a chart


class Shown(msgspec.Struct):
    """A point as the protocol writes it."""

    key: str
    value: float | str
    timestamp: int
    step: int


class ShownOfRun(Shown):
    """A point with the run it belongs to."""

    run_id: str


class _History(msgspec.Struct, omit_defaults=True):
    metrics: list[Shown]
    next_page_token: str = ""


def get_history(scope: Scope, message: Message) -> _History:
    """Every point of a metric, or a page of them, by time; of a million points and more a page always."""
    limit = min(page_size(message, _MOST_AT_ONCE, 2**31), _MOST_AT_ONCE)
    offset = offset_of(message.get("page_token"))
    found, count = history(scope, message["run_id"], message["metric_key"], offset=offset, limit=limit)
    end = offset + len(found)
    return _History(found, token_of(end) if end < count else "")


def get_history_bulk(scope: Scope, message: Message) -> Message:
    """Points of one metric of several runs: by run, then time."""
    wanted = message.get("run_id", [])
    if not wanted:
        raise invalid("GetMetricHistoryBulk request must specify at least one run_id.")
    if len(wanted) > _MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulk request cannot specify more than {_MOST_RUNS} run_ids. "
            f"Received {len(wanted)} run_ids."
        )
    if "metric_key" not in message:
        raise invalid("GetMetricHistoryBulk request must specify a metric_key.")
    left = min(page_size(message, _MOST_BULK, 2**31), _MOST_BULK)
    metrics: list[Any] = []
    for run_id in sorted(set(wanted)):
        found, _ = history(scope, run_id, message["metric_key"], limit=left - len(metrics))
        metrics += [ShownOfRun(p.key, p.value, p.timestamp, p.step, run_id) for p in found]
    return {"metrics": metrics}


def get_history_interval(scope: Scope, message: Message) -> Message:
    """Points of one metric of several runs for a chart: so many of each run, spread over all or between two steps."""
    wanted = message["run_ids"]
    if len(wanted) > _MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulkInterval request must specify at most {_MOST_RUNS} run_ids. "
            f"Received {len(wanted)} run_ids."
        )
    most = message.get("max_results", _MOST_SAMPLED)
    if not 1 <= most <= _MOST_SAMPLED:
        raise invalid(f"max_results must be between 1 and {_MOST_SAMPLED}.")
    start, end = message.get("start_step"), message.get("end_step")
    if (start is None) != (end is None):
        raise invalid("If either start step or end step are specified, both must be specified.")
    if start is not None and start > end:
        raise invalid(
            f"end_step must be greater than start_step. Found start_step={start} and end_step={end}."
        )
    bounds = None if start is None or end is None else (int(start), int(end))
    key = message["metric_key"]
    return {"metrics": [p for run_id in wanted for p in sample(scope, run_id, key, most, bounds)]}


def history(scope: Scope, run_id: str, key: str, *, offset: int = 0, limit: int) -> tuple[list[Shown], int]:
    """Points of a metric by time, then step, then value, from `offset`; and how many there are in all. None of a run that
    is not known, as the protocol has it."""
    step, at, value = scope.store.metrics.get_points(scope.tx, _node(scope, run_id), key)
    order = _order(at, step, value)
    part = order[offset : offset + limit]
    return list(map(Shown, [key] * len(part), *_columns(step[part], at[part], value[part]))), len(order)


def sample(
    scope: Scope, run_id: str, key: str, most: int, bounds: tuple[int, int] | None
) -> list[ShownOfRun]:
    """At most so many points of a metric, spread evenly by their number over all that lie between two steps, the first and
    the last among them; by step, then time, then value."""
    import numpy as np

    step, at, value = scope.store.metrics.get_points(scope.tx, _node(scope, run_id), key)
    if bounds is not None:
        inside = (step >= bounds[0]) & (step <= bounds[1])
        step, at, value = step[inside], at[inside], value[inside]
    order = _order(step, at, value)
    count = len(order)
    if count > most:
        # The first of each of `most` stretches of equal length (the earlier ones longer by one), as SQL's ntile cuts them.
        size, longer = divmod(count, most)
        stretch = np.arange(most)
        chosen = stretch * size + np.minimum(stretch, longer)
        chosen[-1] = count - 1
        order = order[chosen]
    columns = _columns(step[order], at[order], value[order])
    return [ShownOfRun(key, v, t, s, run_id) for v, t, s in zip(*columns, strict=True)]


def _order(first: Any, second: Any, third: Any) -> Any:
    """Positions in the order of three columns. Points mostly lie in it already; to see that costs a tenth of sorting them."""
    import numpy as np

    later = first[1:] > first[:-1]
    if (later | ((first[1:] == first[:-1]) & (second[1:] > second[:-1]))).all():
        return np.arange(len(first))
    return np.lexsort((third, second, first))


def _node(scope: Scope, run_id: str) -> int:
    return scope.store.runs.find_run(scope.tx, run_id) or 0


def _columns(step: Any, at: Any, value: Any) -> tuple[list[Any], list[int], list[int]]:
    """Values, milliseconds and steps as lists."""
    import numpy as np

    values = value.tolist()
    if not np.isfinite(value).all():
        values = [number_out(v) for v in values]
    return values, (at // 1000).tolist(), step.tolist()


_RUN = {"run_id": text(required=True)}
_KEY = {"metric_key": text(required=True)}
ROUTES = [
    Verb(
        "GET",
        "/metrics/get-history",
        get_history,
        {**_RUN, **_KEY, "page_token": text(), "max_results": integer()},
    ),
    Verb(
        "GET",
        "/metrics/get-history-bulk",
        get_history_bulk,
        {"run_id": Field(TEXTS), "metric_key": text(), "max_results": integer()},
    ),
    Verb(
        "GET",
        "/metrics/get-history-bulk-interval",
        get_history_interval,
        {
            "run_ids": Field(TEXTS, required=True),
            **_KEY,
            "start_step": integer(),
            "end_step": integer(),
            "max_results": integer(),
        },
    ),
]
