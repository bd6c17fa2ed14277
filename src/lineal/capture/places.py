"""What a library was given to read or write, as records: files, folders, patterns of names, URLs."""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISREG

from . import current, files, overwrite, remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Optional

    from .overwrite import Stat

    Earlier = list[tuple[str, Optional[Stat]]]  # paths about to be written, each with the state it was in

FUNCTION = 2
READ, WRITE, READ_WRITE, DIRECTORY_READ, DIRECTORY_WRITE, MODIFY = 1, 2, 4, 5, 6, 7
_LONGEST = 8192  # characters of a path; what is longer is content (JSON, CSV text) given in place of one
_MOST = 10_000
_told: dict[tuple[str, int], Optional[Stat]] = {}


def named(value: Any) -> Iterator[str]:
    """The paths and URLs in an argument: text, bytes, a path object, or a list of these. Open files name nothing."""
    if isinstance(value, (str, bytes, os.PathLike)):
        text = files.text(value)
        if text and len(text) <= _LONGEST and "\0" not in text:
            yield text
    elif isinstance(value, (list, tuple, set, frozenset)):
        for number, item in enumerate(value):
            if number == _MOST:
                return
            if isinstance(item, (str, bytes, os.PathLike)):
                yield from named(item)


def local(text: str) -> str:
    """The absolute path that `text` names, "" when it names something remote or nothing to be recorded."""
    if "://" in text:
        if remote.scheme(text):
            return ""
        text = text.partition("://")[2]
    path = files.absolute(text)
    return "" if not path or files.ignored(path) else path


def read(value: Any, lib: str) -> None:
    """Report what `value` names as read by `lib`; to be called before it is."""
    for text in named(value):
        if remote.scheme(text):
            remote.report(text, "read", lib)
        elif local(text):
            read_path(local(text), lib)


def read_path(path: str, lib: str, op: int = READ) -> None:
    """Report the file or folder at `path`, or the files a pattern matches, as read."""
    try:
        found = os.stat(path)
    except OSError:
        if "\n" not in path and any(c in path for c in "*?["):
            import glob

            for number, match in enumerate(glob.iglob(path, recursive=True)):
                if number == _MOST:
                    break
                if not any(c in match for c in "*?["):
                    read_path(match, lib, op)
        return
    journal = current.journal()
    if journal is None:
        return
    if S_ISDIR(found.st_mode):
        op = DIRECTORY_READ
    elif not S_ISREG(found.st_mode):
        return
    state = overwrite.stat_of(found)
    if _told.get((path, op)) != state:
        _told[path, op] = state
        if op == READ:
            files.note_read(path, state)
        journal.file(op, FUNCTION, path, state, lib)


def opened(value: Any, lib: str) -> None:
    """Report a data base that may be read and changed, whose content as it is now is hashed first."""
    journal = current.journal()
    for text in named(value):
        path = local(text)
        if not path or journal is None:
            continue
        try:
            found = os.stat(path)
        except OSError:
            journal.file(READ_WRITE, FUNCTION, path, None, lib)
            continue
        if S_ISREG(found.st_mode):
            files.modify(path, found, READ_WRITE, FUNCTION, lib)


def before_write(value: Any, lib: str, *, keeps: bool = False) -> Earlier:
    """To be called before `lib` writes what `value` names; `keeps`: what is there stays in. Give the answer to `written`."""
    earlier: Earlier = []
    journal = current.journal()
    for text in named(value):
        if remote.scheme(text):
            remote.report(text, "write", lib)
            continue
        path = local(text)
        if not path or journal is None:
            continue
        if not keeps:
            files.note_written(
                path
            )  # what it then appends through Python's own `open` comes after its own beginning
        try:
            found = os.stat(path)
        except OSError:
            earlier.append((path, None))
            continue
        if S_ISREG(found.st_mode):
            if keeps and found.st_size:
                files.modify(path, found, MODIFY, FUNCTION, lib)
            else:
                overwrite.before(journal, path, found)
            earlier.append((path, overwrite.stat_of(found)))
        elif S_ISDIR(found.st_mode):
            earlier.append((path, overwrite.stat_of(found)))
    return earlier


def written(earlier: Earlier, lib: str, *, failed: bool = False, pending: bool = False) -> None:
    """Report what stands there now that `lib` has written; after a failure only what changed.

    pending: it has only been opened, and will be written until it is closed.
    """
    journal = current.journal()
    for path, state in earlier:
        if journal is None:
            return
        try:
            found: Optional[os.stat_result] = None if pending else os.stat(path)
        except OSError:
            found = None
        now = None if found is None else overwrite.stat_of(found)
        if failed and now == state:
            files.note_unwritten(path)
            continue
        if found is not None and S_ISDIR(found.st_mode):
            journal.file(DIRECTORY_WRITE, FUNCTION, path, now, lib)
        elif found is None or S_ISREG(found.st_mode):
            files.note_written(path)
            journal.file(WRITE, FUNCTION, path, now, lib)
