"""Digests of files, remembered by stat, so that what a recorded run wrote is not read again when the next one uses it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

import apsw
import msgspec

from lineal.core.events import Level, Member
from lineal.resolve.content import (
    Stat,
    files_below,
    folder_of,
    manifest_digest,
    sha256_of,
    sorted_manifest_digest,
    stat_of,
)
from lineal.resolve.project import Project
from lineal.resolve.tables import Roots

_MOST_KNOWN = 10_000  # digests kept in memory when they are in the local file too
_SLOTS = 1 << 20
MOST_MEMBERS = 200_000  # files of one directory version; more are not listed and the version says so


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of some content. sha256: 64 hex digits or None, then reason says why not.

    changed: the file was altered between its reading and its hashing; then the digest is None.
    """

    sha256: str | None
    size: int | None
    level: Level
    reason: str = ""
    changed: bool = False
    members: list[Member] = []


_PART = Fingerprint(sha256=None, size=None, level=Level.NATIVE, reason="a part of a table")


class Fingerprints:
    """Hashes files and keeps (path, stat) -> digest in a local SQLite file. Not part of the record: it may be deleted."""

    def __init__(self, project: Project, progress: Callable[[int], None] | None = None) -> None:
        self._progress = progress
        self._known: dict[tuple[bytes, Stat], str] = {}
        self._new: list[tuple[bytes, Stat, str]] = []
        self._bare: dict[bytes, bool] = {}  # folders, and whether the local file knew nothing of them
        self._learnt = bytearray(_SLOTS)  # whether it may know a path by us; a slot for each by its hash
        self._database = self._open(os.path.join(project.dir, "cache.db"))
        self.roots = Roots()

    @staticmethod
    def _open(path: str) -> apsw.Connection | None:
        try:
            database = apsw.Connection(path)
            database.set_busy_timeout(2000)
            database.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF")
            database.execute(
                "CREATE TABLE IF NOT EXISTS fingerprint (path BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
                " ctime_ns INTEGER NOT NULL, ino INTEGER NOT NULL, dev INTEGER NOT NULL, sha256 TEXT NOT NULL,"
                " PRIMARY KEY (path, size, mtime_ns, ctime_ns, ino, dev)) WITHOUT ROWID"
            )
            database.execute(
                "CREATE TABLE IF NOT EXISTS other_hash (path BLOB NOT NULL, algorithm TEXT NOT NULL, stat TEXT NOT NULL,"
                " value TEXT NOT NULL, PRIMARY KEY (path, algorithm)) WITHOUT ROWID"
            )
        except apsw.Error:
            return None  # without the cache files are hashed again, and nothing else is lost
        return database

    def learn(self, path: bytes, stat: Stat, sha256: str) -> None:
        """Remember a digest that was taken at this stat."""
        if (path, stat) not in self._known:
            self._known[path, stat] = sha256
            self._new.append((path, stat, sha256))
            self._learnt[hash(path) & _SLOTS - 1] = 1
            if len(self._new) >= _MOST_KNOWN:
                self.save()

    def known(self, path: bytes, stat: Stat) -> str | None:
        """The digest of the path at this stat, if it was ever taken."""
        if (found := self._known.get((path, stat))) is not None:
            return found
        if self._database is None:
            return None
        folder = folder_of(path)
        bare = self._bare.get(folder)
        if bare is None:
            bare = self._bare[folder] = self._knows_nothing_of(folder)
        if bare and not self._learnt[hash(path) & _SLOTS - 1]:
            return None
        try:
            row = self._database.execute(
                "SELECT sha256 FROM fingerprint WHERE path=? AND size=? AND mtime_ns=? AND ctime_ns=? AND ino=? AND dev=?",
                (path, stat.size, stat.mtime_ns, stat.ctime_ns, _signed(stat.ino), _signed(stat.dev)),
            ).fetchone()
        except apsw.Error:
            return None
        if row:
            if len(self._known) > _MOST_KNOWN and not self._new:
                self._known.clear()
            self._known[path, stat] = row[0]
            return str(row[0])
        return None

    def _knows_nothing_of(self, folder: bytes) -> bool:
        """Whether no file of a folder is in the local file: then a large data set needs no question for each of its files."""
        assert self._database is not None
        inside = folder.rstrip(b"/") + b"/"
        query = "SELECT 1 FROM fingerprint WHERE path > ? AND path < ? LIMIT 1"
        try:
            return self._database.execute(query, (inside, inside[:-1] + b"0")).fetchone() is None
        except apsw.Error:
            return True

    def take(self, path: bytes, at: Stat | None) -> Fingerprint:
        """The content of the path as it was at stat `at`, hashing it now if the file is still so.

        `at` None: as it is now. Parts of tables are not hashed: the table's own version identifies them.
        """
        if self.roots.of(path, file=at is not None) is not None:
            return _PART
        if at is not None and (known := self.known(path, at)):
            return Fingerprint(sha256=known, size=at.size, level=Level.CONTENT)
        before = stat_of(path)
        if before is None:
            return Fingerprint(
                sha256=None,
                size=at.size if at else None,
                level=Level.NONE,
                reason="gone before it was hashed",
            )
        if at is not None and before != at:
            return Fingerprint(
                sha256=None,
                size=at.size,
                level=Level.NONE,
                reason="changed before it was hashed",
                changed=True,
            )
        if at is None and (known := self.known(path, before)):
            return Fingerprint(sha256=known, size=before.size, level=Level.CONTENT)
        try:
            digest = sha256_of(path, self._progress)
        except OSError as error:
            return Fingerprint(
                sha256=None, size=before.size, level=Level.NONE, reason=f"cannot be read: {error.strerror}"
            )
        if stat_of(path) != before:
            return Fingerprint(
                sha256=None,
                size=before.size,
                level=Level.NONE,
                reason="changed while it was hashed",
                changed=True,
            )
        self.learn(path, before, digest)
        return Fingerprint(sha256=digest, size=before.size, level=Level.CONTENT)

    def take_directory(self, directory: bytes, *, before_us: int | None = None) -> Fingerprint:
        """The content of a directory as one version: the digest of its manifest, and its members.

        before_us: only the files in it that were last touched before that time (UTC microseconds).
        """
        if self.roots.of(directory) is not None:
            return _PART
        members: list[Member] = []
        entries: list[tuple[bytes, str]] = []
        size = 0
        for relative in files_below(directory):
            if len(members) == MOST_MEMBERS:
                return Fingerprint(
                    sha256=None,
                    size=None,
                    level=Level.NONE,
                    reason=f"a directory of more than {MOST_MEMBERS} files",
                )
            path = os.path.join(directory, relative)
            if before_us is not None and (
                (stat := stat_of(path)) is None or stat.ctime_ns // 1000 >= before_us
            ):
                continue
            found = self.take(path, None)
            if found.sha256 is None:
                name = os.fsdecode(relative)
                return Fingerprint(sha256=None, size=None, level=Level.NONE, reason=f"{name}: {found.reason}")
            entries.append((relative, found.sha256))
            size += found.size or 0
            members.append(_member(relative, found))
        if not entries:
            return Fingerprint(sha256=None, size=0, level=Level.NONE, reason="an empty directory")
        return Fingerprint(sha256=manifest_digest(entries), size=size, level=Level.CONTENT, members=members)

    def other_hash(self, path: bytes, stat: Stat, algorithm: str) -> str | None:
        """A hash of another kind that was taken of the path at this stat, if any was."""
        if self._database is None:
            return None
        try:
            row = self._database.execute(
                "SELECT value FROM other_hash WHERE path=? AND algorithm=? AND stat=?",
                (path, algorithm, repr(tuple(stat))),
            ).fetchone()
        except apsw.Error:
            return None
        return str(row[0]) if row else None

    def learn_other_hash(self, path: bytes, stat: Stat, algorithm: str, value: str) -> None:
        """Remember a hash of another kind; a failure costs only time later."""
        if self._database is not None:
            try:
                self._database.execute(
                    "INSERT OR REPLACE INTO other_hash VALUES (?,?,?,?)",
                    (path, algorithm, repr(tuple(stat)), value),
                )
            except apsw.Error:
                return

    def save(self) -> None:
        """Write what was learnt to the local file; a failure costs only time later."""
        new, self._new = self._new, []
        if self._database is None or not new:
            return
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO fingerprint VALUES (?,?,?,?,?,?,?)",
                    (
                        (path, s.size, s.mtime_ns, s.ctime_ns, _signed(s.ino), _signed(s.dev), sha256)
                        for path, s, sha256 in new
                    ),
                )
        except apsw.Error:
            return
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()

    def close(self) -> None:
        """Save and let go."""
        self.save()
        if self._database is not None:
            self._database.close()
            self._database = None


def manifest_of(folder: bytes, contents: Iterable[tuple[bytes, Fingerprint]]) -> Fingerprint:
    """The content of some files below a folder as one version, as `take_directory` would give it if there were no others.

    contents: by path, in bytewise order; gone through once, so that many files need little memory.
    """
    members: list[Member] = []
    size = unknown = 0
    reason = ""

    below = folder.rstrip(b"/") + b"/"

    def known() -> Iterator[tuple[bytes, str]]:
        nonlocal size, unknown, reason
        for path, found in contents:
            relative = path[len(below) :] if path.startswith(below) else os.path.relpath(path, folder)
            if found.sha256 is None:
                unknown += 1
                reason = reason or f"{os.fsdecode(relative)}: {found.reason}"
                continue
            size += found.size or 0
            if len(members) <= MOST_MEMBERS:
                members.append(_member(relative, found))
            yield relative, found.sha256

    digest = sorted_manifest_digest(known())
    if len(members) > MOST_MEMBERS:
        members = []
    if unknown:
        more = f" (and {unknown - 1} more)" if unknown > 1 else ""
        return Fingerprint(sha256=None, size=size, level=Level.NONE, reason=reason + more, members=members)
    return Fingerprint(sha256=digest, size=size, level=Level.CONTENT, members=members)


def _member(relative: bytes, found: Fingerprint) -> Member:
    path = relative.decode("utf-8", "backslashreplace")
    return Member(path=path, digest=f"sha256:{found.sha256}", size=found.size or 0)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
