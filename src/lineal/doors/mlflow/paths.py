"""Paths of artifacts as clients write them: checked as text, and split into whose file they name.

No path of a client ever reaches a disk: files are rows that name kept bytes. A path that would climb elsewhere is refused
nevertheless, since the client who reads the list writes to a disk of its own.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

import msgspec

from lineal.doors.mlflow.errors import invalid

RUN, MODEL, LOOSE = "run", "model", "loose"

# A part that means another place to some system: nothing, `.` and `..`, `C:` or an address's scheme.
_ELSEWHERE = re.compile(r"\s*\.{0,2}\s*|[A-Za-z]:.*|file:.*|.*:", re.IGNORECASE | re.DOTALL)
_HIDDEN = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffd")
_OWNERS = (
    (MODEL, re.compile(r"(?:[^/]+/)*?models/(m-[0-9a-f]{32})/artifacts(?:/(.*))?", re.DOTALL)),
    (RUN, re.compile(r"(?:[^/]+/)*?([0-9a-f]{32})/artifacts(?:/(.*))?", re.DOTALL)),
)


class Place(msgspec.Struct, frozen=True):
    """Whose file a path names. kind: RUN, MODEL, or LOOSE for neither; then `path` is all of it.

    path: inside the run or model, empty for its root.
    """

    kind: str
    owner: str
    path: str


def checked(path: str, *, empty: bool = False) -> str:
    """The path itself, without a slash at its end. Raises MlflowError: it is none that stays below a root.

    Args:
        empty: whether the root itself may be meant.
    """
    path = path.removesuffix("/")
    if not path:
        if empty:
            return path
        raise invalid("Invalid path: it is empty")
    for spelling in spellings(path):
        _refuse_climbing(spelling)
        for char in spelling:
            if char in _HIDDEN or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}:
                raise invalid(f"Invalid path: it contains the invisible character U+{ord(char):04X}")
    return path


def spellings(text: str, most: int = 8) -> list[str]:
    """The text, and what it is when it is unquoted once, twice and so on. Raises MlflowError: it has no end."""
    found = [text]
    while (plain := unquote(found[-1])) != found[-1]:
        if len(found) == most:
            raise invalid("Invalid path: it is quoted too often")
        found.append(plain)
    return found


def place_of(path: str) -> Place:
    """Whose file a checked path names, counted from the root of all artifacts."""
    for kind, pattern in _OWNERS:
        if found := pattern.fullmatch(path):
            return Place(kind, found[1], found[2] or "")
    return Place(LOOSE, "", path)


def root_of(uri: str) -> str | None:
    """The path, counted from the root of all artifacts, of an `mlflow-artifacts:` address; None for any other."""
    scheme, colon, rest = uri.partition(":")
    if scheme.lower() != "mlflow-artifacts" or not colon:
        return None
    if rest.startswith("//"):
        rest = rest[2:].partition("/")[2]
    return rest.strip("/")


def _refuse_climbing(path: str) -> None:
    if any(mark in path for mark in "\\\x00#?") or any(
        _ELSEWHERE.fullmatch(part) for part in path.split("/")
    ):
        raise invalid("Invalid path: it must be relative, with `/` between names, and without `.` and `..`")
