"""Runs: list and search them, and read their metrics."""

from __future__ import annotations

import functools
import math

import msgspec

from lineal.core.errors import Invalid
from lineal.core.model import MetricSummary, RunRecord
from lineal.core.openlineage_story import STATEMENT
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.query import RUNS, search

Number = float | str  # JSON has no NaN and no infinities: they are written as text

_MOST = 1_000_000  # runs that are looked through for one answer
_MOST_CHARTS = 400


class RunsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """where: a query, as `metrics.auc > 0.9 and params.lr = 0.1 and from dataset:raw`; docs/reference/query.md.

    order: a field, with `asc` or `desc` behind it (newest first by default). limit: 1 to 100,000; offset: how many to
    leave out before. counted: say also how many there are in all.
    """

    where: str = ""
    order: str = ""
    limit: int = 100
    offset: int = 0
    counted: bool = False


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list. Times in microseconds UTC; metrics: the last value of each."""

    run_id: str
    job: str
    name: str
    namespace: str
    kind: str
    state: str
    started_at: int
    ended_at: int | None
    actor: str
    parent: str | None
    exit_code: int | None
    metrics: dict[str, Number]
    params: dict[str, str]
    tags: dict[str, str]
    groups: list[str]


class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """Runs in the wanted order; cut: whether `limit` left some out; total: when it was asked for."""

    runs: list[RunSummary]
    cut: bool
    total: int | None = None


class MetricsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """points: 0 for every point as sent, else reduced to about that many for a chart."""

    run: str
    key: str
    points: int = 0


class MetricHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's points in order of step; at: microseconds UTC as sent (empty when reduced)."""

    run_id: str
    key: str
    step: list[int]
    at: list[int]
    value: list[Number]


class ChartsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """runs: references; keys: metrics, none for all. points: about so many of each, 10 to 5000."""

    runs: list[str]
    keys: list[str] = []
    points: int = 500


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    """By run, then metric; without times."""

    charts: list[MetricHistory]


@operation("runs", permission="record:read", path="/runs", summary="List and search runs")
def list_runs(scope: Scope, request: RunsRequest) -> RunList:
    """Runs that fulfil every comparison, newest first unless ordered otherwise.

    Raises Invalid: the filter or order cannot be read.
    """
    if not 1 <= request.limit <= 100_000:
        raise Invalid(f"a limit of {request.limit}", hint="between 1 and 100000")
    if not 0 <= request.offset <= _MOST:
        raise Invalid(f"an offset of {request.offset}", hint=f"between 0 and {_MOST}")
    # Single statements of a run, which some tools report as runs of their own, are listed by who asks for anything.
    where = request.where if request.where.strip() else f"kind != '{STATEMENT}'"
    asked = functools.partial(search, scope, RUNS, where, order=request.order)
    total: int | None = None
    if request.counted and request.where.strip():
        every, _ = asked(limit=_MOST)
        nodes, total = every[request.offset : request.offset + request.limit + 1], len(every)
    else:
        nodes, _ = asked(limit=request.limit + 1, offset=request.offset)
        if request.counted:
            states = scope.store.catalog.count_states(scope.tx)
            total = sum(count for (kind, _), count in states.items() if kind != STATEMENT)
    return RunList(runs=summaries(scope, nodes[: request.limit]), cut=len(nodes) > request.limit, total=total)


@operation("metrics", permission="record:read", path="/metrics", summary="Read a metric's history")
def metric_history(scope: Scope, request: MetricsRequest) -> MetricHistory:
    """Every point of one metric, or a chart's worth of them that keeps the extremes."""
    found = references.find(scope, request.run)
    if found.version is not None:
        raise Invalid(f"{request.run!r} is a version, and metrics belong to runs", hint="name a run: run:ID")
    node = found.node
    run = scope.store.runs.get_runs(scope.tx, [node])[node]
    if request.points:
        step, value = scope.store.metrics.get_chart(scope.tx, node, request.key, request.points)
        at: list[int] = []
    else:
        step, times, value = scope.store.metrics.get_points(scope.tx, node, request.key)
        at = times.tolist()
    return MetricHistory(
        run_id=run.run_id,
        key=request.key,
        step=step.tolist(),
        at=at,
        value=numbers(value.tolist()),
    )


@operation(
    "charts", permission="record:read", path="/charts", summary="Read several metrics for a page of charts"
)
def charts(scope: Scope, request: ChartsRequest) -> Charts:
    """A chart's worth of points of each wanted metric of each run; a run that lacks a metric has none.

    Raises Invalid: more than 400 charts, or `points` out of range.
    """
    if len(request.runs) * max(1, len(request.keys)) > _MOST_CHARTS or not 10 <= request.points <= 5000:
        raise Invalid(
            f"{len(request.runs)} runs, {len(request.keys)} metrics, {request.points} points",
            hint=f"at most {_MOST_CHARTS} charts of 10 to 5000 points",
        )
    found = []
    for ref in request.runs:
        node = references.find(scope, ref).node
        run = scope.store.runs.get_runs(scope.tx, [node]).get(node)
        known = [metric.key for metric in scope.store.metrics.get_summaries(scope.tx, [node]).get(node, [])]
        wanted = known[:_MOST_CHARTS] if not request.keys else [key for key in request.keys if key in known]
        for key in wanted if run is not None else ():
            step, value = scope.store.metrics.get_chart(scope.tx, node, key, request.points)
            found.append(
                MetricHistory(
                    run_id=run.run_id if run is not None else "",
                    key=key,
                    step=step.tolist(),
                    at=[],
                    value=numbers(value.tolist()),
                )
            )
    return Charts(charts=found)


def summaries(scope: Scope, nodes: list[int]) -> list[RunSummary]:
    """The runs as lists show them, in the given order."""
    store, tx = scope.store, scope.tx
    runs = store.runs.get_runs(tx, nodes)
    parents = store.runs.get_runs(tx, sorted({run.parent for run in runs.values() if run.parent is not None}))
    params = store.attributes.get_params(tx, nodes)
    tags = store.attributes.get_tags(tx, nodes)
    metrics = store.metrics.get_summaries(tx, nodes)
    groups: dict[int, list[str]] = {}
    for node, group in store.groups.list_groups_of(tx, nodes):
        groups.setdefault(node, []).append(group)
    return [
        _summary(
            runs[node],
            parents.get(runs[node].parent or 0),
            metrics.get(node, []),
            {p.key: p.value for p in params.get(node, [])},
            {t.key: t.value for t in tags.get(node, [])},
            groups.get(node, []),
        )
        for node in nodes
        if node in runs
    ]


def _summary(
    run: RunRecord,
    parent: RunRecord | None,
    metrics: list[MetricSummary],
    params: dict[str, str],
    tags: dict[str, str],
    groups: list[str],
) -> RunSummary:
    return RunSummary(
        run_id=run.run_id,
        job=run.job,
        name=run.name,
        namespace=run.namespace,
        kind=run.kind,
        state=str(run.state),
        started_at=run.started_at,
        ended_at=run.ended_at,
        actor=run.actor,
        parent=parent.run_id if parent else None,
        exit_code=run.exit_code,
        metrics={metric.key: number(metric.last) for metric in metrics},
        params=params,
        tags=tags,
        groups=groups,
    )


def number(value: float) -> Number:
    """The value as JSON can carry it: itself, or `NaN`, `Infinity`, `-Infinity` as text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def numbers(values: list[float]) -> list[Number]:
    """The values as JSON can carry them."""
    if all(map(math.isfinite, values)):
        return [*values]
    return [number(value) for value in values]
