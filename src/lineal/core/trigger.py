"""When a trigger is due: enough new versions, enough new bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from lineal.core.errors import Invalid

_WHAT = re.compile(r"\s*(?:a\s+)?new\s+versions?\s+of\s+(?P<name>\S.*?)\s*", re.IGNORECASE)
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


class New(msgspec.Struct, frozen=True):
    """A version since the last time. size in bytes, None where it is not known."""

    number: int
    size: int | None


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """versions: at least so many new ones; size: at least so many new bytes, 0 for any; both: whether both have to hold."""

    versions: int = 0
    size: int = 0
    both: bool = False

    def is_due(self, new: Sequence[New]) -> bool:
        """Whether there is anything new, and enough of it. A size that is not known counts nothing."""
        if not new:
            return False
        said = []
        if self.versions:
            said.append(len(new) >= self.versions)
        if self.size:
            said.append(sum(one.size or 0 for one in new) >= self.size)
        return not said or (all(said) if self.both else any(said))


def name_of(what: str) -> str:
    """The X of `new version of X`.

    Raises Invalid: it says something else.
    """
    found = _WHAT.fullmatch(what)
    if found is None:
        raise Invalid(
            f"{what!r} is nothing to wait for",
            hint="write 'new version of NAME', a path or a registered name",
        )
    return found["name"].strip("'\"")


def bytes_of(text: str) -> int:
    """A size in bytes: `500`, `10MB` (1000 each), `10MiB` (1024 each).

    Raises Invalid: it is none.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise Invalid(f"{text!r} is no size", hint="write bytes, or 10kB, 10MB, 2GiB")
    number, unit, binary = found.groups()
    scale: int = (1024 if binary else 1000) ** _POWERS[unit.lower()]
    return round(float(number) * scale)
