"""The verbs of traces, and `/v1/traces`, where OpenTelemetry's programs send theirs."""

from __future__ import annotations

import base64
import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lineal.core.ids import sha256
from lineal.doors.desk import Desk
from lineal.doors.mlflow import experiments, limits, otlp, traces
from lineal.doors.mlflow.errors import MlflowError, invalid, missing
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
    number_out,
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
    experiment = experiments.number_of(request.headers.get("x-mlflow-experiment-id", ""))
    run_id = request.headers.get("x-mlflow-run-id", "")
    if run_id:
        limits.run_id(run_id)
    await desk.write(
        lambda scope: traces.add_spans(scope, experiment, run_id, said),
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
    return {name: _bytes(value) if name in _IDS else value for name, value in said.items()}


def _bytes(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def correlate(scope: Scope, message: Message) -> Message:
    """How much oftener than by chance two filters hold for the same traces: -1 never together, 0 by chance, 1 always."""
    numbers = sorted({experiments.number_of(id) for id in message.get("experiment_ids", [])})
    every = traces.matching(traces.of_experiments(scope, numbers), message.get("base_filter", ""))
    first = {known.id for known in traces.matching(every, message["filter_string1"])}
    second = {known.id for known in traces.matching(every, message["filter_string2"])}
    counts = len(first & second), len(first), len(second), len(every)
    smoothed = (counts[0] + 0.5, counts[1] + 1, counts[2] + 1, counts[3] + 2)
    return {
        "npmi": number_out(_npmi(*counts)),
        "npmi_smoothed": number_out(_npmi(*smoothed)),
        "filter1_count": counts[1],
        "filter2_count": counts[2],
        "joint_count": counts[0],
        "total_count": counts[3],
    }


def _npmi(joint: float, first: float, second: float, total: float) -> float:
    """Normalised pointwise mutual information of two events (Bouma, 2009), from how often they were; NaN where one never was."""
    if not first or not second:
        return math.nan
    if not joint:
        return -1.0
    if joint == total:
        return 1.0
    found = math.log(joint * total / (first * second)) / -math.log(joint / total)
    return max(-1.0, min(1.0, found))


# ---- assessments ---------------------------------------------------------------------------------------------------------


def create_assessment(scope: Scope, message: Message) -> Message:
    """Keep what somebody thinks of a trace."""
    known = traces.find(scope, message["trace_id"])
    kept = traces.assessed(known.id, message["assessment"], scope.at)
    known.body.assessments.append(kept)
    traces.put(scope, known.id, known.experiment, known.body)
    return {"assessment": kept}


def get_assessment(scope: Scope, message: Message) -> Message:
    """One assessment."""
    known = traces.find(scope, message["trace_id"])
    return {"assessment": known.body.assessments[_place(known, message)]}


def update_assessment(scope: Scope, message: Message) -> Message:
    """Change what is given of an assessment."""
    known = traces.find(scope, message["trace_id"])
    place = _place(known, message)
    before, given = known.body.assessments[place], message.get("assessment", {})
    kept = traces.assessed(
        known.id, {"assessment_name": before["assessment_name"], **before, **given}, scope.at
    )
    kept |= {name: before[name] for name in ("assessment_id", "create_time")}
    kept["last_update_time"] = traces.assessed(known.id, {"assessment_name": "x"}, scope.at)[
        "last_update_time"
    ]
    known.body.assessments[place] = kept
    traces.put(scope, known.id, known.experiment, known.body)
    return {"assessment": kept}


def delete_assessment(scope: Scope, message: Message) -> Message:
    """Delete an assessment."""
    known = traces.find(scope, message["trace_id"])
    del known.body.assessments[_place(known, message)]
    traces.put(scope, known.id, known.experiment, known.body)
    return {}


def _place(known: traces.Known, message: Message) -> int:
    for place, kept in enumerate(known.body.assessments):
        if kept.get("assessment_id") == message["assessment_id"]:
            return place
    raise missing(f"Assessment with ID '{message['assessment_id'][:100]}' not found for trace '{known.id}'")


_ID = {"trace_id": text(required=True)}
_ONE = {**_ID, "assessment_id": text(required=True)}
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
_ASSESSMENT = "/traces/{trace_id}/assessments"
ROUTES = [
    Verb("POST", "/v1/traces", handler=_export, writes=True, versions=(), also=("/v1/traces",)),
    Verb(
        "POST", "/traces", traces.start, {"trace": Field(OBJECT, required=True)}, writes=True, versions=_NEW
    ),
    Verb("GET", "/traces/get", get_whole, {**_ID, "allow_partial": Field(BOOL)}, versions=_NEW),
    Verb("GET", "/traces/batchGet", get_many, _MANY, versions=_NEW),
    Verb("POST", "/traces/batchGetInfos", get_infos, _MANY, versions=_NEW),
    Verb("POST", "/traces/search", traces.search, _SEARCH, versions=_NEW),
    Verb("POST", "/traces/calculate-filter-correlation", correlate, _PAIR, versions=_NEW),
    Verb("POST", "/traces/delete-traces", traces.delete, _DELETE, writes=True, permission="record:delete"),
    Verb("POST", "/traces/link-to-run", traces.link_to_run, _RUN, writes=True),
    Verb("POST", "/traces/link-prompts", traces.link_prompts, _PROMPTS, writes=True),
    Verb("GET", "/traces/{trace_id}", get_info, _ID, versions=_NEW),
    Verb("PATCH", "/traces/{trace_id}/tags", traces.set_tag, _TAG, writes=True),
    Verb("DELETE", "/traces/{trace_id}/tags", traces.delete_tag, _TAG, writes=True),
    Verb(
        "POST",
        _ASSESSMENT,
        create_assessment,
        {**_ID, "assessment": Field(OBJECT, required=True)},
        writes=True,
        versions=_NEW,
    ),
    Verb("GET", _ASSESSMENT + "/{assessment_id}", get_assessment, _ONE, versions=_NEW),
    Verb(
        "PATCH",
        _ASSESSMENT + "/{assessment_id}",
        update_assessment,
        {**_ONE, "assessment": Field(OBJECT, required=True)},
        writes=True,
        versions=_NEW,
    ),
    Verb("DELETE", _ASSESSMENT + "/{assessment_id}", delete_assessment, _ONE, writes=True, versions=_NEW),
]
