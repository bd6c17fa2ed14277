"""From files to every name that a store of versions has for them: all kinds are asked, and all that is found is given back."""

from __future__ import annotations

import os
import time
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

from . import delta, dvc, folders, git, hub, iceberg
from .content import Stat, stat_of
from .found import Found, TableState
from .hashes import hash_of
from .tables import Root, Roots

_SETTLED_NS = 50_000_000  # a folder changed so lately may change again without its time telling


_Answer = TypeVar("_Answer")


class _Folder(NamedTuple):
    """The state of a folder, or of a file in it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    ino: int


class Resolver:
    """Resolves files, folders and tables; remembers what it was told as long as the files that say so stay as they are.

    Args:
        variables: the environment of the program whose data is resolved.
        known, learn: where hashes of files (path, stat, algorithm) are kept from one process to the next.
    """

    def __init__(
        self,
        variables: Optional[Mapping[str, str]] = None,
        known: Optional[Callable[[bytes, Stat, str], Optional[str]]] = None,
        learn: Optional[Callable[[bytes, Stat, str, str], None]] = None,
    ) -> None:
        self.variables: Mapping[str, str] = variables or {}
        self.roots = Roots()
        self._known, self._learn = known, learn
        self._hashes: Dict[Tuple[bytes, str], Tuple[Stat, str]] = {}
        self._git = git.Repositories()
        self._dvc = dvc.Repositories(self._hash)
        self._oxen = folders.Oxen()
        self._croissants = folders.Croissants()
        self._states: Dict[
            Tuple[bytes, Optional[int], Optional[int]], Tuple[_Folder, Optional[_Folder], TableState]
        ] = {}

    def forget(self) -> None:
        """Look again for repositories and tables, which may have been begun meanwhile. To be called now and then."""
        self.roots.forget()
        self._git.forget()
        self._dvc.forget()
        self._oxen.forget()

    def files(self, files: Sequence[Tuple[bytes, str]]) -> Dict[bytes, List[Found]]:
        """What is known of files and folders by their absolute paths, each with the SHA-256 of its bytes ("" when not known).

        What no store of versions knows is left out. A kind that fails says so in the `gap` of what it gives back.
        """
        loose = [(path, sha256) for path, sha256 in files if not os.path.isdir(path)]
        tracked = _safely("git", lambda: self._git.of(loose)) or {}
        if isinstance(tracked, Found):
            tracked = dict.fromkeys([path for path, _ in loose], tracked)
        found: Dict[bytes, List[Found]] = {}
        for path, sha256 in files:
            several = [tracked[path]] if path in tracked else []
            for kind, ask in self._kinds(path, sha256):
                one = _safely(kind, ask)
                if one is not None:
                    several.append(one)
            if several:
                found[path] = several
        return found

    def _kinds(self, path: bytes, sha256: str) -> Tuple[Tuple[str, Callable[[], Optional[Found]]], ...]:
        """The kinds that are asked of each file by itself."""
        return (
            ("hf", lambda: hub.of(path, sha256, self._hash)),
            ("dvc", lambda: self._dvc.of(path)),
            ("oxen", lambda: self._oxen.of(path)),
            ("croissant", lambda: self._croissants.of(path, sha256)),
            ("pachyderm", lambda: folders.pachyderm(path, self.variables)),
        )

    def table(self, root: Root, *, version: Optional[int] = None, by: Optional[int] = None) -> TableState:
        """What a table holds: at a version, else by a time (UTC microseconds), else now."""
        now = _stat(os.path.join(root.path, delta.LOG if root.kind == "delta" else iceberg.FOLDER))
        if by is not None and now is not None and by * 1000 >= now.mtime_ns:
            by = None  # nothing was added since
        asked = (root.path, version, by)
        known = self._states.get(asked)
        if known is not None and known[0] == now and known[1] == _said_by(root, known[2]):
            return known[2]
        if root.kind == "delta":
            state = delta.state(root.path, version=version, by=by)
        else:
            state = iceberg.state(root.path, by=by)
        if len(self._states) > 10_000:
            self._states.clear()
        if now is not None and time.time_ns() - now.mtime_ns > _SETTLED_NS:
            self._states[asked] = (now, _said_by(root, state), state)
        return state

    def _hash(self, path: bytes, algorithm: str) -> Optional[str]:
        """The hash of a file as it is now; None when it cannot be read."""
        stat = stat_of(path)
        if stat is None:
            return None
        kept = self._hashes.get((path, algorithm))
        if kept is not None and kept[0] == stat:
            return kept[1]
        value = self._known(path, stat, algorithm) if self._known is not None else None
        if value is None:
            try:
                value = hash_of(path, algorithm)
            except OSError:
                return None
            if stat_of(path) != stat:
                return None  # changed while it was read
            if self._learn is not None:
                self._learn(path, stat, algorithm, value)
        if len(self._hashes) > 100_000:
            self._hashes.clear()
        self._hashes[path, algorithm] = (stat, value)
        return value


def _safely(kind: str, ask: Callable[[], _Answer]) -> Union[_Answer, Found]:
    """What a kind answers; whatever it trips over in files that others wrote is a gap and costs nothing else."""
    try:
        return ask()
    except Exception as error:
        return Found(kind, gap=f"it could not be resolved: {type(error).__name__}: {error}")


def _said_by(root: Root, state: TableState) -> Optional[_Folder]:
    """The state of the metadata file that said what a table holds: one that is written over changes nothing in its folder."""
    name = state.facts.get("metadata")
    return _stat(os.path.join(root.path, iceberg.FOLDER, os.fsencode(name))) if name else None


def _stat(path: bytes) -> Optional[_Folder]:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return _Folder(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
