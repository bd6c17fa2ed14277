"""Content that is about to be lost is hashed first.

The delivering process fingerprints files in its own time; what the program overwrites or removes before that would have
no identity. So it is hashed in the program, once per state of the file, up to 64 MiB.
"""

from __future__ import annotations

import os

from ..journal.foreign import raise_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from ..journal.append import Journal

    Stat = tuple[int, int, int, int, int]

LARGEST = 64 << 20
_PIECE = 1 << 20
_REGULAR, _TYPE = 0o100000, 0o170000
_hashed: dict[
    str, Stat
] = {}  # by path: the state whose digest has been reported, or of which it was said why not


def stat_of(found: os.stat_result) -> Stat:
    """What tells two states of a file apart: (size, mtime_ns, ctime_ns, ino, dev)."""
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


def before(journal: Journal, path: str, found: os.stat_result) -> None:
    """Report the digest of `path`, which is about to lose the content that `found` describes."""
    state = stat_of(found)
    if not found.st_size or found.st_mode & _TYPE != _REGULAR or _hashed.get(path) == state:
        return
    _hashed[path] = state
    digest, reason = None, "larger than 64 MiB, overwritten before it was hashed"
    if found.st_size <= LARGEST:
        digest, reason = _digest(path, state)
    journal.json("hash", path=path, stat=state, sha256=digest, reason=reason)


def _digest(path: str, state: Stat) -> tuple[Optional[str], str]:
    from hashlib import sha256

    try:
        # Never waits: had the path become a pipe meanwhile, opening it would otherwise block.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise_again(error)
        return None, f"cannot be read: {error.strerror}"
    try:
        if stat_of(os.fstat(fd)) != state:
            return None, "changed while it was being hashed"
        seen = sha256()
        while True:
            piece = os.read(fd, _PIECE)
            if not piece:
                break
            seen.update(piece)
        if stat_of(os.fstat(fd)) != state:
            return None, "changed while it was being hashed"
        return seen.hexdigest(), ""
    except OSError as error:
        raise_again(error)
        return None, f"cannot be read: {error.strerror}"
    finally:
        os.close(fd)
