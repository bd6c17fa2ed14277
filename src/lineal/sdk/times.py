"""Times as people write them."""

from __future__ import annotations

import re
from datetime import datetime

_UNITS = {
    "s": 1, "sec": 1, "second": 1,
    "m": 60, "min": 60, "minute": 60,
    "h": 3600, "hour": 3600,
    "d": 86400, "day": 86400,
    "w": 604800, "week": 604800,
}  # fmt: skip
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)(?:\s+ago)?", re.IGNORECASE)


def parse(text: str, now: int) -> int:
    """UTC microseconds of `2025-11-23`, an ISO 8601 time, `2h ago`, `now` or `@SECONDS`.

    A time without a zone is read in this machine's zone; a date alone is its first moment. now: UTC microseconds.

    Raises Invalid: it is none of these.
    """
    from lineal.core.errors import Invalid

    plain = text.strip()
    if plain.lower() == "now":
        return now
    if found := _AGO.fullmatch(plain):
        unit = found[2].lower()
        length = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if length:
            return now - round(float(found[1]) * length * 1_000_000)
    try:
        if plain.startswith("@"):
            return round(float(plain[1:]) * 1_000_000)
        moment = datetime.fromisoformat(plain).astimezone()
        return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond
    except (ValueError, OverflowError, OSError):
        raise Invalid(
            f"{text!r} is not a time",
            hint="write 2025-11-23, 2025-11-23T14:30, 2025-11-23T14:30:00Z or 2h ago",
        ) from None


def now() -> int:
    """UTC microseconds."""
    import time

    return time.time_ns() // 1000
