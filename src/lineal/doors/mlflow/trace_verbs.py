"""The verbs of traces, and `/v1/traces`, where OpenTelemetry's programs send theirs."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lineal.core.ids import sha256
from lineal.doors.desk import Desk
from lineal.doors.mlflow import experiments, limits, otlp, trace_search, traces
from lineal.doors.mlflow.errors import INVALID, MlflowError, invalid
from lineal.doors.mlflow.wire import (
    BOOL,
    OBJECT,
    Field,
    Message,
    Verb,
    encode,
    integer,
    items,
    loads,
    text,
    texts,
)
from lineal.service.operations import Scope

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_MOST_IDS = 500
_IDS = frozenset({"trace_id", "span_id", "parent_span_id"})


async def _export(desk: Desk, request: Request) -> Response:
    """Keep the spans of an export request."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind == _JSON:
        said = otlp.from_json(loads(body))
    elif kind == _PROTOBUF:
        said = otlp.from_protobuf(body)
    else:
        raise MlflowError("BAD_REQUEST", f"Content-Type must be {_PROTOBUF} or {_JSON}, not {kind[:100]!r}")
    given = traces.by_trace(said)
    if (named := request.headers.get("x-mlflow-experiment-id")) is None:
        raise MlflowError(INVALID, "The header x-mlflow-experiment-id is missing", status=422)
    experiment = experiments.number_of(named)
    run_id = request.headers.get("x-mlflow-run-id", "")
    if run_id:
        limits.run_id(run_id)
    await desk.write(
        lambda scope: traces.add_spans(scope, experiment, run_id, given),
        request.state.caller,
        action="mlflow v1/traces",
        body=encode({"experiment_id": experiment, "sha256": sha256(body), "bytes": len(body)}),
    )
    return Response(b"{}" if kind == _JSON else b"", media_type=kind)


def get_info(scope: Scope, message: Message) -> Message:
    """A trace without its spans."""
    return {"trace": {"trace_info": traces.shown(traces.find(scope, message["trace_id"]))}}


def get_whole(scope: Scope, message: Message) -> Message:
    """A trace with its spans."""
    return {"trace": _whole(scope, traces.find(scope, message["trace_id"]))}


def get_many(scope: Scope, message: Message) -> Message:
    """Traces with their spans, those of the ids that there are."""
    return {"traces": [_whole(scope, known) for known in _named(scope, message)]}


def get_infos(scope: Scope, message: Message) -> Message:
    """Traces without their spans, those of the ids that there are."""
    return {"trace_infos": [traces.shown(known) for known in _named(scope, message)]}


def _named(scope: Scope, message: Message) -> list[traces.Known]:
    ids = message.get("trace_ids", [])
    if not 1 <= len(ids) <= _MOST_IDS:
        raise invalid(f"Between 1 and {_MOST_IDS} values are wanted for parameter 'trace_ids'.")
    wanted = {experiments.number_of(id) for id in message.get("experiment_ids", [])}
    found = (traces.look(scope, id) for id in ids)
    return [known for known in found if known is not None and (not wanted or known.experiment in wanted)]


def _whole(scope: Scope, known: traces.Known) -> Message:
    return {
        "trace_info": traces.shown(known),
        "spans": [_span(span) for span in traces.spans(scope, known.id)],
    }


def _span(span: dict[str, Any]) -> Message:
    """A span as protobuf's JSON has it: its ids are bytes."""
    said = _with_bytes(span)
    if "links" in span:
        said["links"] = [_with_bytes(link) for link in span["links"]]
    return said


def _with_bytes(said: dict[str, Any]) -> Message:
    return {name: trace_search.coded(value) if name in _IDS else value for name, value in said.items()}


async def _file(desk: Desk, request: Request) -> Response:
    """The spans of a trace as the file that older clients and MLflow's page load."""
    id = request.query_params.get("request_id", "") or request.query_params.get("trace_id", "")
    if not id:
        raise invalid("Request must specify request_id.")

    def found(scope: Scope) -> list[Message]:
        return [trace_search.written(span) for span in traces.spans(scope, traces.find(scope, id).id)]

    content = encode({"spans": await desk.read(found, request.state.caller)})
    headers = {
        "Content-Disposition": "attachment; filename=traces.json",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(content, headers=headers, media_type="application/octet-stream")


_ID = {"trace_id": text(required=True)}
_MANY = {"trace_ids": texts(), "experiment_ids": texts()}
_TAG = {**_ID, "key": text(required=True), "value": text()}
_NEW = ("3.0",)
_DELETE = {
    "experiment_id": text(required=True),
    "max_timestamp_millis": integer(),
    "max_traces": integer(),
    "request_ids": texts(),
}
_SEARCH = {
    "locations": items(),
    "filter": text(),
    "max_results": integer(),
    "order_by": texts(),
    "page_token": text(),
}
_PROMPTS = {**_ID, "prompt_versions": items()}
_PAIR = {
    "experiment_ids": texts(),
    "filter_string1": text(required=True),
    "filter_string2": text(required=True),
    "base_filter": text(),
}
_RUN = {"trace_ids": texts(), "run_id": text(required=True)}
ROUTES = [
    Verb(
        "GET",
        "/get-trace-artifact",
        handler=_file,
        versions=(),
        also=("/ajax-api/2.0/mlflow/get-trace-artifact", "/ajax-api/3.0/mlflow/get-trace-artifact"),
    ),
    Verb("POST", "/v1/traces", handler=_export, writes=True, versions=(), also=("/v1/traces",)),
    Verb(
        "POST", "/traces", traces.start, {"trace": Field(OBJECT, required=True)}, writes=True, versions=_NEW
    ),
    Verb("GET", "/traces/get", get_whole, {**_ID, "allow_partial": Field(BOOL)}, versions=_NEW),
    Verb("GET", "/traces/batchGet", get_many, _MANY, versions=_NEW),
    Verb("POST", "/traces/batchGetInfos", get_infos, _MANY, versions=_NEW),
    Verb("POST", "/traces/search", trace_search.search, _SEARCH, versions=_NEW),
    Verb("POST", "/traces/calculate-filter-correlation", trace_search.correlate, _PAIR, versions=_NEW),
    Verb("POST", "/traces/delete-traces", traces.delete, _DELETE, writes=True, permission="record:delete"),
    Verb("POST", "/traces/link-to-run", traces.link_to_run, _RUN, writes=True),
    Verb("POST", "/traces/link-prompts", traces.link_prompts, _PROMPTS, writes=True),
    Verb("GET", "/traces/{trace_id}", get_info, _ID, versions=_NEW),
    Verb("PATCH", "/traces/{trace_id}/tags", traces.set_tag, _TAG, writes=True),
    Verb("DELETE", "/traces/{trace_id}/tags", traces.delete_tag, _TAG, writes=True),
]
