"""Metric points of this protocol: checked, kept, and read back as they were sent."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from lineal.doors.mlflow import limits, runs
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.wire import FLOAT, Field, Message, integer, read, text
from lineal.service.operations import Scope

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


def need_all(points: list[Point]) -> list[Point]:
    """The points of a batch. Raises as `need`."""
    good, latest = _good_keys, limits.LATEST_MS
    for place, point in enumerate(points):
        key, _, at, _, _, dataset, digest = point
        if key not in good or not 0 <= at <= latest or dataset or digest:
            need(point, f"metrics[{place}]")
    return points


def put(scope: Scope, known: runs.Known, points: Sequence[Point]) -> int:
    """Keep points of a run; how many of them were new."""
    runs.adopted(scope, known)
    measured = [point._asdict() for point in points if point.model_id]
    if measured:
        from lineal.doors.mlflow import models

        models.keep_metrics(scope, known.run_id, measured)
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
