"""What a journal's records hold, as text and JSON that the store can keep."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import msgspec


def encode(value: Any) -> bytes:
    """JSON bytes of any value that a journal record can hold; lone surrogates and non-finite numbers become text."""
    return msgspec.json.encode(_clean(value), order="sorted")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63:
        return str(value)
    if isinstance(value, dict):
        return {text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value


def text(value: Any) -> str:
    """The value as text that UTF-8 can carry: bytes that were no UTF-8 appear as `\\xNN`."""
    return os.fsencode(str(value)).decode("utf-8", "backslashreplace") if _odd(str(value)) else str(value)


def _odd(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False


def plain(value: Any) -> str:
    """A parameter's value as text: text as it is, everything else as JSON."""
    return text(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def pairs(value: Any) -> list[tuple[str, str]]:
    """Key and value as text, from a mapping or a list of pairs."""
    items = value.items() if isinstance(value, dict) else value or []
    return [(text(key), plain(item)) for key, item in items]


def raw(path: Any) -> bytes:
    """A path as the file system knows it."""
    return path if isinstance(path, bytes) else os.fsencode(str(path))
