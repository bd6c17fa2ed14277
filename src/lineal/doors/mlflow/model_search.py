"""Searching logged models: by attributes, parameters, tags, and by what was measured of them, on which dataset."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from lineal.doors.mlflow import experiments, grammar, models
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.grammar import LISTS, NUMERIC, TEXTUAL, Kind, Rules
from lineal.doors.mlflow.models import Known, Metric
from lineal.doors.mlflow.wire import BOOL, Field, Message, offset_of, page_size, read, text, token_of
from lineal.service.operations import Scope

USUAL, MOST = 100, 1000
_MOST_EXPERIMENTS = 1000
_TEXT, _NUMBER = Kind(False, TEXTUAL + LISTS), Kind(True, NUMERIC)
_NUMBERS = {
    name: key
    for key, names in {
        "created": ("creation_timestamp", "creation_timestamp_ms", "creation_time"),
        "updated": (
            "last_updated_timestamp",
            "last_updated_timestamp_ms",
            "last_updated_time",
            "last_update_time",
        ),
    }.items()
    for name in names
}
_TEXTS = ("name", "model_id", "model_type", "status", "source_run_id", "experiment_id")
_RULES = Rules(
    {**dict.fromkeys(_TEXTS, _TEXT), **dict.fromkeys(_NUMBERS, _NUMBER)},
    {"attributes": "attribute", "metrics": "metric", "params": "param", "tags": "tag"},
    {"metric": _NUMBER, "param": _TEXT, "tag": _TEXT},
)
_DATASET = {"dataset_name": text(required=True), "dataset_digest": text()}
_ORDER = {
    "field_name": text(required=True),
    "ascending": Field(BOOL),
    "dataset_name": text(),
    "dataset_digest": text(),
}


class _Found(NamedTuple):
    known: Known
    metrics: list[Metric]


def search(scope: Scope, message: Message) -> Message:
    """Logged models of some experiments that match, a page of them."""
    numbers = {experiments.number_of(id) for id in message.get("experiment_ids", [])}
    if not 1 <= len(numbers) <= _MOST_EXPERIMENTS:
        raise invalid(f"Between 1 and {_MOST_EXPERIMENTS} values are wanted for parameter 'experiment_ids'.")
    size = page_size({"max_results": message.get("max_results") or USUAL}, USUAL, MOST)
    start = offset_of(message.get("page_token"))
    match, needed = grammar.parse(message.get("filter", ""), _RULES)
    datasets = [read(item, _DATASET, f"datasets[{n}]") for n, item in enumerate(message.get("datasets", []))]
    order = [_clause(item, n) for n, item in enumerate(message.get("order_by", []))]
    measured = any(comparison.entity == "metric" for comparison in needed)
    found = [
        one
        for one in _candidates(scope, numbers)
        if match(_looked(one, datasets)) and (measured or not datasets or _on(one.metrics, datasets))
    ]
    found.sort(key=lambda one: (-one.known.body.created, one.known.id))
    for key, upward in reversed(order):
        known = [(value, one) for one in found if (value := key(one)) is not None]
        known.sort(key=lambda pair: pair[0], reverse=not upward)
        found = [one for _, one in known] + [one for one in found if key(one) is None]
    page = found[start : start + size]
    more = {"next_page_token": token_of(start + size)} if start + size < len(found) else {}
    return {"models": [models.shown(scope, one.known, one.metrics) for one in page], **more}


def _candidates(scope: Scope, numbers: set[int]) -> list[_Found]:
    records = scope.store.records.list_records(
        scope.tx, DOOR, models.KIND, parents=sorted(numbers), limit=1_000_000
    )
    measured = scope.store.records.list_records(
        scope.tx, DOOR, models.METRIC, parents=sorted(numbers), limit=1_000_000
    )
    metrics: dict[str, list[Metric]] = {}
    for record in measured:
        metrics.setdefault(record.key.partition("/")[0], []).append(models.decode_metric(record.body))
    living = (known for record in records if not (known := models.of(record)).body.deleted)
    return [_Found(known, metrics.get(known.id, [])) for known in living]


def _looked(one: _Found, datasets: list[Message]) -> grammar.Look:
    body = one.known.body
    attributes = {
        "name": body.name,
        "model_id": one.known.id,
        "model_type": body.type or None,
        "status": body.status.removeprefix("LOGGED_MODEL_"),
        "source_run_id": body.run or None,
        "experiment_id": str(one.known.experiment),
    }

    def look(entity: str, key: str) -> str | float | None:
        if entity == "metric":
            return _latest(one.metrics, key, datasets)
        if entity == "param":
            return body.params.get(key)
        if entity == "tag":
            return body.tags.get(key)
        return getattr(body, _NUMBERS[key]) if key in _NUMBERS else attributes[key]

    return look


def _on(metrics: list[Metric], datasets: list[Message]) -> list[Metric]:
    """Those of the metrics that were measured on one of the datasets; all, when none is named."""
    if not datasets:
        return metrics
    return [
        metric
        for metric in metrics
        if any(
            metric.dataset == wanted["dataset_name"]
            and wanted.get("dataset_digest") in {None, "", metric.digest}
            for wanted in datasets
        )
    ]


def _latest(metrics: list[Metric], key: str, datasets: list[Message]) -> float | None:
    found = [metric for metric in _on(metrics, datasets) if metric.key == key]
    if not found:
        return None
    value = float(max(found, key=lambda metric: (metric.at, metric.step)).value)
    return None if math.isnan(value) else value


def _clause(item: Message, number: int) -> tuple[Callable[[_Found], Any], bool]:
    said = read(item, _ORDER, f"order_by[{number}]")
    name, upward = said["field_name"].strip(), said.get("ascending", True)
    if said.get("dataset_digest") and not said.get("dataset_name"):
        raise invalid("`dataset_digest` can only be specified if `dataset_name` is also specified.")
    datasets = [said] if said.get("dataset_name") else []
    entity, dot, key = name.partition(".")
    if dot:
        if entity != "metrics":
            raise invalid(f"Invalid order by field name: {name[:200]}. Only metrics are supported.")
        wanted = key.strip('`"')
        return (lambda one: _latest(one.metrics, wanted, datasets)), upward
    if name in _NUMBERS:
        field = _NUMBERS[name]
        return (lambda one: getattr(one.known.body, field)), upward
    if name in _TEXTS:
        return (lambda one: _looked(one, [])("attribute", name)), upward
    raise invalid(f"Invalid order by field name: {name[:200]}.")
