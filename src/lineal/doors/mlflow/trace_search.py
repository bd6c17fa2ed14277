"""Searching traces: by what they say of themselves, by their spans and by what was thought of them."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec

from lineal.doors.mlflow import experiments, grammar
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.grammar import LISTS, NULLS, NUMERIC, TEXTUAL, Found, Kind, Rules
from lineal.doors.mlflow.otlp import plain
from lineal.doors.mlflow.traces import (
    MOST,
    NAME,
    PROMPTS,
    RUN,
    USUAL,
    Body,
    Known,
    object_in,
    of_experiments,
    shown,
    spans,
    text_in,
)
from lineal.doors.mlflow.wire import Message, number_out, offset_of, page_size, token_of
from lineal.service.operations import Scope

_TYPE = "mlflow.spanType"
_ASSESSED = ("feedback", "expectation")
_CODES = ("STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR")
_TEXT, _LISTED = Kind(False, TEXTUAL), Kind(False, TEXTUAL + LISTS)
_FREE, _NUMBER = Kind(False, TEXTUAL + NULLS), Kind(True, NUMERIC)
_NUMBERS = {
    "timestamp": "started",
    "timestamp_ms": "started",
    "execution_time": "took",
    "execution_time_ms": "took",
    "end_time": "ended",
    "end_time_ms": "ended",
}
_RULES = Rules(
    {
        **dict.fromkeys(
            ("request_id", "trace_id", "status", "state", "name", "run_id", "client_request_id"), _LISTED
        ),
        **dict.fromkeys(_NUMBERS, _NUMBER),
        "text": _TEXT,
        "prompt": _TEXT,
    },
    {
        "attribute": "attribute",
        "attributes": "attribute",
        "trace": "attribute",
        "tag": "tag",
        "tags": "tag",
        "metadata": "metadata",
        "request_metadata": "metadata",
        "span": "span",
        "feedback": "feedback",
        "expectation": "expectation",
    },
    {"tag": _FREE, "metadata": _FREE, "span": _LISTED, "feedback": _FREE, "expectation": _FREE},
    {"span": re.compile(r"name|type|status|content|attributes\..+", re.DOTALL)},
)
_ORDER = {
    **_NUMBERS,
    "status": "status",
    "request_id": "request_id",
    "trace_id": "request_id",
    "name": "name",
    "run_id": "run_id",
    "experiment_id": "experiment",
}


def search(scope: Scope, message: Message) -> Message:
    """Traces of some experiments that match, newest first, a page of them."""
    places = [object_in(place, "mlflow_experiment") for place in message.get("locations", [])]
    found, more = page(scope, [text_in(place, "experiment_id") for place in places], message)
    return {"traces": [shown(known) for known in found], **more}


def page(scope: Scope, ids: list[str], message: Message) -> tuple[list[Known], Message]:
    """A page of the traces of some experiments that match, and what tells of the next one."""
    numbers = sorted({experiments.number_of(id) for id in ids})
    if not numbers:
        raise invalid("Missing value for required parameter 'locations'.")
    size, start = page_size(message, USUAL, MOST), offset_of(message.get("page_token"))
    found = matching(scope, of_experiments(scope, numbers), message.get("filter", ""))
    found.sort(key=lambda known: (-known.body.started, known.id))
    for clause in reversed(message.get("order_by", [])):
        key, upward = grammar.order_of(clause, _ORDER)
        found.sort(key=_key(key), reverse=not upward)
    more = {"next_page_token": token_of(start + size)} if start + size < len(found) else {}
    return found[start : start + size], more


def matching(scope: Scope, found: Iterable[Known], filter: str) -> list[Known]:
    """Those that fulfil a filter. Raises MlflowError: it cannot be read."""
    match, _ = grammar.parse(filter, _RULES)
    return [known for known in found if match(_looked(scope, known))]


def _looked(scope: Scope, known: Known) -> grammar.Look:
    body = known.body

    @cache
    def of_spans() -> list[Message]:
        return [written(span) for span in spans(scope, known.id)]

    def look(entity: str, key: str) -> Found:
        if entity == "span" or key == "text":
            return [value for span in of_spans() if (value := _of_span(span, key)) is not None]
        if entity in _ASSESSED:
            return _assessed(known, entity, key)
        if entity == "tag":
            return body.tags.get(key)
        if entity == "metadata":
            return body.metadata.get(key)
        if key in _NUMBERS:
            return _number(body, _NUMBERS[key])
        return _attribute(known, key)

    return look


def _of_span(span: Message, key: str) -> str | None:
    """One value of a span, by the name that filters use."""
    if key in {"content", "text"}:
        return json.dumps(span, ensure_ascii=False)
    if key == "name":
        return str(span["name"])
    if key == "status":
        return str(span["status"]["code"]).removeprefix("STATUS_CODE_")
    return _unpacked(span["attributes"].get(key.removeprefix("attributes.") if key != "type" else _TYPE))


def _unpacked(value: Any) -> str | None:
    """The text of an attribute, which MLflow's client writes as JSON."""
    if value is None or not isinstance(value, str):
        return None if value is None else json.dumps(value)
    try:
        said = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value
    return said if isinstance(said, str) else value


def _assessed(known: Known, entity: str, key: str) -> list[str | float]:
    """The values of the assessments of that name, as text that is JSON unless they are text."""
    found: list[str | float] = []
    for said in known.body.assessments:
        if said.get("assessment_name") == key and isinstance(part := said.get(entity), dict):
            value = part.get("value", (part.get("serialized_value") or {}).get("value"))
            found.append(value if isinstance(value, str) else json.dumps(value))
    return found


def _attribute(known: Known, key: str) -> str | None:
    body = known.body
    if key == "prompt":
        return body.tags.get(PROMPTS)
    if key in {"request_id", "trace_id"}:
        return known.id
    if key in {"status", "state"}:
        return body.state
    if key == "name":
        return body.tags.get(NAME)
    if key == "run_id":
        return body.metadata.get(RUN) or next(iter(body.runs), None)
    return body.client_request_id or None


def _number(body: Body, name: str) -> int | None:
    if name == "started":
        return body.started
    return body.took if name == "took" or body.took is None else body.started + body.took


def _key(name: str) -> Callable[[Known], Any]:
    if name in {"started", "took", "ended"}:
        return lambda known: _number(known.body, name) or 0
    if name == "experiment":
        return lambda known: known.experiment
    return lambda known: _attribute(known, name) or ""


def correlate(scope: Scope, message: Message) -> Message:
    """How much oftener than by chance two filters hold for the same traces: -1 never together, 0 by chance, 1 always."""
    numbers = sorted({experiments.number_of(id) for id in message.get("experiment_ids", [])})
    every = matching(scope, of_experiments(scope, numbers), message.get("base_filter", ""))
    first = {known.id for known in matching(scope, every, message["filter_string1"])}
    second = {known.id for known in matching(scope, every, message["filter_string2"])}
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


# ---- spans ---------------------------------------------------------------------------------------------------------------


def written(span: Message) -> Message:
    """A span as MLflow's client writes one into a file."""
    status = span.get("status", {})
    code = status.get("code", 0)
    parent = span.get("parent_span_id")
    return {
        "trace_id": coded(span["trace_id"]),
        "span_id": coded(span["span_id"]),
        "parent_span_id": coded(parent) if parent else None,
        "name": span.get("name", ""),
        "start_time_unix_nano": span.get("start_time_unix_nano", 0),
        "end_time_unix_nano": span.get("end_time_unix_nano"),
        "events": [
            {
                "name": event.get("name", ""),
                "time_unix_nano": event.get("time_unix_nano", 0),
                "attributes": _attributes(event),
            }
            for event in span.get("events", [])
        ],
        "status": {
            "code": _CODES[code] if code in range(3) else _CODES[0],
            "message": status.get("message", ""),
        },
        "attributes": {name: json.dumps(value) for name, value in _attributes(span).items()},
        "links": [
            {
                "trace_id": f"tr-{link.get('trace_id', '')}",
                "span_id": link.get("span_id", ""),
                "attributes": _attributes(link),
            }
            for link in span.get("links", [])
        ],
    }


def coded(digits: str) -> str:
    """An id of hex digits as protobuf's JSON writes bytes."""
    return base64.b64encode(bytes.fromhex(digits)).decode()


def _attributes(said: Message) -> Message:
    return {item.get("key", ""): plain(item.get("value", {})) for item in said.get("attributes", [])}
