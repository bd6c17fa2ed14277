"""How text is kept so that both engines hold every string and order it alike.

PostgreSQL's text cannot hold U+0000. It is written as U+0001 U+0001, and U+0001 itself as U+0001 U+0002, which keeps the
byte order of all strings. For LIKE such a character counts as two.
"""

from __future__ import annotations

import hashlib
import math
import re

from lineal.core.errors import Invalid

LONGEST_NAME = (
    96  # characters; longer text is found by its digest, for an index entry of PostgreSQL has a size limit
)
_LONGEST_PREFIX = 2048  # characters; nothing that is found by prefix is longer
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def keep(text: str) -> str:
    """The form in which `text` is stored. Raises Invalid: it holds a lone surrogate, which no encoding can carry."""
    if text.isascii():
        if text.isprintable():  # nearly every text
            return text
        return text.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01") if _control(text) else text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Invalid(
            f"text with a lone surrogate at character {error.start} cannot be stored: {text[:40]!a}",
            hint=r"write it escaped, as \udcXX",
        ) from None
    return text.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01") if _control(text) else text


def give(stored: str) -> str:
    """The text that `keep` was given."""
    if "\x01" not in stored:
        return stored
    return stored.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01")


def name_of(stored: str) -> str:
    """The short key under which the dictionary finds a stored text: itself, or a digest that no stored text can equal."""
    if len(stored) <= LONGEST_NAME:
        return stored
    return "\x01sha256:" + hashlib.sha256(stored.encode()).hexdigest()


def key_of(text: str) -> str:
    """`name_of(keep(text))`, at once for nearly every text. Raises as `keep`."""
    if len(text) <= LONGEST_NAME and text.isprintable():  # no control character and no surrogate is
        return text
    return name_of(keep(text))


def above(prefix: str) -> str:
    """The least text above every stored text that begins with `prefix`: a prefix is a range, which an index answers."""
    for cut in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[cut])
        if code < 0x10FFFF:
            return prefix[:cut] + chr(0xE000 if code == 0xD7FF else code + 1)
    return "\U0010ffff" * _LONGEST_PREFIX


def number_of(text: str) -> float | None:
    """The finite number that the whole text spells in decimal notation, else None."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def glob_of(pattern: str) -> str:
    """A LIKE pattern (`%`, `_`, `\\` escapes) as a GLOB pattern, which SQLite compares with case."""
    out: list[str] = []
    escaped = False
    for char in pattern:
        if not escaped and char == "\\":
            escaped = True
            continue
        if not escaped and char in "%_":
            out.append("*" if char == "%" else "?")
        else:
            out.append(f"[{char}]" if char in "*?[" else char)
        escaped = False
    if escaped:
        out.append("\\")
    return "".join(out)


def _control(text: str) -> bool:
    return "\x00" in text or "\x01" in text
