"""`shutil.rmtree` removes by directory descriptors, which cannot be followed; so its files are looked at beforehand."""

from __future__ import annotations

import os

from . import files, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..journal.append import Journal

_MOST = 1000  # files of one tree; a larger one is a cache, a checkout or an environment


def removed(journal: Journal, args: tuple[Any, ...]) -> None:
    """The tree `args[0]` is about to be removed."""
    top = files.absolute(args[0])
    if not top or (len(args) > 1 and args[1] not in (-1, None)) or files.ignored(top + "/"):
        return
    found: list[str] = []
    for folder, folders, inside in os.walk(top):
        folders[:] = [name for name in folders if not files.ignored(os.path.join(folder, name) + "/")]
        found += [os.path.join(folder, name) for name in inside]
        if len(found) > _MOST:
            text = f"{top} was removed with more than {_MOST} files, which were not looked at"
            journal.json("note", level="info", text=text)
            return
    for path in found:
        names.removed_in_tree(journal, path)
