"""Which programs cannot load the preloaded library, told from the first bytes of their files. As native/program.c, for the
programs that a Python process starts."""

from __future__ import annotations

import os
import stat
from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_HEAD = Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = Struct("<IIQQQQQQ")
_ENTRY = Struct("<qQ")
_MACHINES = {"x86_64": 62, "aarch64": 183}
_NOTE_HEAD = Struct("<III")
_LOAD, _DYNAMIC, _LOADER, _NOTE = 1, 2, 3, 4
_NEEDED, _NAMES = 1, 5
STATIC, GO = "it is linked statically", "it is made by Go, which calls the kernel itself"
BEARABLE = (STATIC, GO)  # the library does no harm there, and the programs that it starts are seen
_SANITIZERS = (b"libasan.", b"libtsan.", b"liblsan.", b"libmsan.", b"libhwasan.")


def find(name: str, path: Optional[str] = None, cwd: str = "") -> str:
    """Where a command stands, as `execvp` would find it; "" when nowhere."""
    if "/" in name:
        return os.path.join(cwd, name)
    for folder in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        candidate = os.path.join(cwd, folder, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    return ""


def obstacle(path: str, depth: int = 0) -> Optional[str]:
    """Why the program at `path` could not load the library: "" when it can, None when that cannot be told."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return None
        if (found.st_mode & stat.S_ISUID and found.st_uid != os.geteuid()) or (
            found.st_mode & stat.S_ISGID and found.st_gid != os.getegid()
        ):
            return "it runs with the rights of another user"
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    try:
        head = os.pread(fd, 128, 0)
        if head[:4] == b"\x7fELF":
            return _of_elf(fd, head)
    except Exception:
        return None
    finally:
        os.close(fd)
    if head[:2] == b"#!" and depth < 2:
        words = head[2:].partition(b"\n")[0].split()
        return obstacle(os.fsdecode(words[0]), depth + 1) if words else None
    return None


def _of_elf(fd: int, head: bytes) -> str:
    if head[4] != 2:
        return "it is a 32-bit program"
    fields = _HEAD.unpack_from(head)
    if fields[2] != _MACHINES.get(os.uname().machine):
        return "it is a program for another processor"
    count = min(fields[10], 24)
    table = os.pread(fd, count * _SEGMENT.size, fields[5])
    segments = [_SEGMENT.unpack_from(table, at * _SEGMENT.size) for at in range(count)]
    loader = [s for s in segments if s[0] == _LOADER]
    dynamic = [s for s in segments if s[0] == _DYNAMIC]
    if not loader or not dynamic:
        return STATIC
    if b"ld-linux" not in os.pread(fd, min(loader[0][5], 63), loader[0][2]):
        return "it uses another C library"
    if _sanitized(fd, segments, dynamic[0]):
        return "it was built with a sanitizer"
    return GO if any(_by_go(os.pread(fd, min(s[5], 1024), s[2])) for s in segments if s[0] == _NOTE) else ""


def _by_go(notes: bytes) -> bool:
    """Whether a note says that Go made the program: it asks the kernel itself, and no library sees that."""
    at = 0
    while at + 16 <= len(notes):
        name, text, _ = _NOTE_HEAD.unpack_from(notes, at)
        if name == 4 and notes[at + 12 : at + 16] == b"Go\0\0":
            return True
        at += 12 + (name + 3 & ~3) + (text + 3 & ~3)
    return False


def _sanitized(fd: int, segments: list[tuple[int, ...]], dynamic: tuple[int, ...]) -> bool:
    table = os.pread(fd, min(dynamic[5], 64 * _ENTRY.size), dynamic[2])
    entries = [
        _ENTRY.unpack_from(table, at) for at in range(0, len(table) // _ENTRY.size * _ENTRY.size, _ENTRY.size)
    ]
    names = next((value for tag, value in entries if tag == _NAMES), 0)
    loads = [s for s in segments if s[0] == _LOAD and s[3] <= names < s[3] + s[5]]
    if not loads:
        return False
    start = names - loads[0][3] + loads[0][2]
    return any(
        os.pread(fd, 16, start + value).startswith(_SANITIZERS) for tag, value in entries if tag == _NEEDED
    )
