"""Ids: 128-bit runs shown as 32 hex digits, content digests, event ids. No clock and no randomness: both come in."""

from __future__ import annotations

import hashlib

from lineal.core.errors import Invalid

_HEX = frozenset("0123456789abcdef")


def uuid7(at_us: int, random: bytes) -> str:
    """A UUIDv7 as 32 hex digits (RFC 9562, section 5.7).

    Args:
        at_us: UTC microseconds; the id keeps milliseconds and puts the rest into its random part's first 10 bits.
        random: at least 10 random bytes.
    """
    millis, micros = divmod(at_us, 1000)
    tail = int.from_bytes(random[:10], "big") & ((1 << 62) - 1)
    value = (millis & ((1 << 48) - 1)) << 80 | 0x7 << 76 | (micros << 2 & 0xFFF) << 64 | 0b10 << 62 | tail
    return f"{value:032x}"


def run_id(text: str) -> str:
    """The 32 hex digits of a run id written with or without dashes, in either case.

    Raises Invalid: it is not 128 bits of hex.
    """
    digits = text.strip().replace("-", "").lower()
    if len(digits) != 32 or not _HEX.issuperset(digits):
        raise Invalid(
            f"{text!r} is not a run id", hint="a run id is 32 hex digits, as `lineal runs` prints them"
        )
    return digits


def is_hex(text: str) -> bool:
    """Whether `text` is one or more lower-case hex digits."""
    return bool(text) and _HEX.issuperset(text)


def sha256(data: bytes) -> str:
    """`sha256:` and the 64 hex digits of the bytes' digest."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
