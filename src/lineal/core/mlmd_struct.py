"""Values of ML Metadata as JSON values: read from the wire form of `google.protobuf.Struct` and `Any`, without a library."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Iterator
from typing import Any

from lineal.core.errors import Invalid
from lineal.core.mlmd import Of, Properties

_DEEPEST = 64


def plain(properties: Properties) -> dict[str, Any]:
    """Properties as JSON knows them. What JSON has no number for is given as text."""
    return {name: _plain(of, value) for name, (of, value) in properties.items()}


def scalars(properties: Properties) -> Iterator[tuple[str, str]]:
    """The properties that are one number, text or truth value, as text; those within a struct under `NAME.KEY`."""
    for name, (of, value) in properties.items():
        if of == Of.STRUCT:
            inner = struct_of(value) if isinstance(value, bytes) else {}
            yield from ((f"{name}.{key}", _text(item)) for key, item in inner.items() if _is_scalar(item))
        elif of != Of.PROTO:
            yield name, _text(value)


def struct_of(body: bytes) -> dict[str, Any]:
    """The object that a `Struct` message holds. Raises Invalid: the bytes are none."""
    try:
        return _struct(body, 0)
    except (IndexError, TypeError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise Invalid("a struct value is no google.protobuf.Struct", hint=str(error)) from None


def any_of(body: bytes) -> dict[str, str]:
    """Address of the type, and base64 of the message, that an `Any` holds. Raises Invalid: the bytes are none."""
    try:
        fields = dict(_fields(body))
        kind = bytes(fields.get(1, b"")).decode()
        return {"type_url": kind, "value": base64.b64encode(bytes(fields.get(2, b""))).decode()}
    except (IndexError, TypeError, UnicodeDecodeError, ValueError) as error:
        raise Invalid("a proto value is no google.protobuf.Any", hint=str(error)) from None


def _plain(of: int, value: Any) -> Any:
    if of == Of.STRUCT:
        return struct_of(value)
    if of == Of.PROTO:
        return any_of(value)
    return _finite(value) if isinstance(value, float) else value


def _finite(number: float) -> float | str:
    return number if math.isfinite(number) else str(number)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return str(int(value))
    return value if isinstance(value, str) else repr(value)


def _struct(body: bytes, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _, entry in _fields(body):
        fields = dict(_fields(entry))
        found[bytes(fields.get(1, b"")).decode()] = _value(fields.get(2, b""), depth)
    return found


def _value(body: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} deep")
    for number, item in _fields(body):
        if number == 2:
            return _finite(struct.unpack("<d", item)[0])
        if number == 3:
            return bytes(item).decode()
        if number == 4:
            return bool(item)
        if number == 5:
            return _struct(item, depth + 1)
        if number == 6:
            return [_value(inner, depth + 1) for _, inner in _fields(item)]
    return None


def _fields(body: bytes) -> Iterator[tuple[int, Any]]:
    """Number and content of each field: an int of a varint, else bytes."""
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(body, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(body, at)
        elif wire in {1, 5}:
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field of wire type {wire}")
        if at + size > len(body):
            raise ValueError("it ends in the middle of a field")
        yield number, body[at : at + size]
        at += size


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
