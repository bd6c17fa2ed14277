"""Git and Git LFS: which commit and blob a file is, when it is tracked and as it was committed. Asks `git`, once for many files."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .content import stat_of
from .found import CONTENT, DECLARED, NATIVE, Found, Name
from .project import _origin, _short_remote

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n(?:.*\n)*?size (\d+)"
)
_LARGEST_POINTER = 1024
_AT_ONCE = 500  # paths given to one command
_TIMEOUT_S = 20.0


class _Entry(NamedTuple):
    blob: str
    dirty: bool
    pointer: str  # what an LFS pointer in the index names, 64 hex digits


class Repositories:
    """Finds what git knows of files. What it said of a file is kept as long as the file, the index and HEAD stay as they are."""

    def __init__(self) -> None:
        self._roots: Dict[bytes, Optional[bytes]] = {}
        self._known: Dict[bytes, Tuple[Any, Optional[Found]]] = {}
        self._heads: Dict[bytes, Tuple[Any, str]] = {}

    def forget(self) -> None:
        """Look again for repositories, which may have been begun meanwhile."""
        self._roots.clear()

    def of(self, files: Sequence[Tuple[bytes, str]]) -> Dict[bytes, Found]:
        """By path, what git knows of these files (path, SHA-256 of the content or ""); what is in no repository is left out."""
        found: Dict[bytes, Found] = {}
        asked: Dict[bytes, List[Tuple[bytes, str, Any]]] = {}
        for path, sha256 in files:
            root = self._root(os.path.dirname(path))
            if root is None:
                continue
            key = (_state(path), sha256, self._state(root))
            known = self._known.get(path)
            if known is not None and known[0] == key:
                if known[1] is not None:
                    found[path] = known[1]
            else:
                asked.setdefault(root, []).append((path, sha256, key))
        for root, items in asked.items():
            for path, key, item in self._ask(root, items):
                self._known[path] = (key, item)
                if item is not None:
                    found[path] = item
        return found

    def _root(self, folder: bytes) -> Optional[bytes]:
        waiting = []
        root: Optional[bytes] = None
        at = folder
        while True:
            if at in self._roots:
                root = self._roots[at]
                break
            waiting.append(at)
            if os.path.exists(os.path.join(at, b".git")):
                root = at
                break
            above = os.path.dirname(at)
            if above == at:
                break
            at = above
        for one in waiting:
            self._roots[one] = root
        return root

    @staticmethod
    def _state(root: bytes) -> Any:
        """What changes when something is staged or committed."""
        folder = _git_folder(root)
        return (
            _state(os.path.join(folder, b"index")),
            _state(os.path.join(folder, b"HEAD")),
            _state(os.path.join(folder, b"logs/HEAD")),
        )

    def _ask(
        self, root: bytes, items: List[Tuple[bytes, str, Any]]
    ) -> Iterator[Tuple[bytes, Any, Optional[Found]]]:
        try:
            commit = _git(root, "rev-parse", "--verify", "-q", "HEAD").decode().strip()
            entries: Dict[bytes, _Entry] = {}
            for start in range(0, len(items), _AT_ONCE):
                entries.update(_entries(root, [path for path, _, _ in items[start : start + _AT_ONCE]]))
        except (OSError, subprocess.SubprocessError) as error:
            gap = f"git could not be asked: {_short(error)}"
            for path, _, key in items:
                yield path, key, Found("git", gap=gap)
            return
        remote = _short_remote(_origin(os.path.join(os.fsdecode(_git_folder(root)), "config")))
        for path, sha256, key in items:
            entry = entries.get(path)
            yield path, key, None if entry is None else _found(root, path, sha256, entry, commit, remote)


def _found(root: bytes, path: bytes, sha256: str, entry: _Entry, commit: str, remote: str) -> Found:
    relative = (
        os.fsdecode(os.path.relpath(path, root)).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    )
    facts: Dict[str, Any] = {"path": relative, "blob": entry.blob, "commit": commit, "dirty": entry.dirty}
    if remote:
        facts["remote"] = remote
    names: List[Name] = []
    if entry.pointer:
        facts["lfs"] = f"sha256:{entry.pointer}"
        inside = _pointer_in(path)
        if inside == entry.pointer:
            gap = "this is the pointer that Git LFS keeps, not the data: it was not fetched"
            names += [Name("lfs", entry.pointer, DECLARED), Name("git", entry.blob, CONTENT)]
            return Found("git-lfs", tuple(names), facts, gap)
        # Without the filter installed, git calls what the pointer stands for a change.
        clean = sha256 == entry.pointer
        facts["dirty"] = not clean
        if not clean:
            return Found("git-lfs", (), facts, "the file differs from what is committed" if sha256 else "")
        names.append(Name("lfs", entry.pointer, CONTENT))
        if commit:
            names.append(Name("git", f"{relative}@{commit}", NATIVE))
        return Found("git-lfs", tuple(names), facts)
    if entry.dirty:
        return Found("git", (), facts, "the file differs from what is committed")
    names.append(Name("git", entry.blob, CONTENT))
    if commit:
        names.append(Name("git", f"{relative}@{commit}", NATIVE))
    return Found("git", tuple(names), facts)


def _entries(root: bytes, paths: List[bytes]) -> Dict[bytes, _Entry]:
    """By path, what the index holds; what is not tracked is left out."""
    relative = [os.path.relpath(path, root) for path in paths]
    given = b"\0".join(relative)
    blobs: Dict[bytes, str] = {}
    for line in _git(root, "ls-files", "-s", "-z", "--", *relative).split(b"\0"):
        about, tab, name = line.partition(b"\t")
        words = about.split(b" ")
        if tab and len(words) == 3 and words[2] == b"0":
            blobs[name] = words[1].decode()
    if not blobs or not given:
        return {}
    dirty: set[bytes] = set()
    listed = _git(
        root, "status", "--porcelain", "-z", "-uno", "--ignore-submodules", "--no-renames", "--", *blobs
    )
    for line in listed.split(b"\0"):
        if len(line) > 3:
            dirty.add(line[3:])
    pointers = _pointers(root, set(blobs.values())) if _uses_lfs(root) else {}
    return {
        os.path.join(root, name): _Entry(blob, name in dirty, pointers.get(blob, ""))
        for name, blob in blobs.items()
    }


def _uses_lfs(root: bytes) -> bool:
    if os.path.isdir(os.path.join(_git_folder(root), b"lfs")):
        return True
    try:
        with open(os.path.join(root, b".gitattributes"), "rb") as file:
            return b"filter=lfs" in file.read(1 << 20)
    except OSError:
        return False


def _pointers(root: bytes, blobs: set[str]) -> Dict[str, str]:
    """By blob, what those that are LFS pointers name."""
    given = "".join(f"{blob}\n" for blob in sorted(blobs)).encode()
    small: List[str] = []
    for line in _git(root, "cat-file", "--batch-check", given=given).decode().splitlines():
        words = line.split(" ")
        if len(words) == 3 and words[1] == "blob" and int(words[2]) <= _LARGEST_POINTER:
            small.append(words[0])
    found: Dict[str, str] = {}
    if not small:
        return found
    data = _git(root, "cat-file", "--batch", given="".join(f"{blob}\n" for blob in small).encode())
    at = 0
    for blob in small:
        end = data.index(b"\n", at)
        size = int(data[at:end].split(b" ")[2])
        if pointer := _POINTER.match(data[end + 1 : end + 1 + size]):
            found[blob] = pointer[1].decode()
        at = end + 1 + size + 1
    return found


def _pointer_in(path: bytes) -> str:
    """What the file names if it is itself an LFS pointer, 64 hex digits; "" when it is none."""
    stat = stat_of(path)
    if stat is None or stat.size > _LARGEST_POINTER:
        return ""
    try:
        with open(path, "rb") as file:
            pointer = _POINTER.match(file.read(_LARGEST_POINTER))
    except OSError:
        return ""
    return pointer[1].decode() if pointer else ""


def _git_folder(root: bytes) -> bytes:
    """The repository's own folder: `.git`, or where the file of that name says (a worktree, a submodule)."""
    plain = os.path.join(root, b".git")
    try:
        with open(plain, "rb") as file:
            said = file.read(4096).strip()
    except OSError:
        return plain
    return os.path.normpath(os.path.join(root, said[8:])) if said.startswith(b"gitdir: ") else plain


def _git(root: bytes, *words: "str | bytes", given: Optional[bytes] = None) -> bytes:
    """What git prints, without taking its locks or running the repository's own programs."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        environment.pop(name, None)
    done = subprocess.run(
        ["git", "-c", "core.fsmonitor=false", "-c", "core.quotepath=false", "--literal-pathspecs", *words],
        cwd=root,
        env=environment,
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode > 1 or (done.returncode and words[0] != "rev-parse"):
        raise OSError(done.returncode, done.stderr.decode("utf-8", "replace").strip()[:200])
    return done.stdout


def _short(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took longer than {_TIMEOUT_S:.0f} s"
    return str(getattr(error, "strerror", None) or error)


def _state(path: bytes) -> Any:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
