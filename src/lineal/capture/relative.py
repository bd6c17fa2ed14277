"""Names that are relative to another folder than the working directory: `dir_fd=`, and `open(..., opener=)`.

The event `open` tells the name and not the folder. Where the preloaded library is, it tells such an opening: it sees what the kernel is
asked for. Elsewhere the calling instruction says whether a folder was given, and what was opened in it stays unnamed, with a note.
"""

from __future__ import annotations

import os
import sys

from . import control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    from ..journal.append import Journal

_MOST = 10_000
_known: dict[
    tuple[int, str], tuple[CodeType, bool]
] = {}  # by the code's address; it is kept, so that the address stays its own
_noted = False
_codes: dict[str, int] = {}


def told_below(path: str) -> bool:
    """Have the preloaded library tell the opening that this thread is about to make; False for our own words to it."""
    if path[:1] == "\x01":
        return False
    control.say("next")
    return True


def named(word: str) -> bool:
    """Whether the call that raised the event being handled gives an argument by the keyword `word`. Called by what a handler calls."""
    try:
        frame = sys._getframe(4)
    except ValueError:
        return False
    code = frame.f_code
    key = id(code), word
    known = _known.get(key)
    if known is None:
        if len(_known) >= _MOST:
            _known.clear()
        found = any(const.__class__ is tuple and word in const for const in code.co_consts)
        known = _known[key] = code, found
    return known[1] and word in _keywords(code, frame.f_lasti)


def _keywords(code: CodeType, at: int) -> tuple[Any, ...]:
    """The keywords of the call at an instruction; none when it is no such call."""
    if not _codes:
        import opcode

        _codes.update(opcode.opmap)
    words = code.co_code
    if words[at] not in _among("CALL_FUNCTION_KW", "PRECALL", "CALL", "CALL_KW"):
        return ()
    before = at - 2
    while before >= 0 and words[before] in _among("CACHE", "PRECALL"):
        before -= 2
    if before < 0 or words[before] not in _among("KW_NAMES", "LOAD_CONST"):
        return ()
    number = words[before + 1]
    if before >= 2 and words[before - 2] == _codes["EXTENDED_ARG"]:
        number += words[before - 1] << 8
    found = code.co_consts[number] if number < len(code.co_consts) else ()
    return found if found.__class__ is tuple else ()


def _among(*names: str) -> list[int]:
    """The instructions of these names that this interpreter has."""
    return [_codes[name] for name in names if name in _codes]


def unnamed(journal: Journal) -> None:
    """Note, once, that files were opened whose names cannot be told here."""
    global _noted
    if not _noted:
        _noted = True
        text = "files opened relative to a folder's descriptor (dir_fd) are not named: the layer below the interpreter is missing"
        journal.json("note", level="warning", text=text)


def folder(descriptor: Any) -> str:
    """The folder that is open at a descriptor of this process, "" when it cannot be told."""
    try:
        found = os.readlink("/proc/self/fd/%d" % descriptor)
    except (OSError, TypeError):
        return ""
    return found if found[:1] == "/" else ""
