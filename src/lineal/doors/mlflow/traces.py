"""Traces: what a model was asked and answered. A record of this door each, and one for each span; about the logged model's
version that answered, when the trace names it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from lineal.core.errors import LinealError
from lineal.doors.mlflow import experiments, limits, models
from lineal.doors.mlflow.errors import INVALID, MlflowError, invalid, missing
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.otlp import plain
from lineal.doors.mlflow.wire import Message
from lineal.service.operations import Scope
from lineal.store.records import Record

KIND, SPAN = "trace", "span"
NAME, MODEL, RUN = "mlflow.traceName", "mlflow.modelId", "mlflow.sourceRun"
PLACE, SPANS_PLACE, PROMPTS = "mlflow.artifactLocation", "mlflow.trace.spansLocation", "mlflow.linkedPrompts"
STATES = ("STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS")
USUAL, MOST, MOST_SPANS, MOST_LINKED = 100, 500, 10_000, 100

_ID = re.compile(r"[\w\-]{1,100}")
_TAG_HEAD = "mlflow.traceTag."
_PREVIEW, _KEY, _VALUE = 10_000, 250, 100_000


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept of a trace. started: milliseconds; took: milliseconds or None while it goes on.

    told: a client has told of the trace as a whole; until then it is worked out from its spans. runs: linked afterwards.
    """

    started: int = 0
    took: int | None = None
    state: str = "IN_PROGRESS"
    client_request_id: str = ""
    request: str = ""
    response: str = ""
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[dict[str, Any]] = []
    runs: list[str] = []
    told: bool = False


class Known(NamedTuple):
    """A trace that was found."""

    id: str
    experiment: int
    body: Body
    record: Record


_decode = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder().encode


# ---- finding -------------------------------------------------------------------------------------------------------------


def look(scope: Scope, id: str) -> Known | None:
    """The trace of that id, if there is one."""
    record = scope.store.records.get_record(scope.tx, DOOR, KIND, id)
    return None if record is None else of(record)


def find(scope: Scope, id: str) -> Known:
    """The trace of that id. Raises MlflowError: there is none."""
    known = look(scope, id)
    if known is None:
        raise missing(f"Trace with ID '{id[:100]}' not found.")
    return known


def of(record: Record) -> Known:
    """The trace that a record keeps."""
    return Known(record.key, record.parent or 0, _decode(record.body), record)


def of_experiments(scope: Scope, numbers: list[int]) -> list[Known]:
    """Every trace of some experiments."""
    records = scope.store.records.list_records(scope.tx, DOOR, KIND, parents=numbers, limit=1_000_000)
    return [of(record) for record in records]


def shown(known: Known) -> Message:
    """What a trace is, without its spans, as the protocol writes it."""
    body = known.body
    said: Message = {
        "trace_id": known.id,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": str(known.experiment)},
        },
        "request_time": _time(body.started),
        "state": body.state,
        "trace_metadata": body.metadata,
        "tags": body.tags,
        "assessments": body.assessments,
    }
    if body.took is not None:
        said["execution_duration"] = f"{body.took / 1000:.3f}s"
    for name, value in (
        ("client_request_id", body.client_request_id),
        ("request_preview", body.request),
        ("response_preview", body.response),
    ):
        if value:
            said[name] = value
    return said


def spans(scope: Scope, id: str) -> list[Message]:
    """The spans of a trace, in order of their beginning."""
    records = scope.store.records.list_records(scope.tx, DOOR, SPAN, prefix=f"{id}/", limit=MOST_SPANS * 10)
    found = [msgspec.json.decode(record.body) for record in records]
    found.sort(key=lambda span: span.get("start_time_unix_nano", 0))
    return found


def _time(ms: int) -> str:
    at = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{at}.{ms % 1000:03d}Z"


# ---- writing -------------------------------------------------------------------------------------------------------------


def put(scope: Scope, id: str, experiment: int, body: Body) -> Known:
    """Keep a trace as it now is; about the version of the logged model that it names."""
    node = _answering(scope, body)
    known = look(scope, id)
    if known is not None:
        records = scope.store.records
        return of(records.replace_record(scope.tx, known.record, body=_encode(body), node=node, at=scope.at))
    if not _ID.fullmatch(id):
        raise invalid(f"Invalid trace ID {id[:100]!r}: letters, digits, _ and - are wanted")
    place = experiments.used(scope, experiments.get(scope, experiment)).body.artifact_location
    body.tags.setdefault(PLACE, f"{place.rstrip('/')}/traces/{id}/artifacts")
    record = scope.store.records.add_record(
        scope.tx, DOOR, KIND, id, _encode(body), parent=experiment, node=node, at=scope.at
    )
    return of(record)


def _answering(scope: Scope, body: Body) -> int | None:
    """The version of the logged model that answered."""
    if not (id := body.metadata.get(MODEL, "")):
        return None
    try:
        return models.find(scope, id, deleted=True).node
    except LinealError:
        return None


def start(scope: Scope, message: Message) -> Message:
    """Keep what a client tells of a whole trace. Its spans may have come before."""
    info = object_in(message["trace"], "trace_info")
    location = object_in(object_in(info, "trace_location"), "mlflow_experiment")
    number = experiments.number_of(text_in(location, "experiment_id"))
    experiments.need_active(experiments.get(scope, number))
    id = text_in(info, "trace_id") or f"tr-{os.urandom(16).hex()}"
    before = look(scope, id)
    body = before.body if before else Body()
    body.told = True
    body.started = _millis_of(text_in(info, "request_time")) if info.get("request_time") else body.started
    body.took = (
        _duration_of(text_in(info, "execution_duration")) if info.get("execution_duration") else body.took
    )
    body.state = state_of(info.get("state"))
    body.client_request_id = limits.within(text_in(info, "client_request_id"), 500, "client_request_id")
    body.request = text_in(info, "request_preview")[:_PREVIEW] or body.request
    body.response = text_in(info, "response_preview")[:_PREVIEW] or body.response
    body.metadata = {**body.metadata, **_texts(info, "trace_metadata")}
    body.tags = {**body.tags, **_texts(info, "tags")}
    given = info.get("assessments") or []
    if not isinstance(given, list):
        raise invalid("'assessments' is no list")
    body.assessments += [assessed(id, item, scope.at) for item in given]
    return {"trace": {"trace_info": shown(put(scope, id, number, body))}}


def by_trace(request: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The spans of an export request by the id of their trace. Raises MlflowError: there are none, or one has no id."""
    found: dict[str, list[dict[str, Any]]] = {}
    for group in request.get("resource_spans", []):
        for scoped in group.get("scope_spans", []):
            for span in scoped.get("spans", []):
                _check_span(span)
                found.setdefault(f"tr-{span['trace_id']}", []).append(span)
    count = sum(map(len, found.values()))
    if not count:
        raise invalid("Invalid OpenTelemetry format - no spans found")
    if count > MOST_SPANS:
        raise invalid(f"Invalid OpenTelemetry format: {count} spans, at most {MOST_SPANS} are taken at once")
    return found


def add_spans(scope: Scope, experiment: int, run_id: str, given: dict[str, list[dict[str, Any]]]) -> None:
    """Keep spans, and what can be worked out of their traces."""
    experiments.need_active(experiments.get(scope, experiment))
    for id, found in sorted(given.items()):
        for span in found:
            _keep_span(scope, id, span)
        known = look(scope, id)
        body = _worked_out(known.body if known else Body(), found)
        if run_id:
            body.metadata.setdefault(RUN, run_id)
        put(scope, id, known.experiment if known else experiment, body)


def _check_span(span: dict[str, Any]) -> None:
    if len(span.get("trace_id", "")) != 32 or len(span.get("span_id", "")) != 16:
        said = (
            "Cannot convert OpenTelemetry span to MLflow span: it has no trace id of 16 bytes or no id of 8"
        )
        raise MlflowError(INVALID, said, status=422)


def _keep_span(scope: Scope, id: str, span: dict[str, Any]) -> None:
    records, key, body = scope.store.records, f"{id}/{span['span_id']}", _encode(span)
    known = records.get_record(scope.tx, DOOR, SPAN, key)
    if known is None:
        records.add_record(scope.tx, DOOR, SPAN, key, body, at=scope.at)
    elif known.body != body:
        records.replace_record(scope.tx, known, body=body, at=scope.at)


def _worked_out(body: Body, found: Iterable[dict[str, Any]]) -> Body:
    """What spans say of their trace, where its client has not told it."""
    body.tags[SPANS_PLACE] = "TRACKING_STORE"
    for span in found:
        began, ended = (
            span.get("start_time_unix_nano", 0) // 1_000_000,
            span.get("end_time_unix_nano", 0) // 1_000_000,
        )
        said = {item.get("key", ""): plain(item.get("value", {})) for item in span.get("attributes", [])}
        if (id := said.get(MODEL)) and isinstance(id, str):
            body.metadata.setdefault(MODEL, id.strip('"'))
        if not body.told:
            end = max(body.started + (body.took or 0), ended)
            body.started = min(body.started, began) if body.started else began
            body.took = end - body.started if end else None
        if span.get("parent_span_id"):
            continue
        for key, value in said.items():
            if key.startswith(_TAG_HEAD):
                body.tags.setdefault(key.removeprefix(_TAG_HEAD)[:_KEY], str(value)[:_VALUE])
        body.tags.setdefault(NAME, span.get("name", "")[:_KEY])
        body.request = body.request or _preview(said.get("mlflow.spanInputs"))
        body.response = body.response or _preview(said.get("mlflow.spanOutputs"))
        if not body.told:
            body.state = "ERROR" if span.get("status", {}).get("code") == 2 else "OK"
    return body


def _preview(value: Any) -> str:
    if value is None:
        return ""
    return (value if isinstance(value, str) else _encode(value).decode())[:_PREVIEW]


def delete(scope: Scope, message: Message) -> Message:
    """Delete traces of an experiment: those that are named, or the oldest up to a time."""
    number = experiments.number_of(message["experiment_id"])
    ids, until = message.get("request_ids", []), message.get("max_timestamp_millis", -1)
    if bool(ids) == ("max_timestamp_millis" in message):
        raise invalid("Either `max_timestamp_millis` or `trace_ids` must be specified, but not both.")
    if ids:
        named = (look(scope, id) for id in ids)
        found = [known for known in named if known is not None and known.experiment == number]
    else:
        found = [known for known in of_experiments(scope, [number]) if known.body.started <= until]
        found.sort(key=lambda known: known.body.started)
        found = found[: message.get("max_traces", len(found))]
    for known in found:
        scope.store.records.retract_record(scope.tx, known.record, at=scope.at)
        for span in scope.store.records.list_records(
            scope.tx, DOOR, SPAN, prefix=f"{known.id}/", limit=MOST_SPANS * 10
        ):
            scope.store.records.retract_record(scope.tx, span, at=scope.at)
    return {"traces_deleted": len(found)}


def set_tag(scope: Scope, message: Message) -> Message:
    """Set a tag of a trace."""
    known = find(scope, message["trace_id"])
    key = limits.within(limits.visible(message["key"], "key"), _KEY, "key")
    known.body.tags[key] = limits.within(message.get("value", ""), _VALUE, "value")
    put(scope, known.id, known.experiment, known.body)
    return {}


def delete_tag(scope: Scope, message: Message) -> Message:
    """Delete a tag of a trace."""
    known = find(scope, message["trace_id"])
    if known.body.tags.pop(message["key"], None) is None:
        raise missing(f"No trace tag with key '{message['key'][:200]}' for trace with ID '{known.id}'")
    put(scope, known.id, known.experiment, known.body)
    return {}


def link_to_run(scope: Scope, message: Message) -> Message:
    """Let traces belong to a run too."""
    ids = message.get("trace_ids", [])
    if len(ids) > MOST_LINKED:
        raise invalid(f"Cannot link more than {MOST_LINKED} traces to a run in a single request")
    for id in ids:
        known = find(scope, id)
        if message["run_id"] not in known.body.runs:
            known.body.runs.append(limits.run_id(message["run_id"]))
            put(scope, known.id, known.experiment, known.body)
    return {}


def link_prompts(scope: Scope, message: Message) -> Message:
    """Let a trace's tag name the prompts that were used."""
    known = find(scope, message["trace_id"])
    before = known.body.tags.get(PROMPTS, "[]")
    try:
        said = msgspec.json.decode(before)
    except msgspec.DecodeError:
        said = []
    linked = said if isinstance(said, list) else []
    for item in message.get("prompt_versions", []):
        prompt = {"name": text_in(item, "name"), "version": str(item.get("version", ""))[:20]}
        if prompt not in linked:
            linked.append(prompt)
    known.body.tags[PROMPTS] = limits.within(_encode(linked).decode(), _VALUE, "prompts")
    put(scope, known.id, known.experiment, known.body)
    return {}


# ---- assessments ---------------------------------------------------------------------------------------------------------


def assessed(trace_id: str, said: Any, at: int) -> dict[str, Any]:
    """An assessment as it is kept. Raises MlflowError: it is none."""
    if not isinstance(said, dict):
        raise invalid("an assessment is an object")
    now = _time(at // 1000)
    name = limits.within(text_in(said, "assessment_name"), _KEY, "assessment_name")
    if not name:
        raise invalid("Missing value for required parameter 'assessment_name'.")
    kept = {"assessment_id": f"a-{os.urandom(16).hex()}", "create_time": now, **said}
    return {**kept, "last_update_time": now, "trace_id": trace_id, "assessment_name": name}


# ---- words ---------------------------------------------------------------------------------------------------------------


def object_in(said: Message, name: str) -> Message:
    """The object of that name. Raises MlflowError: there is none."""
    value = said.get(name)
    if not isinstance(value, dict):
        raise invalid(f"Missing value for required parameter '{name}'.")
    return value


def text_in(said: Message, name: str) -> str:
    """The text of that name, empty where there is none. Raises MlflowError: it is something else."""
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(f"Invalid value for parameter '{name}' supplied: it is no text")
    return value


def _texts(said: Message, name: str) -> dict[str, str]:
    value = said.get(name) or {}
    if not isinstance(value, dict) or any(not isinstance(item, str) for item in value.values()):
        raise invalid(f"Invalid value for parameter '{name}' supplied: it is no object of texts")
    return {
        limits.within(key, _KEY, "key"): limits.within(item, _VALUE, "value") for key, item in value.items()
    }


def state_of(value: Any) -> str:
    """The state that a name or a number means. Raises MlflowError: none."""
    if value in STATES:
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(STATES):
        return STATES[value]
    if value is None:
        return STATES[0]
    raise invalid(f"Invalid value {value!r:.100} for parameter 'state' supplied")


def _millis_of(text: str) -> int:
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", text)
    try:
        if found is None:
            raise ValueError(text)
        at = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
        return int(at.timestamp()) * 1000 + int((found[2] or "0").ljust(9, "0")[:3])
    except (ValueError, OverflowError):
        raise invalid(f"Invalid value {text[:100]!r} for parameter 'request_time' supplied") from None


def _duration_of(text: str) -> int:
    found = re.fullmatch(r"(\d{1,12})(?:\.(\d{1,9}))?s", text)
    if found is None:
        raise invalid(f"Invalid value {text[:100]!r} for parameter 'execution_duration' supplied")
    return int(found[1]) * 1000 + int((found[2] or "0").ljust(9, "0")[:3])
