"""Run ids as programs make and write them, without the import of `uuid`."""

from __future__ import annotations

import os
import time

_HEX = "0123456789abcdef"


def new_run_id() -> str:
    """A UUIDv7 as 32 hex digits."""
    millis = time.time_ns() // 1_000_000
    tail = int.from_bytes(os.urandom(10), "big")
    head = (millis & (1 << 48) - 1) << 80 | 7 << 76 | (tail >> 64 & 0xFFF) << 64
    return "%032x" % (head | 2 << 62 | tail & (1 << 62) - 1)


def run_id(text: str) -> str:
    """The 32 hex digits of a run written as `run:ID` or as its id, with or without dashes.

    Raises ValueError: it is not a whole id.
    """
    digits = text.rpartition(":")[2].strip().replace("-", "").lower()
    if len(digits) != 32 or digits.strip(_HEX):
        raise ValueError(
            f"{text!r} is not a run's id: that has 32 hex digits, as `lineal runs --json` prints them"
        )
    return digits
