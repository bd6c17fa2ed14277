"""Searching runs: a filter of this protocol becomes conditions of the store, an order its ordering keys."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from lineal.core.errors import LinealError
from lineal.doors.mlflow import experiments, filters, limits, runs, shown, tracking
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.filters import Compare, Expression
from lineal.doors.mlflow.wire import (
    ANY,
    TEXTS,
    Field,
    Message,
    Verb,
    integer,
    offset_of,
    page_size,
    text,
    token_of,
)
from lineal.service import references
from lineal.service.operations import Scope
from lineal.store.conditions import Condition, Every, Order, Some, Term, Without

VIEWS = ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")  # numbered from 1 on the wire
_USUAL, _MOST = 1000, 50_000
_NUMERIC = frozenset({"=", "!=", ">", ">=", "<", "<="})
_TEXTUAL = frozenset({"=", "!=", "LIKE", "ILIKE"})
_LISTED = _TEXTUAL | {"IN", "NOT IN"}
_NULLS = frozenset({"IS NULL", "IS NOT NULL"})

METRIC, PARAM, TAG, ATTRIBUTE, DATASET, LINEAGE = (
    "metric",
    "parameter",
    "tag",
    "attribute",
    "dataset",
    "lineage",
)
_ENTITIES = {
    **dict.fromkeys(("metric", "metrics"), METRIC),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), PARAM),
    **dict.fromkeys(("tag", "tags"), TAG),
    **dict.fromkeys(("", "attr", "attribute", "attributes", "run"), ATTRIBUTE),
    **dict.fromkeys(("dataset", "datasets"), DATASET),
    "lineage": LINEAGE,
}
_ALIASES = {
    "created": "start_time",
    "Created": "start_time",
    "run name": "run_name",
    "Run name": "run_name",
    "Run Name": "run_name",
}
_ATTRIBUTES = ("artifact_uri", "end_time", "run_id", "run_name", "start_time", "status", "user_id")
_DATASETS = {"name": "input.name", "digest": "input.digest", "context": "input.role"}
_LINEAGE = {
    "input": "input.name",
    "input_digest": "input.digest",
    "output": "output.name",
    "output_digest": "output.digest",
}
_NEAR = ("upstream", "downstream")
_SPREAD = 20_000  # most vertices that a lineage term looks at
_URI = re.compile(r"(.*)/([^/]+)/artifacts", re.DOTALL)


# ---- conditions ----------------------------------------------------------------------------------------------------------


def condition(scope: Scope, expression: Expression) -> Condition:
    """An expression in the store's terms. Raises MlflowError: it names what runs do not have, or compares it impossibly."""
    if isinstance(expression, Compare):
        return _comparison(scope, expression)
    if isinstance(expression, filters.Not):
        return Without(condition(scope, expression.part))
    parts = tuple(condition(scope, part) for part in expression.parts)
    return Every(parts) if isinstance(expression, filters.And) else Some(parts)


def _comparison(scope: Scope, said: Compare) -> Condition:
    entity = _ENTITIES.get(said.entity)
    if entity is None:
        raise invalid(
            f"Invalid entity type '{said.entity[:100]}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', "
            "'dataset', 'lineage']"
        )
    if entity == METRIC:
        return _metric(said)
    if entity in {PARAM, TAG}:
        _need_op(said, _LISTED | _NULLS)
        return Term(f"{'params' if entity == PARAM else 'tags'}.{said.key}", said.op, _texts(said, entity))
    if entity == DATASET:
        if said.key not in _DATASETS:
            raise invalid(
                f"Invalid dataset key '{said.key[:100]}' specified. Valid keys are {sorted(_DATASETS)}"
            )
        _need_op(said, _LISTED)
        return Term(_DATASETS[said.key], said.op, _texts(said, "dataset attributes"))
    if entity == LINEAGE:
        return _lineage(scope, said)
    return _attribute(said)


def _metric(said: Compare) -> Condition:
    _need_op(said, _NUMERIC | _NULLS)
    if said.op in _NULLS:
        return Term(f"metrics.{said.key}", said.op)
    if said.quoted or isinstance(said.value, str | tuple) or said.value is None:
        raise invalid(f"Expected numeric value type for metric. Found {said.value!r:.100}")
    return Term(f"metrics.{said.key}", said.op, float(said.value))


def _attribute(said: Compare) -> Condition:
    key = _ALIASES.get(said.key, said.key)
    if key not in _ATTRIBUTES:
        raise invalid(
            f"Invalid attribute key '{said.key[:100]}' specified. Valid keys are {[*_ATTRIBUTES, *_ALIASES]}"
        )
    if key in {"start_time", "end_time"}:
        return _time(said, "started_at" if key == "start_time" else "ended_at")
    _need_op(said, _LISTED)
    value = _texts(said, "attributes")
    if key == "status":
        return _status(said)
    if key == "artifact_uri":
        return _artifact_uri(said)
    return Term({"run_name": f"tags.{runs.NAME}", "user_id": "actor"}.get(key, key), said.op, value)


def _time(said: Compare, field: str) -> Condition:
    """A time in milliseconds, where the record has microseconds: a millisecond is the thousand from its beginning."""
    _need_op(said, _NUMERIC)
    if said.quoted or not isinstance(said.value, int | float):
        raise invalid(
            f"Expected numeric value type for numeric attribute: {said.key}. Found {said.value!r:.100}"
        )
    number = said.value
    if not float(number).is_integer():
        # Nothing equals a fraction; the other comparisons decide alike for the whole number beside it.
        if said.op in {"=", "!="}:
            return Term(field, said.op, 0.5)
        number = math.floor(number) if said.op in {"<=", ">"} else math.ceil(number)
    first = max(-limits.LATEST_MS, min(limits.LATEST_MS, int(number))) * 1000
    if said.op in {"=", "!="}:
        inside = Every((Term(field, ">=", float(first)), Term(field, "<", float(first + 1000))))
        return inside if said.op == "=" else Some((Term(field, "<", first), Term(field, ">=", first + 1000)))
    edges = {"<": ("<", first), ">=": (">=", first), ">": (">=", first + 1000), "<=": ("<", first + 1000)}
    op, edge = edges[said.op]
    return Term(field, op, float(edge))


def _status(said: Compare) -> Condition:
    """Statuses are states of the record; a run that was lost failed, one that is scheduled has a tag that says so."""
    chosen = [status for status in runs.STATUSES if filters.holds(status, said.op, said.value)]
    states = tuple(
        state
        for state in ("finished", "failed", "killed", "lost")
        if ("FAILED" if state == "lost" else state.upper()) in chosen
    )
    parts: list[Condition] = [Term("state", "IN", states)] if states else []
    waiting = Term(f"tags.{runs.SCHEDULED}", "IS NOT NULL")
    running = Term("state", "=", "running")
    if "RUNNING" in chosen:
        parts.append(running if "SCHEDULED" in chosen else Every((running, Without(waiting))))
    elif "SCHEDULED" in chosen:
        parts.append(Every((running, waiting)))
    return parts[0] if len(parts) == 1 else Some(tuple(parts))


def _artifact_uri(said: Compare) -> Condition:
    """Where a run's files are follows from its id."""
    if said.op not in {"=", "!=", "IN", "NOT IN"}:
        raise invalid(f"Invalid comparator '{said.op}' for artifact_uri: it is one of =, !=, IN and NOT IN")
    wanted = said.value if isinstance(said.value, tuple) else (str(said.value),)
    ids = tuple(match[2] for uri in wanted if (match := _URI.fullmatch(uri)))
    inside: Condition = Term("run_id", "IN", ids) if ids else Some(())
    return inside if said.op in {"=", "IN"} else Without(inside)


def _lineage(scope: Scope, said: Compare) -> Condition:
    """What Lineal adds: runs by what they read or wrote, or that lie upstream or downstream of something."""
    if said.key in _LINEAGE:
        _need_op(said, _LISTED)
        return Term(_LINEAGE[said.key], said.op, _texts(said, "lineage"))
    if said.key not in _NEAR or said.op not in {"=", "!="} or not isinstance(said.value, str):
        raise invalid(
            f"Invalid lineage term '{said}'. Valid ones are lineage.{', lineage.'.join(_LINEAGE)} compared with text, "
            "and lineage.upstream or lineage.downstream = 'a run, a version or name@alias'"
        )
    try:
        start = references.find(scope, said.value).node
    except LinealError as error:
        raise invalid(f"Invalid lineage term '{said}': {error.message}") from None
    walk = scope.store.edges.upstream if said.key == "upstream" else scope.store.edges.downstream
    edges, _ = walk(scope.tx, start, depth=1000, budget=_SPREAD)
    reached = sorted({node for edge in edges for node in (edge.src, edge.dst)} - {start})
    ids = tuple(run.run_id for run in scope.store.runs.get_runs(scope.tx, reached).values())
    inside: Condition = Term("run_id", "IN", ids) if ids else Some(())
    return inside if said.op == "=" else Without(inside)


def _need_op(said: Compare, known: frozenset[str]) -> None:
    if said.op not in known:
        raise invalid(
            f"Invalid comparator '{said.op}' for '{said.key[:100]}': it is not one of {sorted(known)}"
        )


def _texts(said: Compare, what: str) -> str | tuple[str, ...]:
    if said.op in _NULLS:
        return ""
    if isinstance(said.value, tuple) or (said.quoted and isinstance(said.value, str)):
        return said.value
    raise invalid(
        f"Expected a quoted string value for {what} (e.g. 'my-value'). Got value {said.value!r:.100}"
    )


# ---- orders --------------------------------------------------------------------------------------------------------------


def orders(given: list[str]) -> list[Order]:
    """The ordering keys: those given, then the latest start, then the run's id. Raises MlflowError."""
    found = [_order(filters.parse_order(entry)) for entry in given]
    fields = [order.field for order in found]
    if len(set(fields)) < len(fields):
        raise invalid(f"`order_by` contains duplicate fields: {given!r:.500}")
    if "started_at" not in fields:
        found.append(Order("started_at"))
    if "run_id" not in fields:
        found.append(Order("run_id", descending=False))
    return found


def _order(key: filters.Key) -> Order:
    entity = _ENTITIES.get(key.entity)
    if entity == METRIC:
        return Order(f"metrics.{key.key}", key.descending)
    if entity in {PARAM, TAG}:
        return Order(f"{'params' if entity == PARAM else 'tags'}.{key.key}", key.descending, as_text=True)
    name = _ALIASES.get(key.key, key.key)
    fields: dict[str, Callable[[], Order]] = {
        "start_time": lambda: Order("started_at", key.descending),
        "end_time": lambda: Order("ended_at", key.descending),
        "status": lambda: Order("state", key.descending),
        "run_id": lambda: Order("run_id", key.descending),
        "artifact_uri": lambda: Order("run_id", key.descending),
        "user_id": lambda: Order("actor", key.descending),
        "run_name": lambda: Order(f"tags.{runs.NAME}", key.descending, as_text=True),
    }
    if entity != ATTRIBUTE or name not in fields:
        raise invalid(
            f"Invalid order_by entity '{key.entity[:100]}.{key.key[:100]}'. Valid ones are metrics.KEY, params.KEY, "
            f"tags.KEY and the attributes {sorted(fields)}"
        )
    return fields[name]()


# ---- the verb ------------------------------------------------------------------------------------------------------------


def search_runs(scope: Scope, message: Message) -> Message:
    """Runs of experiments that fulfil a filter, in order, a page of them."""
    size = page_size(message, _USUAL, _MOST)
    offset = offset_of(message.get("page_token"))
    numbers = dict.fromkeys(experiments.number_of(id) for id in message.get("experiment_ids", []))
    expression = filters.parse(message.get("filter", ""))
    wanted = orders(message.get("order_by", []))
    view = view_of(message.get("run_view_type"))
    terms: list[Condition] = [_members(scope, list(numbers))]
    if expression is not None:
        terms.append(condition(scope, expression))
    if not any(said.key == tracking.UNCLAIMED for said in filters.comparisons(expression)):
        terms.append(Term(f"tags.{tracking.UNCLAIMED}", "IS NULL"))
    nodes = scope.store.search.search_runs(
        scope.tx,
        terms,
        order=wanted,
        limit=size + 1,
        offset=offset,
        include_deleted=view == "ALL",
        only_deleted=view == "DELETED_ONLY",
    )
    said: Message = {"runs": shown.shown(scope, nodes[:size])}
    if len(nodes) > size:
        said["next_page_token"] = token_of(offset + size)
    return said


def _members(scope: Scope, numbers: list[int]) -> Condition:
    """The runs in these experiments; unknown ones have none."""
    groups: list[int] = []
    for number in numbers:
        record = scope.store.records.find_by_number(scope.tx, experiments.DOOR, experiments.KIND, number)
        if record is not None:
            groups.append(experiments.of(record).body.group)
    return Term("group_id", "IN", tuple(groups))


def view_of(value: object) -> str:
    """Which runs or experiments are wanted, from the name or number of a view. Raises MlflowError."""
    if value is None or value == "":
        return VIEWS[0]
    if isinstance(value, str) and value.isdecimal() and len(value) == 1:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(VIEWS):
        return VIEWS[value - 1]
    if isinstance(value, str) and value in VIEWS:
        return value
    raise invalid(
        f"Invalid value {value!r:.100} for parameter 'view_type' supplied: it is one of {', '.join(VIEWS)}"
    )


ROUTES = [
    Verb(
        "POST",
        "/runs/search",
        search_runs,
        {
            "experiment_ids": Field(TEXTS),
            "filter": text(),
            "run_view_type": Field(ANY),
            "max_results": integer(),
            "order_by": Field(TEXTS),
            "page_token": text(),
        },
    ),
]
