"""Runs: list and search them, and read their metrics."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import msgspec

from lineal.core.errors import Invalid
from lineal.core.events import State
from lineal.core.model import MetricSummary, RunRecord
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.store.base import Order, Term

Number = float | str  # JSON has no NaN and no infinities: they are written as text

_TERM = re.compile(
    r"""\s*(?P<field>(?:metrics|params|tags)\.(?:"[^"]+"|`[^`]+`|[^\s=!<>"`]+)|[a-z_]+)
        \s*(?P<op><=|>=|!=|=|<|>|\bLIKE\b)
        \s*(?P<value>'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\s'"]+)\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_MOST = 1_000_000  # runs that are looked through for one answer
_FIELDS = frozenset({"job", "name", "state", "kind", "actor", "started_at", "ended_at", "group"})


class RunsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """where: comparisons joined by AND, as `metrics.auc > 0.9 AND params.lr = '0.1' AND state = finished`.

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


@operation("runs", permission="record:read", path="/runs", summary="List and search runs")
def list_runs(scope: Scope, request: RunsRequest) -> RunList:
    """Runs that fulfil every comparison, newest first unless ordered otherwise.

    Raises Invalid: the filter or order cannot be read.
    """
    if not 1 <= request.limit <= 100_000:
        raise Invalid(f"a limit of {request.limit}", hint="between 1 and 100000")
    if not 0 <= request.offset <= _MOST:
        raise Invalid(f"an offset of {request.offset}", hint=f"between 0 and {_MOST}")
    terms, order = parse_where(request.where), parse_order(request.order)
    if request.counted:
        every = scope.store.search.search_runs(scope.tx, terms, order=order, limit=_MOST)
        nodes, total = every[request.offset : request.offset + request.limit + 1], len(every)
    else:
        search = scope.store.search.search_runs
        nodes = search(scope.tx, terms, order=order, limit=request.limit + 1, offset=request.offset)
        total = None
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
        value=[number(v) for v in value.tolist()],
    )


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


def parse_where(text: str) -> list[Term]:
    """The comparisons of a filter.

    Raises Invalid: at the place where it could not be read on.
    """
    terms: list[Term] = []
    position = 0
    while position < len(text.rstrip()):
        found = _TERM.match(text, position)
        if not found:
            raise Invalid(
                f"the filter cannot be read from here: {text[position:][:60]!r}",
                hint="write comparisons joined by AND: metrics.auc > 0.9 AND params.lr = '0.1' AND state = finished",
            )
        terms.append(_term(found["field"], found["op"].upper(), found["value"]))
        position = found.end()
        if position < len(text):
            joint = re.compile(r"AND\s+", re.IGNORECASE).match(text, position)
            if not joint:
                raise Invalid(
                    f"after {found[0].strip()!r} comes {text[position:][:40]!r}",
                    hint="join comparisons by AND",
                )
            position = joint.end()
            if position >= len(text.rstrip()):
                raise Invalid(
                    "the filter ends with AND", hint="write another comparison behind it, or leave AND out"
                )
    return terms


def _term(field: str, op: str, raw: str) -> Term:
    group, dot, key = field.partition(".")
    key = key.strip('"`')
    field = f"{group}.{key}" if dot else field
    if not dot and field not in _FIELDS:
        raise Invalid(
            f"{field!r} is not a field of a run",
            hint=f"fields: metrics.KEY, params.KEY, tags.KEY, {', '.join(sorted(_FIELDS))}",
        )
    quoted = raw[0] in "'\""
    value: str | float = raw[1:-1].replace(raw[0] * 2, raw[0]) if quoted else raw
    if field in ("started_at", "ended_at"):
        value = _moment(field, str(value))
    elif field == "state" and op in ("=", "!=") and value not in set(State):
        raise Invalid(f"{raw} is no state of a run", hint=f"one of {', '.join(State)}")
    elif group == "metrics":
        try:
            value = float(value)
        except ValueError:
            raise Invalid(
                f"{field} is compared with a number, not {raw}", hint=f"for example: {field} > 0.5"
            ) from None
    elif not quoted and group == "params" and op in ("<", "<=", ">", ">=", "=", "!="):
        try:
            value = float(raw)
        except ValueError:
            value = raw
    return Term(field, op, value)


def _moment(field: str, text: str) -> float:
    """A time in a filter as UTC microseconds: written so, or as ISO 8601, where one without a zone is UTC."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            f"{field} is compared with a time, not {text!r}",
            hint=f"for example: {field} > '2025-11-23' or {field} > '2025-11-23T14:30' (UTC), or UTC microseconds",
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return float((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def parse_order(text: str) -> Order:
    """The order that `text` asks for: `FIELD`, `FIELD asc` or `FIELD desc`; empty: newest first."""
    if not text.strip():
        return Order()
    field, _, direction = text.strip().rpartition(" ")
    if not field:
        field, direction = direction, ""
    if direction.lower() not in ("", "asc", "desc"):
        field, direction = text.strip(), ""
    group, dot, key = field.partition(".")
    if (dot and group not in ("metrics", "params", "tags")) or (not dot and field not in _FIELDS):
        raise Invalid(
            f"runs cannot be ordered by {field!r}",
            hint=f"by metrics.KEY, params.KEY, tags.KEY, {', '.join(sorted(_FIELDS))}",
        )
    field = f"{group}.{key.strip(chr(34) + '`')}" if dot else field
    return Order(field, direction.lower() != "asc")
