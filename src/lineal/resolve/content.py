"""Content of files and directories: digests, and the stat by which a known digest is trusted again.

The key of a known digest is (size, mtime, ctime, inode, device): the ctime catches a same-size edit whose modification
time was restored. Nothing here opens a FIFO, socket or device.
"""

from __future__ import annotations

import hashlib
import os
import stat as stat_module
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Tuple

CHUNK = 1 << 20


class Stat(NamedTuple):
    """What identifies a file's state without reading it. Times in nanoseconds, size in bytes."""

    size: int
    mtime_ns: int
    ctime_ns: int
    ino: int
    dev: int


class Entry(NamedTuple):
    """A file of a directory: `path` relative to it (bytes, separated by /), digest as 64 hex digits, its stat."""

    path: bytes
    sha256: str
    stat: Stat


def folder_of(path: bytes) -> bytes:
    """The folder that an absolute path without a slash at its end lies in; `os.path.dirname` takes four times as long."""
    return path[: path.rfind(b"/")] or b"/"


def stat_of(path: bytes) -> Optional[Stat]:
    """The stat of an ordinary file, following links; None when there is none or it is no ordinary file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat_module.S_ISREG(found.st_mode):
        return None
    return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


def sha256_of(path: bytes, progress: Optional[Callable[[int], None]] = None) -> str:
    """The SHA-256 of an ordinary file's bytes, 64 hex digits.

    progress: called with the number of bytes read since the last call. Raises OSError: it cannot be read.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    )
    descriptor = os.open(path, flags)
    try:
        found = os.fstat(descriptor)
        if not stat_module.S_ISREG(found.st_mode):
            raise OSError(22, "not an ordinary file", os.fsdecode(path))
        digest = hashlib.sha256()
        # A byte more than there is, so that the end of a small file is seen without asking again.
        buffer = bytearray(min(CHUNK, max(found.st_size + 1, 4096)))
        done = 0
        view = memoryview(buffer)
        while True:
            count = os.readv(descriptor, [buffer]) if hasattr(os, "readv") else _read_into(descriptor, buffer)
            if not count:
                return digest.hexdigest()
            digest.update(view[:count])
            if progress is not None:
                progress(count)
            done += count
            if done == found.st_size and count < len(buffer):
                return digest.hexdigest()
    finally:
        os.close(descriptor)


def _read_into(descriptor: int, buffer: bytearray) -> int:
    data = os.read(descriptor, len(buffer))
    buffer[: len(data)] = data
    return len(data)


def files_below(directory: bytes) -> Iterator[bytes]:
    """Paths of the ordinary files below a directory, relative, in bytewise order; hidden control files are included."""
    for base, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(base, name)
            if stat_of(path) is not None:
                yield os.path.relpath(path, directory)


def manifest_digest(entries: List[Tuple[bytes, str]]) -> str:
    """The SHA-256 (64 hex digits) of a directory's canonical manifest.

    One line per file in bytewise order of path: `<sha256 hex> <length of path in bytes> <path>\\n`.
    """
    return sorted_manifest_digest(sorted(entries))


def sorted_manifest_digest(entries: Iterable[Tuple[bytes, str]]) -> str:
    """The same of files that come in bytewise order of path already."""
    digest = hashlib.sha256(b"lineal-manifest-1\n")
    for path, sha256 in entries:
        digest.update(b"%s %d %s\n" % (sha256.encode(), len(path), path))
    return digest.hexdigest()
