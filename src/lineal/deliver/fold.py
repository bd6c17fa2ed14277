"""Which files of a run are one data set rather than many: images in folders, partitioned tables, chunked arrays."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable

from lineal.core.events import Level
from lineal.deliver.fingerprint import Fingerprint
from lineal.resolve.content import folder_of

MOST_FILES = 400_000  # of one run that are followed one by one; of more only the folders are named
MOST_FOLDERS = 10_000
FEWEST = 100  # files of one folder that make it a data set
_CHUNKED = (b".zarr", b".n5", b".icechunk", b".lance", b".tiledb")
_TABLES = (b".parquet", b".orc", b".avro", b".arrow", b".ipc", b".feather", b".csv", b".csv.gz")


def folders(paths: Iterable[bytes], root: bytes) -> dict[bytes, bytes]:
    """The data set's folder of each path that is part of one; paths that stand for themselves are left out.

    A chunked array is its folder, and a table partitioned as `key=value/` the folder above the first such part, as soon
    as two files of it are there; what lies beside its parts and begins with `_` or `.` (`_SUCCESS`) belongs to it. Otherwise a folder is a data set when FEWEST files in it were touched, or when nothing
    in it was but FEWEST files of one kind in two or more folders below it. The project's root and what lies above it is
    none.

    root: absolute, without a slash at its end. O(paths x depth).
    """
    found: dict[bytes, bytes] = {}
    plain: list[bytes] = []
    marked: dict[bytes, list[bytes]] = {}
    for path in paths:
        if (folder := _marked(path)) and may_be(folder, root):
            marked.setdefault(folder, []).append(path)
        else:
            plain.append(path)
    tables = {folder for folder, inside in marked.items() if len(inside) > 1}
    for folder, inside in marked.items():
        if folder in tables:
            found.update(dict.fromkeys(inside, folder))
        else:
            plain.extend(inside)
    if tables:
        beside = [path for path in plain if is_companion(path) and os.path.dirname(path) in tables]
        found.update({path: os.path.dirname(path) for path in beside})
        plain = [path for path in plain if path not in found]
    if highest := _highest(plain, root):
        for path in plain:
            if (whole := highest(folder_of(path))) is not None:
                found[path] = whole
    return found


def may_be(folder: bytes, root: bytes) -> bool:
    """Whether a folder may stand for what is in it: it lies in the project, or apart from it and not at the very top."""
    if (root + b"/").startswith(folder.rstrip(b"/") + b"/"):
        return False
    return folder.count(b"/") > 1 or folder.startswith(root + b"/")


class Beyond:
    """Files that a run touched after so many that no more are followed: counted, and by folder as far as there is room."""

    def __init__(self) -> None:
        self._folders: Counter[bytes] = Counter()
        self._elsewhere = 0

    def add(self, path: bytes) -> None:
        """One access to such a file."""
        folder = os.path.dirname(path)
        if folder in self._folders or len(self._folders) < MOST_FOLDERS:
            self._folders[folder] += 1
        else:
            self._elsewhere += 1

    def marked(self, folder: bytes, content: Fingerprint) -> Fingerprint:
        """The content of a data set, or that it is not known, because not all of its files were followed."""
        inside = folder + b"/"
        many = sum(n for below, n in self._folders.items() if below == folder or below.startswith(inside))
        if not many and not self._elsewhere:
            return content
        reason = f"{many or self._elsewhere:,} accesses to more of its files were not followed"
        return Fingerprint(sha256=None, size=None, level=Level.NONE, reason=reason)

    def gap(self) -> str:
        """What the record says of them, "" when there are none."""
        if not self._folders:
            return ""
        many = self._folders.total() + self._elsewhere
        named = ", ".join(os.fsdecode(folder) for folder, _ in self._folders.most_common(3))
        more = f" and {len(self._folders) - 3:,} more folders" if len(self._folders) > 3 else ""
        return f"not followed: {many:,} accesses to files after the first {MOST_FILES:,} of the run, in {named}{more}"


def is_companion(path: bytes) -> bool:
    """Whether a file beside the parts of a table says something of it rather than being one."""
    return path[path.rfind(b"/") + 1 :].startswith((b"_", b"."))


def companions(folder: bytes) -> list[bytes]:
    """The files that lie in a table's folder beside its parts."""
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if is_companion(entry.name) and entry.is_file()]
    except OSError:
        return []


def is_table(paths: Iterable[bytes], folder: bytes) -> bool:
    """Whether files are the parts of a table in a folder, partitioned as `key=value/`."""
    return any(_marked(path) == folder and path.endswith(_TABLES) for path in paths)


def _marked(path: bytes) -> bytes:
    """The folder that the names of a path mark as one thing, b"" when none does."""
    if b"=" not in path and not any(ending in path for ending in _CHUNKED):
        return b""
    parts = path.split(b"/")
    for at, part in enumerate(parts[1:-1], 1):
        if part.endswith(_CHUNKED):
            return b"/".join(parts[: at + 1])
        if b"=" in part.strip(b"=") and parts[-1].endswith(_TABLES):
            return b"/".join(parts[:at])
    return b""


def _highest(paths: list[bytes], root: bytes) -> Callable[[bytes], bytes | None] | None:
    """The data set that a folder belongs to, as a function; None when there is none at all."""
    if len(paths) < FEWEST:
        return None
    direct: Counter[bytes] = Counter()
    kinds: dict[bytes, set[bytes]] = {}
    for path in paths:
        folder = folder_of(path)
        direct[folder] += 1
        kinds.setdefault(folder, set()).add(os.path.splitext(path)[1])
    below: Counter[bytes] = Counter()
    children: dict[bytes, set[bytes]] = {}
    for folder, count in direct.items():
        at = folder
        below[at] += count
        while (above := os.path.dirname(at)) != at:
            children.setdefault(above, set()).add(at)
            kinds.setdefault(above, set()).update(kinds[folder])
            below[above] += count
            at = above
    known: dict[bytes, bytes | None] = {}

    def is_one(folder: bytes) -> bool:
        if not may_be(folder, root):
            return False
        parts = children.get(folder, set())
        alike = len(parts) > 1 and all(kinds[part] == kinds[folder] for part in parts)
        return direct[folder] >= FEWEST or (not direct[folder] and alike and below[folder] >= FEWEST)

    def highest(folder: bytes) -> bytes | None:
        if folder not in known:
            above = os.path.dirname(folder)
            higher = highest(above) if above != folder else None
            known[folder] = higher if higher is not None else (folder if is_one(folder) else None)
        return known[folder]

    return highest
