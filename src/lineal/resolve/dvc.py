"""DVC: what `.dvc` files and `dvc.lock` declare of the files and folders around them, held against what is there.

A declaration is not the data: the workspace may differ. What is given back says whether it does.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from . import yaml_plain
from .content import files_below, stat_of
from .found import CONTENT, DECLARED, Found, Name
from .hashes import MD5, MD5_DOS2UNIX, dvc_directory

SCHEME = "dvc-md5"
KNOWN_SCHEMAS = ("1.0", "2.0")
_LARGEST = 64 << 20
_LARGEST_HASHED = (
    4 << 30
)  # bytes of one file that are hashed once more to tell whether the declaration is true
_MOST_FILES = 20_000
_LIST = re.compile(rb"[0-9a-f]{32}\.dir")  # what names the list of a folder in the cache

Hash = Callable[[bytes, str], Optional[str]]  # path, algorithm -> hex digits, None when it cannot be read


class Out(NamedTuple):
    """One output or import that DVC tracks.

    path: absolute; algorithm: `md5`, or `md5-dos2unix` before DVC 3, or another one; value: as DVC writes it; stage: of
    dvc.lock, empty for a `.dvc` file; declared: the file that says so.
    """

    path: bytes
    algorithm: str
    value: str
    size: Optional[int]
    stage: str
    declared: bytes


class Declared(NamedTuple):
    """What one file declares. gap: why it could not be read, empty when it could."""

    outs: Tuple[Out, ...]
    gap: str


class Repositories:
    """Finds what DVC says of paths; each file of it is read once for each state it is in."""

    def __init__(self, hash_of: Hash) -> None:
        self._hash = hash_of
        self._roots: Dict[bytes, Optional[bytes]] = {}
        self._folders: Dict[bytes, Tuple[Any, Tuple[bytes, ...]]] = {}
        self._files: Dict[bytes, Tuple[Any, Declared]] = {}
        self._listings: Dict[bytes, Dict[str, str]] = {}

    def forget(self) -> None:
        """Look again for repositories, which may have been begun meanwhile."""
        self._roots.clear()

    def of(self, path: bytes) -> Optional[Found]:
        """What DVC knows of the file or folder; None when it lies in no repository or nothing is said of it."""
        root = self._root(os.path.dirname(path))
        if root is None:
            return None
        gaps: List[str] = []
        best: Optional[Out] = None
        for folder in _up(os.path.dirname(path), root):
            for file in self._declaring(folder):
                declared = self._read(file)
                if declared.gap and (file == path + b".dvc" or file.endswith(b"/dvc.lock")):
                    gaps.append(f"{os.fsdecode(os.path.relpath(file, root))}: {declared.gap}")
                for out in declared.outs:
                    if path == out.path or path.startswith(out.path + b"/"):
                        best = out if best is None or len(out.path) > len(best.path) else best
        if best is None:
            return Found("dvc", gap="; ".join(gaps)) if gaps else None
        return self._held(path, best, root)

    # ---- what is declared --------------------------------------------------------------------------------------------

    def _root(self, folder: bytes) -> Optional[bytes]:
        waiting = []
        found: Optional[bytes] = None
        for at in _up(folder, b"/"):
            if at in self._roots:
                found = self._roots[at]
                break
            waiting.append(at)
            if os.path.isdir(os.path.join(at, b".dvc")):
                found = at
                break
        for at in waiting:
            self._roots[at] = found
        return found

    def _declaring(self, folder: bytes) -> Tuple[bytes, ...]:
        state = _state(folder)
        known = self._folders.get(folder)
        if known is not None and known[0] == state:
            return known[1]
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            names = []
        files = tuple(
            os.path.join(folder, name)
            for name in names
            if (name.endswith(b".dvc") and name != b".dvc") or name == b"dvc.lock"
        )[:_MOST_FILES]
        self._folders[folder] = (state, files)
        return files

    def _read(self, file: bytes) -> Declared:
        state = _state(file)
        known = self._files.get(file)
        if known is None or known[0] != state:
            known = self._files[file] = (state, read(file))
        return known[1]

    # ---- held against what is there ----------------------------------------------------------------------------------

    def _held(self, path: bytes, out: Out, root: bytes) -> Found:
        facts: Dict[str, Any] = {
            "declared_by": os.fsdecode(os.path.relpath(out.declared, root)),
            "out": os.fsdecode(os.path.relpath(out.path, root)),
            "declared": f"{out.algorithm}:{out.value}",
        }
        if out.stage:
            facts["stage"] = out.stage
        if out.algorithm not in (MD5, MD5_DOS2UNIX):
            gap = f"{out.algorithm!r} is no hash that is known here, so it was not held against the data"
            return Found("dvc", (Name(f"dvc-{out.algorithm}", out.value, DECLARED),), facts, gap)
        if path != out.path:
            return self._member(path, out, root, facts)
        now = self._directory(path, out) if out.value.endswith(".dir") else self._file(path, out)
        return _compared(out.value, now, out.algorithm, facts)

    def _file(self, path: bytes, out: Out) -> Optional[str]:
        stat = stat_of(path)
        if stat is None or stat.size > _LARGEST_HASHED:
            return None
        return self._hash(path, out.algorithm)

    def _directory(self, path: bytes, out: Out) -> Optional[str]:
        members: List[Tuple[str, str]] = []
        for relative in files_below(path):
            md5 = self._hash(os.path.join(path, relative), out.algorithm)
            if md5 is None or len(members) == _MOST_FILES:
                return None
            members.append((os.fsdecode(relative), md5))
        return dvc_directory(members)

    def _member(self, path: bytes, out: Out, root: bytes, facts: Dict[str, Any]) -> Found:
        """A file of a directory that is tracked as a whole: its own hash stands in the directory's list, in DVC's cache."""
        relative = os.fsdecode(os.path.relpath(path, out.path))
        facts["member"] = relative
        listed = self._listing(out, root)
        if listed is None:
            return Found("dvc", (), facts, f"the list of {out.value} is not in DVC's cache here")
        wanted = listed.get(relative)
        if wanted is None:
            return Found(
                "dvc", (), {**facts, "matches": False}, "the folder's declaration does not list this file"
            )
        return _compared(
            wanted, self._file(path, out), out.algorithm, {**facts, "declared": f"{out.algorithm}:{wanted}"}
        )

    def _listing(self, out: Out, root: bytes) -> Optional[Dict[str, str]]:
        digest = out.value.encode()
        if digest in self._listings:
            return self._listings[digest]
        if not _LIST.fullmatch(digest):
            return None  # it would name a file outside the cache
        for folder in _caches(root):
            try:
                with open(os.path.join(folder, digest[:2], digest[2:]), "rb") as file:
                    listed = json.loads(file.read(_LARGEST))
                found = {str(entry["relpath"]): str(entry["md5"]) for entry in listed}
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
            if len(self._listings) > 100:
                self._listings.clear()
            self._listings[digest] = found
            return found
        return None


def _compared(wanted: str, now: Optional[str], algorithm: str, facts: Dict[str, Any]) -> Found:
    if now is None:
        return Found(
            "dvc", (Name(SCHEME, wanted, DECLARED),), facts, "the data was not held against DVC's declaration"
        )
    facts["matches"] = now == wanted
    # The same MD5 with line ends made alike may stand for two contents, so it names, but does not say "the same".
    level = CONTENT if algorithm == MD5 else DECLARED
    gap = "" if now == wanted else "the workspace differs from what DVC declares"
    return Found("dvc", (Name(SCHEME, now, level),), facts, gap)


def read(file: bytes) -> Declared:
    """What a `.dvc` file or a `dvc.lock` declares."""
    try:
        with open(file, "rb") as opened:
            data = opened.read(_LARGEST)
        return outs_of(data.decode(), file)
    except OSError as error:
        return Declared((), f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return Declared((), "is no UTF-8")


def outs_of(text: str, file: bytes) -> Declared:
    """What the text of such a file declares; file: its absolute path, which its paths are relative to."""
    try:
        said = yaml_plain.load(text)
    except yaml_plain.Unreadable as error:
        return Declared((), f"is no YAML that DVC writes ({error})")
    if not isinstance(said, dict):
        return Declared((), "says nothing that is known of DVC")
    folder = os.path.dirname(file)
    if os.path.basename(file) != b"dvc.lock":
        within = _encoded(said.get("wdir") or ".")
        if within is None:
            return Declared((), "its wdir is no path")
        base = os.path.normpath(os.path.join(folder, within))
        return Declared(tuple(_outs(said.get("outs"), base, "", file)), "")
    stages, gap = stages_of(said)
    outs = [out for name, stage in stages.items() for out in _outs(stage.get("outs"), folder, name, file)]
    return Declared(tuple(outs), gap)


def stages_of(said: Dict[str, Any]) -> Tuple[Dict[str, Dict[str, Any]], str]:
    """The stages of a dvc.lock that was read, by name, and why there are none where its version is not known."""
    schema = said.get("schema")
    if schema is not None and schema not in KNOWN_SCHEMAS:
        return {}, f"its schema is {schema!r}, and known are {' and '.join(KNOWN_SCHEMAS)}"
    stages = said if schema is None else said.get("stages") or {}
    if not isinstance(stages, dict):
        return {}, "its stages are no mapping"
    return {name: stage for name, stage in stages.items() if isinstance(stage, dict)}, ""


def hash_in(entry: Dict[str, Any]) -> Tuple[str, str]:
    """(algorithm, value) of an out or dep as DVC writes it; ("", "") when it has none."""
    if entry.get("hash") and entry.get(str(entry["hash"])):
        return str(entry["hash"]), str(entry[str(entry["hash"])])
    if entry.get("md5"):  # without `hash` it was written by DVC 2 or earlier
        return MD5_DOS2UNIX, str(entry["md5"])
    for other in ("etag", "checksum"):
        if entry.get(other):
            return other, str(entry[other])
    return "", ""


def _outs(listed: Any, base: bytes, stage: str, file: bytes) -> Iterator[Out]:
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or not entry.get("path"):
            continue
        algorithm, value = hash_in(entry)
        path = _encoded(entry["path"])
        if value and path is not None and b"://" not in path:
            size = str(entry.get("size", ""))
            known = size.isdecimal() and len(size) < 20
            absolute = os.path.normpath(os.path.join(base, path))
            yield Out(absolute, algorithm, value, int(size) if known else None, stage, file)


def _encoded(said: Any) -> Optional[bytes]:
    """A path as the file system has it; None for what can be none."""
    try:
        path = os.fsencode(str(said))
    except UnicodeEncodeError:
        return None
    return None if b"\0" in path else path


def _caches(root: bytes) -> List[bytes]:
    """Where DVC keeps its cache: as configured, else in the repository; of DVC 3 and of earlier ones."""
    folder = os.path.join(root, b".dvc", b"cache")
    for name in (b"config.local", b"config"):
        try:
            with open(os.path.join(root, b".dvc", name), encoding="utf-8", errors="surrogateescape") as file:
                section = ""
                for line in file:
                    line = line.strip()
                    if line.startswith("["):
                        section = line.strip("[] ").strip("'\"")
                    elif section == "cache" and line.partition("=")[0].strip() == "dir":
                        said = os.fsencode(line.partition("=")[2].strip())
                        folder = os.path.normpath(os.path.join(root, b".dvc", said))
                        return [os.path.join(folder, b"files", b"md5"), folder]
        except OSError:
            continue
    return [os.path.join(folder, b"files", b"md5"), folder]


def _up(folder: bytes, last: bytes) -> Iterator[bytes]:
    """The folder and those above it, up to and with `last`."""
    at = folder
    while True:
        yield at
        above = os.path.dirname(at)
        if at in (last, above):
            return
        at = above


def _state(path: bytes) -> Any:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
