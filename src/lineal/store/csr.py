"""A snapshot of the graph for questions that reach a large part of it: two arrays in a file, mapped into memory, plus newer edges.

The file holds the edges that stood up to some moment as a compressed sparse row in each direction. Who asks reads the edges that came since, which
the store keeps in the order of their coming. It is built in the background and put in its place whole; an old one serves until then.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from lineal.core.model import EdgeKind
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.logical import KEPT_PARTS
from lineal.store.tx import Tx
from lineal.store.words import find_word, get_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]

_FORM = 2  # of the file
_AT_ONCE = 200_000  # rows read between two words of progress
_STALE = 200_000  # newer edges after which a snapshot is built again
_OVERLAP = 1000  # parts whose numbers were given before the snapshot and may have been committed after it (PostgreSQL)
_GOVERNS = ("environment", "code")


class Head(msgspec.Struct, frozen=True):
    """What a snapshot holds. nodes: its vertices are below that number; through: the last part of edges that is in it; kinds: of
    runs and artifacts, by their numbers in its array of kinds."""

    form: int
    store: str
    nodes: int
    edges: int
    through: int
    kinds: list[str]


class Progress(msgspec.Struct, frozen=True):
    """How far a snapshot is built. done, of: edges; ready: it stands."""

    done: int
    of: int
    ready: bool

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return min(1.0, self.done / self.of) if self.of else 0.0


class Snapshot:
    """A mapped snapshot. Walks are over `behind` (data flows so) or `before` (against it)."""

    def __init__(self, folder: Path, head: Head) -> None:
        self.head = head
        self._folder = folder
        self.behind = self._pair("down")
        self.before = self._pair("up")
        self.kinds: NDArray[np.uint8] = np.load(folder / "kinds.npy", mmap_mode="r")

    def _pair(self, name: str) -> tuple[Ints, Ints]:
        return (
            np.load(self._folder / f"{name}.start.npy", mmap_mode="r"),
            np.load(self._folder / f"{name}.far.npy", mmap_mode="r"),
        )

    def reach(
        self, start: int, *, up: bool, newer: tuple[Ints, Ints] | None = None, limit_levels: int = 1_000_000
    ) -> tuple[int, NDArray[np.int64], NDArray[np.int32]]:
        """(how many vertices are reached from `start`, the vertices nearest first, the distance of each).

        Args:
            newer: sources and destinations of edges that came after the snapshot.

        O(edges touched); about 0.1 to 0.3 microseconds for each vertex.
        """
        starts, far = self.before if up else self.behind
        size = self.head.nodes
        extra = _Extra(newer, up) if newer is not None and len(newer[0]) else None
        if extra is not None:
            size = max(size, extra.highest + 1)
        size = max(size, start + 1)
        seen = np.zeros(size, dtype=bool)
        seen[start] = True
        place = np.empty(size, dtype=np.int32)
        frontier = np.array([start], dtype=np.int64)
        levels: list[NDArray[np.int64]] = []
        while len(frontier) and len(levels) < limit_levels:
            found = _neighbours(starts, far, frontier[frontier < self.head.nodes])
            if extra is not None:
                found = np.concatenate([found, extra.neighbours(frontier)])
            if not len(found):
                break
            found = found[~seen[found]]
            if not len(found):
                break
            if len(found) > size // 16:
                mark = np.zeros(size, dtype=bool)
                mark[found] = True
                frontier = np.flatnonzero(mark)
            else:
                frontier = _once(found, place)
            seen[frontier] = True
            levels.append(frontier)
        if not levels:
            return 0, np.empty(0, np.int64), np.empty(0, np.int32)
        nodes = np.concatenate(levels)
        away = np.repeat(np.arange(1, len(levels) + 1, dtype=np.int32), [len(level) for level in levels])
        return len(nodes), nodes, away


class _Extra:
    """The newer edges, sorted by where they begin."""

    def __init__(self, newer: tuple[Ints, Ints], up: bool) -> None:
        near, far = (newer[1], newer[0]) if up else newer
        order = np.argsort(near, kind="stable")
        self._near, self._far = near[order], far[order]
        self.highest = int(max(near.max(), far.max()))

    def neighbours(self, frontier: NDArray[np.int64]) -> Ints:
        low = np.searchsorted(self._near, frontier, "left")
        high = np.searchsorted(self._near, frontier, "right")
        return self._far[_ranges(low, high - low)]


def _once(found: Ints, place: Ints) -> NDArray[np.int64]:
    """The vertices in order of their numbers, each once. place: room for one number by vertex, whatever is in it.

    Of those that are the same the one that was written last stays: cheaper than a sort or a table of hashes.
    """
    order = np.arange(len(found), dtype=np.int32)
    place[found] = order
    once: NDArray[np.int64] = found[place[found] == order].astype(np.int64)
    once.sort()
    return once


def _neighbours(starts: Ints, far: Ints, frontier: NDArray[np.int64]) -> Ints:
    first = starts[frontier]
    found: Ints = far[_ranges(first, starts[frontier + 1] - first)]
    return found


def _ranges(first: Any, count: Any) -> NDArray[np.int64]:
    """The numbers first, first + 1, ... of each range behind one another."""
    total = int(count.sum())
    if not total:
        return np.empty(0, np.int64)
    ends = np.cumsum(count, dtype=np.int64)
    ranges: NDArray[np.int64] = np.arange(total, dtype=np.int64) + np.repeat(first - (ends - count), count)
    return ranges


class Snapshots:
    """The snapshots of one store, in a folder of their own. They are built by a process of their own, which outlives who asked."""

    def __init__(self, folder: Path, store: str) -> None:
        self._folder = folder
        self._store = store
        self._builder: subprocess.Popen[bytes] | None = None
        self._mapped: Snapshot | None = None

    def mapped(self) -> Snapshot | None:
        """The newest snapshot that stands, mapped; None when there is none."""
        try:
            name = (self._folder / "current").read_text()
            head = msgspec.json.decode((self._folder / name / "head.json").read_bytes(), type=Head)
        except (OSError, msgspec.DecodeError):
            return None
        if head.form != _FORM or head.store != _named(self._store):
            return None
        if self._mapped is None or self._mapped.head != head:
            try:
                self._mapped = Snapshot(self._folder / name, head)
            except (OSError, ValueError):
                return None
        return self._mapped

    def progress(self) -> Progress:
        """How far a snapshot is that is being built, by whomever."""
        try:
            return msgspec.json.decode((self._folder / "progress").read_bytes(), type=Progress)
        except (OSError, msgspec.DecodeError):
            return Progress(0, 0, ready=False)

    def build_soon(self) -> None:
        """Let a process build a snapshot, unless one does."""
        if self._builder is not None and self._builder.poll() is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # By its input, for the address of a database may hold a password.
        self._builder = subprocess.Popen(
            [sys.executable, "-m", "lineal.store.csr"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if self._builder.stdin is not None:
            self._builder.stdin.write(self._store.encode())
            self._builder.stdin.close()

    def wait(self, timeout_s: float) -> bool:
        """Wait for what this process had built; whether it stands. Raises nothing."""
        if self._builder is None:
            return False
        try:
            return self._builder.wait(timeout_s) == 0
        except subprocess.TimeoutExpired:
            return False

    def lock_path(self) -> Path:
        """The file that who builds a snapshot holds locked."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._folder / "lock"

    def _tell(self, progress: Progress) -> None:
        place = self._folder / f"progress.{os.getpid()}"
        place.write_bytes(msgspec.json.encode(progress))
        os.replace(place, self._folder / "progress")

    def build(self, tx: Tx) -> Head:
        """Build a snapshot from what the transaction sees, and put it in its place."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        total = int(tx.value("SELECT count(*) FROM edge") or 0)
        self._tell(Progress(0, total, ready=False))
        nodes = int(tx.value("SELECT COALESCE(max(id), 0) FROM node")) + 1
        through = int(tx.value("SELECT COALESCE(max(id), 0) FROM edge_part"))
        src, dst = self._edges(tx, total)
        name = f"{through}-{os.getpid()}-{time.monotonic_ns()}"
        folder = self._folder / name
        folder.mkdir(parents=True, mode=0o700)
        kinds, of = _kinds(tx, nodes)
        np.save(folder / "kinds.npy", of)
        head = Head(_FORM, _named(self._store), nodes, len(src), through, kinds)
        for way, near, far in (("down", src, dst), ("up", dst, src)):
            order = np.argsort(near, kind="stable")
            starts = np.zeros(nodes + 1, np.int32 if len(src) < 2**31 else np.int64)
            np.cumsum(np.bincount(near, minlength=nodes), out=starts[1:])
            np.save(folder / f"{way}.start.npy", starts)
            np.save(folder / f"{way}.far.npy", far[order].astype(np.int32))
        (folder / "head.json").write_bytes(msgspec.json.encode(head))
        pointer = self._folder / f"current.{os.getpid()}"
        pointer.write_text(name)
        os.replace(pointer, self._folder / "current")
        self._forget(name)
        self._tell(Progress(total, total, ready=True))
        return head

    def _edges(self, tx: Tx, total: int) -> tuple[Any, Any]:
        skipped = _governing(tx)
        less = f" AND type NOT IN ({each(tx, 'skipped')})" if skipped else ""
        values = {"skipped": skipped} if skipped else {}
        src: list[Any] = []
        dst: list[Any] = []
        after = -1
        done = 0
        while True:
            rows = tx.rows(
                f"SELECT dst, src FROM edge WHERE dst > :after AND {STANDS}{less} ORDER BY dst LIMIT :limit",
                after=after,
                limit=_AT_ONCE,
                **values,
            )
            if not rows:
                break
            last = rows[-1][0]
            if len(rows) == _AT_ONCE:  # the last vertex may have more than were read
                kept = [row for row in rows if row[0] != last]
                if not kept:
                    kept = tx.rows(
                        f"SELECT dst, src FROM edge WHERE dst = :last AND {STANDS}{less}", last=last, **values
                    )
                    after = last
                else:
                    after = kept[-1][0]
                rows = kept
            else:
                after = last
            part = np.array(rows, dtype=np.int64)
            dst.append(part[:, 0])
            src.append(part[:, 1])
            done += len(rows)
            self._tell(Progress(done, total, ready=False))
        if not src:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        return np.concatenate(src), np.concatenate(dst)

    def _forget(self, kept: str) -> None:
        """Take away older snapshots; one that somebody has mapped stays readable for him."""
        import shutil

        for other in self._folder.iterdir():
            if other.is_dir() and other.name != kept:
                shutil.rmtree(other, ignore_errors=True)


def _named(store: str) -> str:
    """A store's address without what it may hold of secrets."""
    return hashlib.sha256(store.encode()).hexdigest()


def _kinds(tx: Tx, nodes: int) -> tuple[list[str], NDArray[np.uint8]]:
    """(names of kinds, by vertex the number of its kind among them). Beyond 254 kinds the rest are `other`."""
    names = ["other"]
    of = np.zeros(nodes, np.uint8)
    for table in ("run", "version"):
        words = [word for (word,) in tx.rows(f"SELECT DISTINCT kind FROM {table}")]
        texts = get_words(tx, words)
        for word in words:
            if texts[word] not in names and len(names) < 255:
                names.append(texts[word])
            number = names.index(texts[word]) if texts[word] in names else 0
            found = tx.rows(f"SELECT node FROM {table} WHERE kind = :kind", kind=word)
            if found and number:
                of[np.fromiter((node for (node,) in found), np.int64, len(found))] = number
    return names, of


def newer_edges(tx: Tx, snapshot: Snapshot) -> tuple[Any, Any] | None:
    """Sources and destinations of the edges that came after a snapshot; None when one of its edges may no longer stand, or when
    so many came that it should be built again."""
    newest = int(tx.value("SELECT COALESCE(max(id), 0) FROM edge_part"))
    if newest - (snapshot.head.through - _OVERLAP) >= KEPT_PARTS:  # some may be forgotten
        return None
    rows = tx.rows(
        "SELECT id, gone, body FROM edge_part WHERE id > :after ORDER BY id LIMIT 100001",
        after=snapshot.head.through - _OVERLAP,
    )
    parts = []
    count = 0
    for id, gone, body in rows:
        if gone and id > snapshot.head.through:
            return None
        if not gone:
            parts.append(np.frombuffer(body, dtype="<i8").reshape(-1, 2))
            count += len(parts[-1])
    if count > _STALE or len(rows) > 100_000:
        return None
    found = np.concatenate(parts) if parts else np.empty((0, 2), np.int64)
    return found[:, 0], found[:, 1]


def _governing(tx: Tx) -> list[int]:
    words = [word for word in (find_word(tx, role) for role in _GOVERNS) if word is not None]
    if not words:
        return []
    rows = tx.rows(
        f"SELECT id FROM edge_type WHERE kind = :kind AND role IN ({each(tx, 'words')})",
        kind=int(EdgeKind.USED),
        words=words,
    )
    return [id for (id,) in rows]


def main() -> int:
    """Build a snapshot of the store whose address comes by the input, unless somebody does."""
    from lineal.store.open import open_store

    store = open_store(sys.stdin.read(), create=False)
    try:
        snapshots = store.snapshots
        lock = open(snapshots.lock_path(), "w")  # noqa: SIM115 - held until the process ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return 0
        with store.read() as tx:
            snapshots.build(tx)
        return 0
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(main())
