"""Assessments: what somebody, or some code, thinks of a trace. They stand in the trace's own record."""

from __future__ import annotations

import json
from typing import Any

from lineal.doors.mlflow import traces
from lineal.doors.mlflow.errors import invalid, missing
from lineal.doors.mlflow.wire import OBJECT, Field, Message, Verb, text
from lineal.service.operations import Scope

_LASTING = ("assessment_id", "create_time", "source", "span_id", "trace_id")


def create(scope: Scope, message: Message) -> Message:
    """Keep what somebody thinks of a trace. One that it overrides is no longer valid."""
    known = traces.find(scope, message["trace_id"])
    kept = _kept(known.id, message["assessment"], scope.at)
    if overridden := kept.get("overrides"):
        _at(known, overridden)["valid"] = False
    known.body.assessments.append(kept)
    traces.put(scope, known.id, known.experiment, known.body)
    return {"assessment": kept}


def get_one(scope: Scope, message: Message) -> Message:
    """One assessment."""
    return {"assessment": _at(traces.find(scope, message["trace_id"]), message["assessment_id"])}


def update(scope: Scope, message: Message) -> Message:
    """Change what is given of an assessment; of its metadata, only the names that are given."""
    known = traces.find(scope, message["trace_id"])
    before, given = _at(known, message["assessment_id"]), message["assessment"]
    for kind in ("expectation", "feedback"):
        if given.get(kind) is not None and before.get(kind) is None:
            raise invalid(f"Cannot update {kind} value on an assessment that has none.")
    said = {**before, **{name: value for name, value in given.items() if value not in (None, "")}}
    if isinstance(given.get("metadata"), dict):
        said["metadata"] = {**before.get("metadata", {}), **given["metadata"]}
    kept = _kept(known.id, said, scope.at) | {name: before[name] for name in _LASTING if name in before}
    before.clear()
    before.update(kept)
    traces.put(scope, known.id, known.experiment, known.body)
    return {"assessment": kept}


def delete(scope: Scope, message: Message) -> Message:
    """Delete an assessment; one that it had overridden is valid again."""
    known = traces.find(scope, message["trace_id"])
    gone = _at(known, message["assessment_id"])
    known.body.assessments.remove(gone)
    for other in known.body.assessments:
        if gone.get("overrides") and other.get("assessment_id") == gone["overrides"]:
            other["valid"] = True
    traces.put(scope, known.id, known.experiment, known.body)
    return {}


def _kept(trace_id: str, said: Any, at: int) -> dict[str, Any]:
    """An assessment as it is kept: a value that is no single one is text that is JSON. Raises MlflowError: it is none."""
    kept = {"valid": True, **traces.assessed(trace_id, said, at)}
    if not isinstance(kept["valid"], bool) or not isinstance(kept.get("metadata") or {}, dict):
        raise invalid(
            "Invalid value for parameter 'assessment' supplied: 'valid' is a truth, 'metadata' an object"
        )
    expected = kept.get("expectation")
    if isinstance(expected, dict) and isinstance(value := expected.get("value"), list | dict):
        plain = {name: part for name, part in expected.items() if name != "value"}
        whole = {"serialization_format": "JSON_FORMAT", "value": json.dumps(value)}
        kept["expectation"] = {**plain, "serialized_value": whole}
    return kept


def _at(known: traces.Known, id: Any) -> dict[str, Any]:
    for kept in known.body.assessments:
        if kept.get("assessment_id") == id:
            return kept
    raise missing(f"Assessment with ID '{str(id)[:100]}' not found for trace '{known.id}'")


_ONE = {"trace_id": text(required=True), "assessment_id": text(required=True)}
_SAID = {"assessment": Field(OBJECT, required=True)}
_PATH = "/traces/{trace_id}/assessments"
_NEW = ("3.0",)
ROUTES = [
    Verb("POST", _PATH, create, {"trace_id": text(required=True), **_SAID}, writes=True, versions=_NEW),
    Verb("GET", _PATH + "/{assessment_id}", get_one, _ONE, versions=_NEW),
    Verb("PATCH", _PATH + "/{assessment_id}", update, {**_ONE, **_SAID}, writes=True, versions=_NEW),
    Verb("DELETE", _PATH + "/{assessment_id}", delete, _ONE, writes=True, versions=_NEW),
]
