"""Traces as MLflow's clients before 3.0 tell of them: begun, ended, looked at and searched. Kept as all traces are."""

from __future__ import annotations

import os

from lineal.doors.mlflow import experiments, limits, trace_search, traces
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.wire import ANY, Field, Message, Verb, integer, items, read, text, texts
from lineal.service.operations import Scope

_KEY, _VALUE = 250, 100_000
_PAIR = {"key": text(required=True), "value": text()}


def start(scope: Scope, message: Message) -> Message:
    """A trace that has begun."""
    number = experiments.number_of(message["experiment_id"])
    experiments.need_active(experiments.get(scope, number))
    body = traces.Body(
        started=message.get("timestamp_ms", 0),
        metadata=_pairs(message, "request_metadata"),
        tags=_pairs(message, "tags"),
        told=True,
    )
    return {"trace_info": shown(traces.put(scope, f"tr-{os.urandom(16).hex()}", number, body))}


def end(scope: Scope, message: Message) -> Message:
    """A trace that has ended."""
    known = traces.find(scope, message["request_id"])
    body = known.body
    took = message.get("timestamp_ms", body.started) - body.started
    if took < 0:
        raise invalid(f"The trace cannot end {-took} milliseconds before it began")
    body.took = took
    body.state = traces.state_of(message.get("status"))
    body.metadata = {**body.metadata, **_pairs(message, "request_metadata")}
    body.tags = {**body.tags, **_pairs(message, "tags")}
    return {"trace_info": shown(traces.put(scope, known.id, known.experiment, body))}


def get_info(scope: Scope, message: Message) -> Message:
    """A trace without its spans."""
    return {"trace_info": shown(traces.find(scope, message["request_id"]))}


def search(scope: Scope, message: Message) -> Message:
    """Traces of some experiments that match, newest first, a page of them."""
    found, more = trace_search.page(scope, message.get("experiment_ids", []), message)
    return {"traces": [shown(known) for known in found], **more}


def shown(known: traces.Known) -> Message:
    """What a trace is, as this version of the protocol writes it."""
    body = known.body
    return {
        "request_id": known.id,
        "experiment_id": str(known.experiment),
        "timestamp_ms": body.started,
        "execution_time_ms": body.took or 0,
        "status": "TRACE_STATUS_UNSPECIFIED" if body.state == traces.STATES[0] else body.state,
        "request_metadata": [{"key": key, "value": value} for key, value in body.metadata.items()],
        "tags": [{"key": key, "value": value} for key, value in body.tags.items()],
    }


def _pairs(message: Message, name: str) -> dict[str, str]:
    found = (read(item, _PAIR, f"{name}[{n}]") for n, item in enumerate(message.get(name, [])))
    return {
        limits.within(limits.visible(pair["key"], "key"), _KEY, "key"): limits.within(
            pair.get("value", ""), _VALUE, "value"
        )
        for pair in found
    }


_OLD = ("2.0",)
_ID = {"request_id": text(required=True)}
_SAID = {"timestamp_ms": integer(), "request_metadata": items(), "tags": items()}
_SEARCH = {
    "experiment_ids": texts(),
    "filter": text(),
    "max_results": integer(),
    "order_by": texts(),
    "page_token": text(),
}
ROUTES = [
    Verb(
        "POST",
        "/traces",
        start,
        {"experiment_id": text(required=True), **_SAID},
        writes=True,
        versions=_OLD,
    ),
    Verb("GET", "/traces", search, _SEARCH, versions=_OLD),
    Verb("GET", "/traces/{request_id}/info", get_info, _ID, versions=_OLD),
    Verb(
        "PATCH",
        "/traces/{request_id}",
        end,
        {**_ID, **_SAID, "status": Field(ANY)},
        writes=True,
        versions=_OLD,
    ),
]
