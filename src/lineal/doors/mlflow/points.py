"""Metric points of this protocol: checked, kept, and read back as they were sent."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from lineal.doors.mlflow import limits, runs
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.wire import FLOAT, Field, Message, integer, number_out, read, text
from lineal.service.operations import Scope

MODEL = "logged_model"
SERIES = "model_metric"
POINT = {
    "key": text(required=True),
    "value": Field(FLOAT, required=True),
    "timestamp": integer(required=True),
    "step": integer(),
    "model_id": text(),
    "dataset_name": text(),
    "dataset_digest": text(),
}
_KNOWN_KEYS = 100_000
_good_keys: set[str] = set()  # keys that were found to be names; only a cache


class Point(NamedTuple):
    """One point. timestamp: milliseconds; model_id and the dataset: what it was measured with, or empty."""

    key: str
    value: float
    timestamp: int
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class Series(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A metric of a model, measured by one run on one dataset. series: the key of its points at the model's vertex."""

    key: str
    series: str
    run_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


# ---- taking in -----------------------------------------------------------------------------------------------------------


def point_of(said: Message, path: str) -> Point:
    """A point from its JSON object; `path` names it in a refusal, empty when it is the whole message."""
    found = read(said, POINT, path) if path else said
    return need(Point(**{name: found[name] for name in POINT if name in found}), path)


def need(point: Point, path: str = "") -> Point:
    """The point itself. Raises MlflowError: its key is no name, or its time no time."""
    dot = f"{path}." if path else ""
    if point.key not in _good_keys:
        limits.key(point.key, f"{dot}name", "Metric name")
        if len(_good_keys) < _KNOWN_KEYS:
            _good_keys.add(point.key)
    if not 0 <= point.timestamp <= limits.LATEST_MS:
        raise invalid(
            f"Invalid value {point.timestamp} for parameter '{dot}timestamp' supplied: metric '{point.key}' "
            f"(value={point.value}). Timestamp must be a nonnegative long (64-bit integer) of milliseconds since 1970"
        )
    if bool(point.dataset_name) != bool(point.dataset_digest):
        raise invalid("Both dataset_name and dataset_digest must be provided if one is provided")
    return point


def put(scope: Scope, known: runs.Known, points: Sequence[Point]) -> int:
    """Keep points of a run; how many of them were new."""
    runs.adopted(scope, known)
    of_models: dict[str, list[Point]] = {}
    for point in points:
        if point.model_id:
            of_models.setdefault(point.model_id, []).append(point)
    for model_id, some in of_models.items():
        _put_of_model(scope, known.run_id, model_id, some)
    return _keep(scope, known.node, [(p.key, p.step, p.timestamp, p.value) for p in points])


def _keep(scope: Scope, node: int, points: list[tuple[str, int, int, float]]) -> int:
    index: dict[str, int] = {}
    key = array("I", [index.setdefault(point[0], len(index)) for point in points])
    return scope.store.metrics.add_new_points(
        scope.tx,
        node,
        list(index),
        key.tobytes(),
        array("q", [point[1] for point in points]).tobytes(),
        array("q", [point[2] * 1000 for point in points]).tobytes(),
        array("d", [point[3] for point in points]).tobytes(),
    )


def _put_of_model(scope: Scope, run_id: str, model_id: str, points: list[Point]) -> None:
    """Keep points at the model's own vertex too, one series for each run and dataset they were measured with."""
    model = scope.store.records.get_record(scope.tx, DOOR, MODEL, model_id)
    if model is None or model.node is None:
        return
    for point in points:
        told = f"{point.key}\0{run_id}\0{point.dataset_name}\0{point.dataset_digest}"
        key = f"{model_id}/{hashlib.sha256(told.encode()).hexdigest()[:32]}"
        if scope.store.records.get_record(scope.tx, DOOR, SERIES, key) is None:
            body = Series(
                key=point.key,
                series=f"{point.key}\x1f{key.rpartition('/')[2]}",
                run_id=run_id,
                dataset_name=point.dataset_name,
                dataset_digest=point.dataset_digest,
            )
            scope.store.records.add_record(
                scope.tx,
                DOOR,
                SERIES,
                key,
                msgspec.json.encode(body),
                parent=model.node,
                node=model.node,
                at=scope.at,
            )
        series = f"{point.key}\x1f{key.rpartition('/')[2]}"
        _keep(scope, model.node, [(series, point.step, point.timestamp, point.value)])


# ---- reading -------------------------------------------------------------------------------------------------------------


def model_metrics(scope: Scope, nodes: Sequence[int]) -> dict[int, list[Message]]:
    """The latest value of each of the metrics of models, by the models' vertices, as the protocol writes them."""
    store, tx = scope.store, scope.tx
    summaries = {
        (node, summary.key): summary
        for node, found in store.metrics.get_summaries(tx, nodes).items()
        for summary in found
    }
    metrics: dict[int, list[Message]] = {}
    for record in store.records.list_records(tx, DOOR, SERIES, parents=nodes, limit=1_000_000):
        series = msgspec.json.decode(record.body, type=Series)
        summary = summaries.get((record.parent or 0, series.series))
        if summary is None:
            continue
        said: Message = {
            "key": series.key,
            "value": number_out(summary.last),
            "timestamp": summary.last_at // 1000,
            "step": summary.last_step,
            "run_id": series.run_id,
            "model_id": record.key.rpartition("/")[0],
        }
        if series.dataset_name:
            said |= {"dataset_name": series.dataset_name, "dataset_digest": series.dataset_digest}
        metrics.setdefault(record.parent or 0, []).append(said)
    return metrics
