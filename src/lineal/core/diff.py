"""Differences of two records, as lists of changes; equal things are only counted."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

import msgspec


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. a or b is None where that side has nothing under this key."""

    key: str
    a: Any
    b: Any


def changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[list[Change], int]:
    """(what differs, in order of key; how many keys are equal). NaN equals NaN."""
    found: list[Change] = []
    same = 0
    for key in sorted({*a, *b}):
        left, right = a.get(key), b.get(key)
        if left == right or (_is_nan(left) and _is_nan(right)):
            same += 1
        else:
            found.append(Change(key=key, a=left, b=right))
    return found, same


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and isnan(value)


def flatten(value: Any, prefix: str = "", *, most: int = 10_000) -> dict[str, Any]:
    """Nested mappings and lists as one mapping of dotted keys to plain values, at most `most` of them."""
    flat: dict[str, Any] = {}
    stack: list[tuple[str, Any]] = [(prefix, value)]
    while stack and len(flat) < most:
        path, item = stack.pop()
        if isinstance(item, Mapping):
            stack.extend(
                (f"{path}.{key}" if path else str(key), sub) for key, sub in reversed(list(item.items()))
            )
        elif isinstance(item, list):
            stack.extend(
                (f"{path}.{index}" if path else str(index), sub)
                for index, sub in reversed(list(enumerate(item)))
            )
        else:
            flat[path] = item
    return flat
