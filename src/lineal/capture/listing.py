"""Which folders a program listed, and which files it looked for in vain: what a later run must find unchanged to be the same.

Only a run that may be skipped later (`lineal run --cache`) is watched so: a folder is listed a second time to know what was seen.
"""

from __future__ import annotations

import hashlib
import os
import sys

from . import files
from .guard import swallow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..journal.append import Journal

VARIABLE = "LINEAL_CACHE"
_MOST_NAMES = 2_000  # names of one folder that are told; of more, their digest
_MOST_FOLDERS = 100_000
_CODE = (".py", ".so", ".pyd")

_listed: set[str] = set()
_absent: set[str] = set()
_given_up = False
_installed = False


def forget() -> None:
    """Tell again what is listed and looked for from now on: it belongs to another run."""
    global _given_up
    _listed.clear()
    _absent.clear()
    _given_up = False


def install(journal: Journal, *, told: bool = True) -> None:
    """Watch listings and vain openings too, in this process and in what it forks. told: that the process is watched is recorded."""
    global _installed
    if _installed:
        return
    _installed = True

    def listed(args: tuple[Any, ...]) -> None:
        _list(journal, args[0] if args else None)

    def absent(path: str) -> None:
        if len(_absent) < _MOST_FOLDERS and path not in _absent:
            _absent.add(path)
            journal.json("absent", path=path)

    if told:
        journal.json("watch")
    files.also({"os.listdir": files.guarded(listed), "os.scandir": files.guarded(listed)}, absent)


def _list(journal: Journal, given: Any) -> None:
    if isinstance(given, int):
        _give_up(journal, "a folder was listed by its descriptor")
        return
    path = files.absolute(given if given is not None else ".")
    if not path or path in _listed or files.ignored(path.rstrip("/") + "/"):
        return
    if len(_listed) >= _MOST_FOLDERS:
        _give_up(journal, f"more than {_MOST_FOLDERS} folders were listed")
        return
    _listed.add(path)
    try:
        names = os.listdir(path)
    except OSError as error:
        swallow(error)
        return
    by_importer = _by_importer()
    if by_importer:
        names = [name for name in names if name.endswith(_CODE)]
    told = {"names": sorted(names)} if len(names) <= _MOST_NAMES else {}
    journal.json("listed", path=path, digest=digest(names), count=len(names), importer=by_importer, **told)


def digest(names: list[str]) -> str:
    """The digest of a folder's names, whatever their order."""
    whole = b"\0".join(sorted([os.fsencode(name) for name in names]))
    return "sha256:" + hashlib.sha256(whole).hexdigest()


def code_in(names: list[str]) -> list[str]:
    """Those of a folder's names that the interpreter could import."""
    return [name for name in names if name.endswith(_CODE)]


def _by_importer() -> bool:
    """Whether the interpreter looks for modules there."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):
            return True
        if not name.startswith(_HERE):
            return False
        frame = frame.f_back
    return False


def _give_up(journal: Journal, reason: str) -> None:
    global _given_up
    if not _given_up:
        _given_up = True
        journal.json("listed", path="", reason=reason)


_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
