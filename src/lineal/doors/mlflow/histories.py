"""Reading metrics back: a metric's history in pages, of several runs at once, and samples of it for charts.

numpy is imported where a history is read: a server that nobody asks for one needs none.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.doors.mlflow import runs
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
    """Every point of a metric, or a page of them, by time."""
    limit = page_size(message, 1, 2**31) if "max_results" in message else None
    offset = offset_of(message.get("page_token"))
    known = runs.find(scope, message["run_id"])
    found, count = history(scope, known.node, message["metric_key"], offset=offset, limit=limit)
    end = offset + len(found)
    return _History(found, token_of(end) if end < count else "")


def get_history_bulk(scope: Scope, message: Message) -> Message:
    """Points of one metric of several runs: by run, then time."""
    wanted = message.get("run_id", [])
    if not 1 <= len(wanted) <= _MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulk request must specify at least one run_id and cannot specify more than {_MOST_RUNS}. "
            f"Received {len(wanted)} run_ids."
        )
    if "metric_key" not in message:
        raise invalid("GetMetricHistoryBulk request must specify a metric_key.")
    left = min(page_size(message, _MOST_BULK, 2**31), _MOST_BULK)
    metrics: list[Any] = []
    for run_id in sorted(set(wanted)):
        known = runs.find(scope, run_id)
        found, _ = history(scope, known.node, message["metric_key"], limit=left - len(metrics))
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
    found = [runs.find(scope, run_id) for run_id in wanted]
    return {
        "metrics": [p for known in found for p in sample(scope, known, message["metric_key"], most, bounds)]
    }


def history(
    scope: Scope, node: int, key: str, *, offset: int = 0, limit: int | None = None
) -> tuple[list[Shown], int]:
    """Points of a metric by time, then step, then value, from `offset`; and how many there are in all."""
    import numpy as np

    step, at, value = scope.store.metrics.get_points(scope.tx, node, key)
    order = np.lexsort((value, step, at))
    part = order[offset : len(order) if limit is None else offset + limit]
    return list(map(Shown, [key] * len(part), *_columns(step[part], at[part], value[part]))), len(order)


def sample(
    scope: Scope, known: runs.Known, key: str, most: int, bounds: tuple[int, int] | None
) -> list[ShownOfRun]:
    """At most so many points of a metric, spread evenly by their number over all that lie between two steps, the first and
    the last among them; by step, then time, then value."""
    import numpy as np

    step, at, value = scope.store.metrics.get_points(scope.tx, known.node, key)
    if bounds is not None:
        inside = (step >= bounds[0]) & (step <= bounds[1])
        step, at, value = step[inside], at[inside], value[inside]
    order = np.lexsort((value, at, step))
    count = len(order)
    if count > most:
        # The first of each of `most` stretches of equal length (the earlier ones longer by one), as SQL's ntile cuts them.
        size, longer = divmod(count, most)
        stretch = np.arange(most)
        chosen = stretch * size + np.minimum(stretch, longer)
        chosen[-1] = count - 1
        order = order[chosen]
    columns = _columns(step[order], at[order], value[order])
    return [ShownOfRun(key, v, t, s, known.run_id) for v, t, s in zip(*columns, strict=True)]


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
