"""Searching experiments. There are few: they are read and compared one by one."""

from __future__ import annotations

from typing import Any

from lineal.doors.mlflow import experiments, filters
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.experiments import ACTIVE, Experiment
from lineal.doors.mlflow.filters import Compare, Expression
from lineal.doors.mlflow.search import view_of
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
from lineal.service.operations import Scope

_USUAL, _MOST = 1000, 50_000
_NUMERIC = ("creation_time", "last_update_time")
_ATTRIBUTES = ("name", "experiment_id", *_NUMERIC)
_OPS = {
    "name": ("=", "!=", "LIKE", "ILIKE"),
    "experiment_id": ("=", "!=", "IN", "NOT IN"),
    **dict.fromkeys(_NUMERIC, ("=", "!=", "<", "<=", ">", ">=")),
}
_TAG_OPS = ("=", "!=", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL")


def search(scope: Scope, message: Message) -> Message:
    """Experiments that fulfil a filter, in order, a page of them."""
    size = page_size(message, _USUAL, _MOST)
    offset = offset_of(message.get("page_token"))
    view = view_of(message.get("view_type"))
    expression = filters.parse(message.get("filter", ""))
    for said in filters.comparisons(expression):
        _check(said)
    keys = [_key(filters.parse_order(entry)) for entry in message.get("order_by", [])]
    if not keys:
        keys = [("creation_time", True), ("experiment_id", False)]
    if not any(name == "experiment_id" for name, _ in keys):
        keys.append(("experiment_id", True))
    found = [
        experiment
        for experiment in experiments.every(scope)
        if (view == "ALL" or (experiment.body.lifecycle == ACTIVE) == (view == "ACTIVE_ONLY"))
        and (expression is None or _fulfils(experiment, expression))
    ]
    for name, descending in reversed(keys):
        found.sort(key=lambda experiment, name=name: _value(experiment, name), reverse=descending)  # type: ignore[misc]
    said_: Message = {"experiments": [experiments.shown(e) for e in found[offset : offset + size]]}
    if len(found) > offset + size:
        said_["next_page_token"] = token_of(offset + size)
    return said_


def _check(said: Compare) -> None:
    """Raises MlflowError: experiments have no such thing, or it cannot be compared so."""
    if said.entity in {"tag", "tags"}:
        known: tuple[str, ...] = _TAG_OPS
    elif said.entity not in {"", "attribute", "attributes", "attr"}:
        raise invalid(
            f"Invalid entity type '{said.entity[:100]}'. Valid entity types are ('attribute', 'tag', 'tags')"
        )
    elif said.key not in _ATTRIBUTES:
        raise invalid(f"Invalid attribute key '{said.key[:100]}' specified. Valid keys are {_ATTRIBUTES}")
    else:
        known = _OPS[said.key]
    if said.op not in known:
        raise invalid(f"Invalid comparator for '{said.key[:100]}': {said.op}; it is one of {known}")
    if said.entity not in {"tag", "tags"} and said.key in _NUMERIC:
        if said.quoted or not isinstance(said.value, int):
            raise invalid(f"Invalid value for numeric attribute '{said.key}': {said.value!r:.100}")
    elif said.op not in {"IS NULL", "IS NOT NULL"} and isinstance(said.value, int | float):
        raise invalid(f"Expected a quoted string value for {said.key[:100]}. Got value {said.value!r:.100}")


def _key(key: filters.Key) -> tuple[str, bool]:
    if key.entity not in {"", "attribute", "attributes", "attr"} or key.key not in _ATTRIBUTES:
        raise invalid(f"Invalid order_by entity: '{key.key[:100]}'. Valid keys are {_ATTRIBUTES}")
    return key.key, key.descending


def _value(experiment: Experiment, name: str) -> Any:
    if name == "experiment_id":
        return experiment.number
    if name == "name":
        return experiment.name
    return experiment.body.created if name == "creation_time" else experiment.body.updated


def _fulfils(experiment: Experiment, expression: Expression) -> bool:
    if isinstance(expression, filters.Not):
        return not _fulfils(experiment, expression.part)
    if isinstance(expression, filters.And):
        return all(_fulfils(experiment, part) for part in expression.parts)
    if isinstance(expression, filters.Or):
        return any(_fulfils(experiment, part) for part in expression.parts)
    if expression.entity in {"tag", "tags"}:
        value: Any = experiment.body.tags.get(expression.key)
        if expression.op in {"IS NULL", "IS NOT NULL"}:
            return (value is None) == (expression.op == "IS NULL")
        return value is not None and filters.holds(value, expression.op, expression.value)
    value = _value(experiment, expression.key)
    if expression.key == "experiment_id":
        wanted = expression.value if isinstance(expression.value, tuple) else (str(expression.value),)
        return (value in map(experiments.number_of, wanted)) == (expression.op in {"=", "IN"})
    return filters.holds(value, expression.op, expression.value)


_FIELDS = {
    "max_results": integer(),
    "page_token": text(),
    "filter": text(),
    "order_by": Field(TEXTS),
    "view_type": Field(ANY),
}
ROUTES = [
    Verb("POST", "/experiments/search", search, _FIELDS),
    Verb("GET", "/experiments/search", search, _FIELDS),
]
