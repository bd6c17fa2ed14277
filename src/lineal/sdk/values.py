"""What a program says, as the journal holds it: numbers for metrics, plain values for parameters."""

from __future__ import annotations

import os
from typing import Any

_MOST = 1000  # items of a collection that is kept as a value


def number(key: str, value: Any) -> float:
    """The value of metric `key`: an int, float, bool, numpy or torch scalar, or anything else that is one number.

    Raises TypeError: it is none.
    """
    if isinstance(value, (int, float)):
        return _as_float(value)
    item = getattr(value, "item", None)
    if item is not None and _count(value) == 1:
        inner = item()
        if isinstance(inner, (int, float)):
            return _as_float(inner)
    elif (
        not isinstance(value, (str, bytes, bytearray, complex))
        and hasattr(value, "__float__")
        and item is None
    ):
        return float(value)
    raise TypeError(f"metric {key!r} must be a number, not {_described(value)}")


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def is_exact(value: Any, found: float) -> bool:
    """Whether the float `found` is the whole number that `value` is; True also when it is no whole number."""
    try:
        return int(value.__index__()) == found
    except (AttributeError, TypeError):
        return True


def step(value: Any) -> int:
    """A step as a whole number. Raises TypeError: it is none, or does not fit into 64 bits."""
    whole = getattr(value, "__index__", None)
    found = (
        whole()
        if whole is not None
        else int(value)
        if isinstance(value, float) and value.is_integer()
        else None
    )
    if found is None or not -(1 << 63) < found < 1 << 63:
        raise TypeError(f"step must be a whole number of at most 64 bits, not {_described(value)}")
    return int(found)


def _count(value: Any) -> int:
    """How many numbers an array holds; 1 for a scalar."""
    shape = getattr(value, "shape", ())
    total = 1
    for length in shape:
        total *= int(length)
    return total


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None and _count(value) != 1:
        return f"{type(value).__name__} of shape {tuple(shape)}; log one number of it, for example its mean"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it: texts, numbers, small lists and dicts exactly; frames, arrays and long collections by what they are."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, os.PathLike):
        return os.fsdecode(os.fspath(value))
    if isinstance(value, (bytes, bytearray)):
        return (
            bytes(value).decode("utf-8", "backslashreplace")
            if len(value) <= _MOST
            else f"bytes ({len(value)})"
        )
    shape = getattr(value, "shape", None)
    if shape is not None:
        if (
            _count(value) == 1
            and hasattr(value, "item")
            and isinstance(value.item(), (bool, int, float, str))
        ):
            return value.item()
        return f"{type(value).__name__} ({' x '.join(str(length) for length in shape)})"
    if isinstance(value, (dict, list, tuple, set, frozenset)) and depth < 20:
        if len(value) > _MOST:
            return f"{type(value).__name__} ({len(value)} items)"
        if isinstance(value, dict):
            return {str(key): plain(item, depth + 1) for key, item in value.items()}
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        return [plain(item, depth + 1) for item in items]
    name = getattr(value, "__qualname__", None)
    if callable(value) and isinstance(name, str):
        return f"{getattr(value, '__module__', '')}.{name}"
    if str(value).startswith("<") and " object at 0x" in str(value):
        return f"{type(value).__module__}.{type(value).__qualname__}"
    return str(value)
