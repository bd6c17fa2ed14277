"""Ids, settings and numbers of other systems as they are told here."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


def own_id(*words: str) -> str:
    """The id of a run here: its own when that is 128 bits of hex, else the same one each time for the same words."""
    last = words[-1]
    if len(last) == 32 and set(last) <= set("0123456789abcdef"):
        return last
    return hashlib.sha256("\0".join(words).encode("utf-8", "replace")).hexdigest()[:32]


def flat(given: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings within settings under dotted keys, as text: text as it is, anything else as JSON."""
    found: dict[str, str] = {}
    for key, value in given.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            found |= flat(value, f"{name}.")
        else:
            found[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return found


def number_text(value: float) -> str:
    """A value as exact text, as MLflow's protocol spells those that are no numbers."""
    if value != value:
        return "NaN"
    return repr(value) if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")
