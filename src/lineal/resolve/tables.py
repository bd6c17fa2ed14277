"""Which table, if any, a file or folder is part of: a folder that a table format keeps as one thing."""

from __future__ import annotations

import os
from typing import Dict, List, NamedTuple, Optional

from . import delta, iceberg
from .content import folder_of


class Root(NamedTuple):
    """The folder of a table and its format: `delta` or `iceberg`."""

    kind: str
    path: bytes


class Roots:
    """Finds the tables that paths are part of; what was found of a folder is kept until `forget`."""

    def __init__(self) -> None:
        self._known: Dict[bytes, Optional[Root]] = {}

    def forget(self) -> None:
        """Look again: folders may have become tables meanwhile."""
        self._known.clear()

    def of(self, path: bytes, *, file: bool = False) -> Optional[Root]:
        """The table that the path is part of, or is; None when there is none. What else lies in its folder is no part of it.

        file: it is known to be a file, which is no table itself.
        """
        if file:
            folder = folder_of(path)
            if folder not in self._known:
                self._known[folder] = self._around(folder)
            root = self._known[folder]
        else:
            root = self._around(path)
        return root if root is not None and _is_part(path, root) else None

    def _around(self, path: bytes) -> Optional[Root]:
        waiting: List[bytes] = []
        at = path
        while True:
            if at in self._known:
                root = self._known[at]
                break
            root = _root(at)
            if root is not None:
                self._known[at] = root
                break
            waiting.append(at)
            above = os.path.dirname(at)
            if above == at:
                break
            at = above
        for one in waiting[1:]:  # the path itself is mostly a file, asked for once
            self._known[one] = root
        return root


_DATA = (b".parquet", b".orc", b".avro", b".bin", b".puffin")
_LOGS = {"delta": delta.LOG, "iceberg": iceberg.FOLDER}


def _is_part(path: bytes, root: Root) -> bool:
    if path == root.path or path.endswith(_DATA):
        return True
    return is_log(root, path) or os.path.isdir(path)


def is_log(root: Root, path: bytes) -> bool:
    """Whether a file tells of the table's versions, and holds no data of it."""
    return path.startswith(os.path.join(root.path, _LOGS[root.kind]) + b"/")


def _root(folder: bytes) -> Optional[Root]:
    if os.path.isdir(os.path.join(folder, delta.LOG)):
        return Root("delta", folder)
    if os.path.isdir(os.path.join(folder, iceberg.FOLDER)) and iceberg.has_metadata(folder):
        return Root("iceberg", folder)
    return None
