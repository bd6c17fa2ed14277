"""Frameworks that other packages add: entry points of the group `lineal.frameworks`, found without `importlib.metadata`.

An entry point's name is the module to wait for, its value the hook: `"acme.trainer" = "lineal_acme:hook"`. Looking into every
installed package costs milliseconds, so what was found in a folder is kept beside the journals, by the folder's time of
change, and looked up there by the next interpreter.
"""

from __future__ import annotations

import os
import sys

from .. import files, imports
from ..guard import swallow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any

    Found = list[tuple[str, str]]  # module to wait for, hook

_GROUP = "[lineal.frameworks]"
_LARGEST = 1 << 16  # bytes of one file that lists entry points


def install(directory: str) -> None:
    """Have the hooks of installed packages called after their modules. directory: of the journals, whose parent keeps what is known."""
    files.aside(_install, os.path.join(os.path.dirname(directory.rstrip("/")), "frameworks"))


def _install(kept: str) -> None:
    folders = [path for path in dict.fromkeys(sys.path) if path.endswith(("-packages", "-packages/"))]
    known = _known(kept)
    fresh: dict[str, Found] = {}
    for folder in folders:
        try:
            stamp = "%s %d" % (folder, os.stat(folder).st_mtime_ns)
        except OSError:
            continue
        if stamp not in known:
            fresh[stamp] = known[stamp] = list(_look(folder))
        for module, target in known[stamp]:
            imports.after(module, _hook(target))
    if fresh:
        _keep(kept, fresh)


def _hook(target: str) -> Any:
    def call(module: ModuleType) -> None:
        from . import seam

        where, _, name = target.partition(":")
        __import__(where)
        found: Any = sys.modules[where]
        for part in name.split("."):
            found = getattr(found, part)
        found(module, seam)

    return call


def _known(kept: str) -> dict[str, Found]:
    """What is kept: lines of `folder time`, each followed by its entries, indented."""
    known: dict[str, Found] = {}
    here: Found = []
    try:
        with open(kept, encoding="utf-8", errors="surrogateescape") as file:
            for line in file.read().splitlines():
                if line[:1] == "\t":
                    module, _, target = line[1:].partition("\t")
                    here.append((module, target))
                else:
                    here = known[line] = []
    except OSError:
        pass
    return known


def _keep(kept: str, fresh: dict[str, Found]) -> None:
    """Add what was found; a line that two processes add is the same line."""
    text = "".join(
        [
            stamp + "\n" + "".join(["\t" + module + "\t" + target + "\n" for module, target in found])
            for stamp, found in fresh.items()
        ]
    )
    try:
        size = os.path.getsize(kept)
    except OSError:
        size = 0
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if size < _LARGEST else os.O_TRUNC)
        fd = os.open(kept, flags, 0o600)
        try:
            os.write(fd, text.encode("utf-8", "surrogateescape"))
        finally:
            os.close(fd)
    except OSError as error:
        swallow(error)


def _look(folder: str) -> Iterable[tuple[str, str]]:
    with os.scandir(folder) as entries:
        places = [entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
    for place in sorted(places):
        try:
            with open(os.path.join(place, "entry_points.txt"), encoding="utf-8") as file:
                text = file.read(_LARGEST)
        except (OSError, ValueError):
            continue
        if _GROUP in text:
            yield from _entries(text)


def _entries(text: str) -> Iterable[tuple[str, str]]:
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == _GROUP
        elif inside and "=" in line and line[:1] not in "#;":
            name, _, value = line.partition("=")
            yield name.strip(), value.partition("[")[0].strip()
