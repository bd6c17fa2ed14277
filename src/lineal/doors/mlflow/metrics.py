"""The verbs of metrics. Single points that arrive together are written together, one block for each run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lineal.core.errors import LinealError
from lineal.core.ids import sha256
from lineal.doors.desk import Desk
from lineal.doors.gathering import Gathering, Waiting
from lineal.doors.mlflow import limits, points, runs
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.points import POINT, Point
from lineal.doors.mlflow.wire import (
    Verb,
    body_of,
    checked,
    encode,
    items,
    loads,
    replied,
    text,
)
from lineal.service.operations import Caller, Scope, add_leaf

_DONE = encode({})

_RUN = {"run_id": text(required=True)}
_LOG = {**_RUN, **POINT}


class LogMetric(msgspec.Struct):
    """A log-metric request as nearly every client writes it; any other is read with more patience."""

    key: str
    value: float
    timestamp: int
    run_id: str = ""
    run_uuid: str = ""
    step: int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class _BatchPoint(msgspec.Struct):
    key: str
    value: float
    timestamp: int
    step: int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class _Pair(msgspec.Struct):
    key: str
    value: str = ""


class LogBatch(msgspec.Struct):
    """A log-batch request, likewise."""

    run_id: str
    metrics: list[_BatchPoint] = []
    params: list[_Pair] = []
    tags: list[_Pair] = []


_metric = msgspec.json.Decoder(LogMetric, strict=False).decode
_batch = msgspec.json.Decoder(LogBatch, strict=False).decode


# ---- single points, written together -------------------------------------------------------------------------------------


class Logged(msgspec.Struct, gc=False, frozen=True):
    """A point for a run; told: the digest of what was received."""

    run_id: str
    point: Point
    told: str


def _keep(scope: Scope, waiting: list[Waiting[Logged]]) -> None:
    by_run: dict[str, list[Waiting[Logged]]] = {}
    for entry in waiting:
        by_run.setdefault(entry.item.run_id, []).append(entry)
    for run_id, entries in by_run.items():
        try:
            known = runs.writable(scope, run_id)
        except LinealError as error:
            for entry in entries:
                entry.error = error
            continue
        points.put(scope, known, [entry.item.point for entry in entries])
        by_actor: dict[str, list[str]] = {}
        for entry in entries:
            by_actor.setdefault(entry.caller.actor, []).append(entry.item.told)
        for actor, told in by_actor.items():
            body = {"run_id": run_id, "points": len(told), "sha256": told[0] if len(told) == 1 else told}
            add_leaf(replace(scope, actor=actor), "mlflow runs/log-metric", encode(body))


_points = Gathering(_keep)


async def log_metric(desk: Desk, request: Request) -> Response:
    """Keep one point."""
    body = await body_of(request)
    run_id, point = _read_metric(body)
    if key := request.headers.get("idempotency-key", ""):
        batch = Batch(run_id, [point], {}, {})
        await _write_batch(desk, request.state.caller, batch, body, "mlflow runs/log-metric", key)
        return replied(_DONE)
    await _points.put(desk, Logged(run_id, point, sha256(body)), request.state.caller)
    return replied(_DONE)


def _read_metric(body: bytes) -> tuple[str, Point]:
    try:
        said = _metric(body)
        run_id = said.run_id or said.run_uuid
        if run_id and said.key:
            return run_id, points.need(_point(said))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    message = checked(loads(body), _LOG)
    run_id = message.pop("run_id")
    return run_id, points.point_of(message, "")


def _point(said: LogMetric | _BatchPoint) -> Point:
    return Point(
        said.key,
        said.value,
        said.timestamp,
        said.step,
        said.model_id or "",
        said.dataset_name or "",
        said.dataset_digest or "",
    )


# ---- batches -------------------------------------------------------------------------------------------------------------


class Batch(msgspec.Struct):
    """A checked log-batch request."""

    run_id: str
    metrics: list[Point]
    params: dict[str, str]
    tags: dict[str, str]


async def log_batch(desk: Desk, request: Request) -> Response:
    """Keep points, parameters and tags of one run, all or nothing."""
    body = await body_of(request)
    if len(body) > limits.BATCH_BYTES:
        raise invalid(
            f"Batched logging API requests must be at most {limits.BATCH_BYTES} bytes, "
            f"got a request of size {len(body)}."
        )
    batch = _read_batch(body)
    key = request.headers.get("idempotency-key", "")
    await _write_batch(desk, request.state.caller, batch, body, "mlflow runs/log-batch", key)
    return replied(_DONE)


async def _write_batch(desk: Desk, caller: Caller, batch: Batch, body: bytes, action: str, key: str) -> None:
    told = {
        "run_id": batch.run_id,
        "points": len(batch.metrics),
        "params": list(batch.params),
        "tags": list(batch.tags),
        "sha256": sha256(body),
    }
    await desk.write(
        lambda scope: _keep_batch(scope, batch), caller, action=action, body=encode(told), key=key
    )


def _keep_batch(scope: Scope, batch: Batch) -> None:
    known = runs.writable(scope, batch.run_id)
    runs.put_params(scope, known, batch.params)
    if batch.metrics:
        points.put(scope, known, batch.metrics)
    if batch.tags:
        runs.put_tags(scope, known, batch.tags)


def _read_batch(body: bytes) -> Batch:
    try:
        said = _batch(body)
        found = points.need_all([_point(item) for item in said.metrics])
        params = [{"key": item.key, "value": item.value} for item in said.params]
        tags = [{"key": item.key, "value": item.value} for item in said.tags]
        run_id = said.run_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = checked(loads(body), {**_RUN, "metrics": items(), "params": items(), "tags": items()})
        run_id = message["run_id"]
        found = [points.point_of(item, f"metrics[{n}]") for n, item in enumerate(message.get("metrics", []))]
        params, tags = message.get("params", []), message.get("tags", [])
    limits.run_id(run_id)
    _need_short(found, params, tags)
    named = [item.get("key") for item in params]
    if len(set(map(str, named))) < len(named):
        twice = sorted({str(key) for key in named if named.count(key) > 1})
        raise invalid(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure "
            "the request contains only one param value per param key."
        )
    return Batch(run_id, found, runs.pairs(params, "param"), runs.pairs(tags, "tag"))


def _need_short(metrics: list[Point], params: list[Any], tags: list[Any]) -> None:
    for what, most, count in (
        ("metrics", limits.METRICS_PER_BATCH, len(metrics)),
        ("params", limits.PARAMS_PER_BATCH, len(params)),
        ("tags", limits.PARAMS_PER_BATCH, len(tags)),
        ("metrics, params, and tags", limits.BATCH, len(metrics) + len(params) + len(tags)),
    ):
        if count > most:
            raise invalid(
                f"A batch logging request can contain at most {most} {what}. Got {count} {what}. "
                f"Please split up {what} across multiple requests and try again."
            )


ROUTES = [
    Verb("POST", "/runs/log-metric", handler=log_metric, writes=True),
    Verb("POST", "/runs/log-batch", handler=log_batch, writes=True),
]
