"""SQLite, as the interpreter's own module opens it: a data base may be read and changed, so its content is hashed first."""

from __future__ import annotations

import os

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..journal.append import Journal

READ_WRITE, AUDIT = 4, 1


def connected(journal: Journal, args: tuple[Any, ...]) -> None:
    """`sqlite3.connect(args[0])` is about to happen."""
    name = files.text(args[0])
    if not name or name.startswith(":memory:"):
        return
    only_read = False
    if name.startswith("file:"):
        from urllib.parse import unquote

        name, _, query = name[5:].partition("#")[0].partition("?")
        options = query.split("&")
        if "mode=memory" in options or not name or name.startswith(":memory:"):
            return
        only_read = "mode=ro" in options or "immutable=1" in options
        name = unquote(name[2:] if name.startswith("///") else name)
    path = files.absolute(name)
    if not path or files.ignored(path):
        return
    try:
        found = os.stat(path)
    except OSError:
        if not only_read:
            journal.file(READ_WRITE, AUDIT, path, None, "sqlite3.connect")
        return
    if found.st_mode & 0o170000 != 0o100000:
        return
    if only_read:
        files.read(path, found, AUDIT, "sqlite3.connect")
    else:
        files.modify(path, found, READ_WRITE, AUDIT, "sqlite3.connect")
