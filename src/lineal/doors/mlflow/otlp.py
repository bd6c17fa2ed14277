"""OpenTelemetry's trace messages (OTLP 1.x) as dictionaries, from protobuf's bytes or from JSON.

Both come out alike: names as in the .proto files, ids as hex digits, bytes as base64, values that are no number as text.
Only the messages of `opentelemetry/proto/collector/trace/v1` are known; fields that are not are passed over.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from lineal.doors.mlflow.errors import MlflowError

_DEEPEST = 60
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Field(NamedTuple):
    """name: as the .proto file has it; kind: how it is read, or the name of a message; many: it may come again."""

    name: str
    kind: str
    many: bool = False


_ATTRIBUTES = _Field("attributes", "KeyValue", many=True)
_MESSAGES: dict[str, dict[int, _Field]] = {
    "Request": {1: _Field("resource_spans", "ResourceSpans", many=True)},
    "ResourceSpans": {1: _Field("resource", "Resource"), 2: _Field("scope_spans", "ScopeSpans", many=True)},
    "Resource": {1: _ATTRIBUTES},
    "ScopeSpans": {2: _Field("spans", "Span", many=True)},
    "Span": {
        1: _Field("trace_id", "id"),
        2: _Field("span_id", "id"),
        3: _Field("trace_state", "text"),
        4: _Field("parent_span_id", "id"),
        5: _Field("name", "text"),
        6: _Field("kind", "number"),
        7: _Field("start_time_unix_nano", "fixed64"),
        8: _Field("end_time_unix_nano", "fixed64"),
        9: _ATTRIBUTES,
        11: _Field("events", "Event", many=True),
        13: _Field("links", "Link", many=True),
        15: _Field("status", "Status"),
    },
    "Event": {1: _Field("time_unix_nano", "fixed64"), 2: _Field("name", "text"), 3: _ATTRIBUTES},
    "Link": {
        1: _Field("trace_id", "id"),
        2: _Field("span_id", "id"),
        3: _Field("trace_state", "text"),
        4: _ATTRIBUTES,
    },
    "Status": {2: _Field("message", "text"), 3: _Field("code", "number")},
    "KeyValue": {1: _Field("key", "text"), 2: _Field("value", "AnyValue")},
    "AnyValue": {
        1: _Field("string_value", "text"),
        2: _Field("bool_value", "truth"),
        3: _Field("int_value", "number"),
        4: _Field("double_value", "double"),
        5: _Field("array_value", "ArrayValue"),
        6: _Field("kvlist_value", "KeyValueList"),
        7: _Field("bytes_value", "bytes"),
    },
    "ArrayValue": {1: _Field("values", "AnyValue", many=True)},
    "KeyValueList": {1: _Field("values", "KeyValue", many=True)},
}
_WIRE = {"fixed64": _FIXED64, "double": _FIXED64, "number": _VARINT, "truth": _VARINT}


def from_protobuf(body: bytes) -> dict[str, Any]:
    """The export request that the bytes are. Raises MlflowError: they are none."""
    try:
        return _message(memoryview(body), "Request", 0)
    except (IndexError, ValueError, struct.error) as error:
        raise _refused(str(error)) from None


def from_json(said: Any) -> dict[str, Any]:
    """The export request that a JSON document is. Raises MlflowError: it is none."""
    try:
        return _object(said, "Request", 0)
    except (ValueError, TypeError, OverflowError) as error:
        raise _refused(str(error)) from None


def _refused(why: str) -> MlflowError:
    return MlflowError("BAD_REQUEST", f"Invalid OpenTelemetry format: {why[:200]}")


# ---- protobuf ------------------------------------------------------------------------------------------------------------


def _message(body: memoryview, name: str, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ValueError("values are nested too deeply")
    fields, found = _MESSAGES[name], dict[str, Any]()
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        field, wire = fields.get(tag >> 3), tag & 7
        if wire == _VARINT:
            number, at = _varint(body, at)
            raw: Any = number
        elif wire == _BYTES:
            length, at = _varint(body, at)
            raw, at = _cut(body, at, length)
        elif wire in {_FIXED64, _FIXED32}:
            raw, at = _cut(body, at, 8 if wire == _FIXED64 else 4)
        else:
            raise ValueError(f"wire type {wire} is not known")
        if field is None:
            continue
        if wire != _WIRE.get(field.kind, _BYTES):
            raise ValueError(f"{field.name} has wire type {wire}")
        value = _message(raw, field.kind, depth + 1) if field.kind in _MESSAGES else _READ[field.kind](raw)
        if field.many:
            found.setdefault(field.name, []).append(value)
        else:
            found[field.name] = value
    return found


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _cut(body: memoryview, at: int, length: int) -> tuple[memoryview, int]:
    if at + length > len(body):
        raise ValueError("the message ends in the middle")
    return body[at : at + length], at + length


def _number(raw: int) -> int:
    return raw - (1 << 64) if raw >= 1 << 63 else raw


_READ: dict[str, Callable[[Any], Any]] = {
    "id": lambda raw: bytes(raw).hex(),
    "text": lambda raw: bytes(raw).decode(),
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "number": _number,
    "truth": bool,
    "fixed64": lambda raw: struct.unpack("<Q", raw)[0],
    "double": lambda raw: _double(struct.unpack("<d", raw)[0]),
}


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


# ---- JSON ----------------------------------------------------------------------------------------------------------------


def _object(said: Any, name: str, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ValueError("values are nested too deeply")
    if not isinstance(said, dict):
        raise TypeError(f"{name} is no object")
    found: dict[str, Any] = {}
    for field in _MESSAGES[name].values():
        value = said.get(_camel(field.name), said.get(field.name))
        if value is None:
            continue
        if field.many:
            if not isinstance(value, list):
                raise TypeError(f"{field.name} is no list")
            found[field.name] = [_value(item, field, depth) for item in value]
        else:
            found[field.name] = _value(value, field, depth)
    return found


def _value(said: Any, field: _Field, depth: int) -> Any:
    if field.kind in _MESSAGES:
        return _object(said, field.kind, depth + 1)
    if field.kind == "truth":
        return bool(said)
    if field.kind in {"number", "fixed64"}:
        number = (
            _enumerated(said) if isinstance(said, str) and not said.lstrip("-").isdecimal() else int(said)
        )
        if not -(1 << 63) <= number < 1 << 64:
            raise ValueError(f"{field.name} is too large")
        return number
    if field.kind == "double":
        return _double(float(said))
    if not isinstance(said, str):
        raise TypeError(f"{field.name} is no text")
    if field.kind == "id":
        return _hex(said)
    if field.kind == "bytes":
        return base64.b64encode(base64.b64decode(said)).decode()
    said.encode()  # raises where it is no Unicode
    return said


def _enumerated(name: str) -> int:
    """The number of an enumeration's name, of those that spans have."""
    known = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
    if name.startswith("SPAN_KIND_"):
        kinds = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
        return kinds.index(name.removeprefix("SPAN_KIND_"))
    if name not in known:
        raise ValueError(f"{name[:50]!r} is no number")
    return known[name]


def _hex(said: str) -> str:
    try:
        return bytes.fromhex(said).hex()
    except ValueError:
        try:
            return base64.b64decode(said, validate=True).hex()  # as protobuf's own JSON has it
        except binascii.Error:
            raise ValueError(f"{said[:50]!r} is no id") from None


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


# ---- values --------------------------------------------------------------------------------------------------------------


def plain(value: dict[str, Any]) -> Any:
    """What an AnyValue means."""
    if "array_value" in value:
        return [plain(item) for item in value["array_value"].get("values", [])]
    if "kvlist_value" in value:
        return {
            item.get("key", ""): plain(item.get("value", {}))
            for item in value["kvlist_value"].get("values", [])
        }
    return next(iter(value.values()), None)
