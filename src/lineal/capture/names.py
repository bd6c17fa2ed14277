"""What the interpreter's audit events say about names: renamed, linked, removed; and files that are truncated by their name.

Imported at the first such event. As in `files`, an event comes before the act, so what would fail anyway is not reported.
"""

from __future__ import annotations

import os

from ..journal.foreign import raise_again
from . import files, overwrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..journal.append import Journal

_TYPE, _REGULAR, _FOLDER, _LINK = 0o170000, 0o100000, 0o040000, 0o120000
_REMOVED = 3
_MOST = 1 << 20
_made: set[str] = set()  # folders that this process made
_told_gone: set[str] = set()  # told to be removed before they were, with the tree they are in


def renamed(journal: Journal, args: tuple[Any, ...], how: str = "rename") -> None:
    """`os.rename`: (source, target, descriptors of the folders they are relative to)."""
    source, target = files.absolute(args[0], *args[2:3]), files.absolute(args[1], *args[3:4])
    if not source or not target or (files.ignored(source) and files.ignored(target)):
        return
    if how == "link" and source.startswith("/proc/"):
        files.wrote(target, None)  # a file that had no name until now
        return
    try:
        moved = os.lstat(source)
    except OSError as error:
        raise_again(error)
        return
    try:
        lost = os.lstat(target)
        if how != "rename":
            return  # linking never replaces
        if (lost.st_ino, lost.st_dev) != (moved.st_ino, moved.st_dev):
            overwrite.before(journal, target, lost)
    except OSError as error:
        raise_again(error)
    if not os.access(os.path.dirname(target), os.W_OK):
        return
    more: dict[str, Any] = {} if how == "rename" else {"how": how}
    if moved.st_mode & _TYPE == _FOLDER:
        more["kind"] = "directory"
        if how == "rename" and source in _made:
            more["made"] = True
            _made.difference_update(inside := [p for p in _made if p == source or p.startswith(source + "/")])
            _made.update([target + p[len(source) :] for p in inside])
    elif moved.st_mode & _TYPE == _LINK:
        more["kind"] = "link"
    journal.json("mv", src=source, dst=target, stat=overwrite.stat_of(moved), **more)
    if how == "rename":
        files.carried(source, target)


def folder_made(journal: Journal, args: tuple[Any, ...]) -> None:
    """`os.mkdir`: (path, mode, descriptor of the folder it is relative to)."""
    path = files.absolute(args[0], args[2], ours=True)
    if path and len(_made) < _MOST and not files.ignored(path) and not os.path.lexists(path):
        _made.add(path)


def linked(journal: Journal, args: tuple[Any, ...]) -> None:
    """`os.link`, as `os.rename`."""
    renamed(journal, args, "link")


def symlinked(journal: Journal, args: tuple[Any, ...]) -> None:
    """`os.symlink`: (target of the link, its name, descriptor of the folder that is relative to)."""
    source, target = files.text(args[0]), files.absolute(args[1], *args[2:3])
    if source and target:
        renamed(journal, (os.path.join(os.path.dirname(target), source), target), "symlink")


def removed(journal: Journal, args: tuple[Any, ...]) -> None:
    """`os.remove`: (path, descriptor of the folder it is relative to)."""
    path = files.absolute(args[0], *args[1:2])
    if path in _told_gone:
        _told_gone.discard(path)
    elif path:
        _removed(journal, path)


def removed_in_tree(journal: Journal, path: str) -> None:
    """Report `path` as removed before its own turn comes."""
    _removed(journal, path)
    if not files.seen_below:  # else its own turn is not told here
        _told_gone.add(path)


def _removed(journal: Journal, path: str) -> None:
    """Report that `path` is about to be removed, and its digest if nobody has it yet."""
    if files.tried(path) or files.ignored(path):
        return
    try:
        found = os.lstat(path)
    except OSError as error:
        raise_again(error)
        return
    kind = found.st_mode & _TYPE
    if kind not in (_REGULAR, _LINK) or not os.access(os.path.dirname(path), os.W_OK):
        return
    overwrite.before(journal, path, found)
    journal.file(_REMOVED, files.AUDIT, path, overwrite.stat_of(found))
    files.gone(path)


def truncated(journal: Journal, args: tuple[Any, ...]) -> None:
    """`os.truncate`: (path or descriptor, length)."""
    path = files.absolute(args[0])
    if not path or files.ignored(path):
        return
    try:
        found = os.stat(path)
    except OSError as error:
        raise_again(error)
        return
    if found.st_mode & _TYPE == _REGULAR and os.access(path, os.W_OK):
        if args[1]:
            files.modify(path, found, files.MODIFY, files.AUDIT, "os.truncate")
        else:
            overwrite.before(journal, path, found)
            files.wrote(path, overwrite.stat_of(found))
