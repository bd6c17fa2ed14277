"""Values written down exactly, and read back: what a cached step was given, what it refers to, what it gave back.

Only values whose type says all: None, truth values, whole numbers, floats (NaN and infinities too), texts, bytes, paths, and lists, tuples,
sets and dictionaries of these, of exactly these types.
"""

from __future__ import annotations

import json
from pathlib import PosixPath, PurePosixPath
from typing import Any

_DEEPEST = 50
_LONGEST = 1 << 20  # characters


class NotExact(Exception):
    """A value that cannot be written down exactly; the text says what it is."""


def write(value: Any) -> str:
    """The value as text, the same for equal values of equal types. Raises NotExact."""
    text = json.dumps(_plain(value, 0), ensure_ascii=True, separators=(",", ":"))
    if len(text) > _LONGEST:
        raise NotExact(f"{_named(value)} of {len(text):,} characters")
    return text


def read(text: str) -> Any:
    """The value that `write` made the text of."""
    return _value(json.loads(text))


def _plain(value: Any, depth: int) -> Any:
    kind = type(value)
    if depth > _DEEPEST:
        raise NotExact("a value that holds itself, or is nested too deeply")
    if value is None or kind is bool:
        return value
    if kind is str:
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise NotExact("a text that is no Unicode") from None
        return value
    if (make := _SIMPLE.get(kind)) is not None:
        return {kind.__name__: make(value)}
    if kind in (list, tuple):
        return {kind.__name__: [_plain(item, depth + 1) for item in value]}
    if kind in (set, frozenset):
        return {kind.__name__: sorted((_plain(item, depth + 1) for item in value), key=json.dumps)}
    if kind is dict:
        return {
            "dict": [[_plain(key, depth + 1), _plain(item, depth + 1)] for key, item in value.items()],
        }
    raise NotExact(_named(value))


def _value(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    [(kind, held)] = plain.items()
    if kind == "dict":
        return {_value(key): _value(item) for key, item in held}
    if kind in _MANY:
        return _MANY[kind](_value(item) for item in held)
    return _READ[kind](held)


def _named(value: Any) -> str:
    kind = type(value)
    module = "" if kind.__module__ in ("builtins", "__main__") else kind.__module__ + "."
    return f"a {module}{kind.__qualname__}"


_SIMPLE: dict[type, Any] = {
    int: str,
    float: float.hex,
    bytes: bytes.hex,
    PosixPath: str,
    PurePosixPath: str,
}
_READ: dict[str, Any] = {
    "int": int,
    "float": float.fromhex,
    "bytes": bytes.fromhex,
    "PosixPath": PosixPath,
    "PurePosixPath": PurePosixPath,
}
_MANY: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
