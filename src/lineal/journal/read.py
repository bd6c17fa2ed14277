"""Reading a journal back: whole frames only, and damage by name."""

from __future__ import annotations

import json
import os
from struct import error as struct_error
from typing import Any, NamedTuple, Optional, Union
from zlib import crc32

from .frames import (
    FILE,
    HEAD,
    KEY,
    KIND_FILE,
    KIND_JSON,
    KIND_KEY,
    KIND_POINT,
    LARGEST,
    MAGIC,
    POINT,
)


class Record(NamedTuple):
    """A JSON record: its type, when it was written (microseconds UTC), and all its fields, these two included."""

    type: str
    at: int
    fields: dict[str, Any]


class FileEvent(NamedTuple):
    """An access to a file; `op` and `layer` as in `frames`, `stat` None when there was none."""

    op: int
    layer: int
    at: int
    stat: Optional[tuple[int, int, int, int, int]]
    lib: str
    path: bytes


class Key(NamedTuple):
    """The name of a metric, for the points of this file that bear its number."""

    id: int
    name: str


class Point(NamedTuple):
    """One value of a metric."""

    key: int
    step: int
    at: int
    value: float


class Unknown(NamedTuple):
    """A whole frame of a kind this version does not know: to be skipped, not dropped."""

    kind: int
    body: bytes


Frame = Union[Record, FileEvent, Key, Point, Unknown]


class Damage(NamedTuple):
    """Where a file stops making sense.

    torn: the file merely ends inside a frame, as it does while the frame is being written or after a crash; ask again
        while its writer lives. Otherwise the bytes are wrong, and nothing after `offset` can be trusted.
    """

    offset: int
    found: str
    wanted: str
    torn: bool

    def __str__(self) -> str:
        return f"at byte {self.offset}: found {self.found}, wanted {self.wanted}"


def read(
    path: str | bytes, offset: int = 0, limit: int = 8 << 20
) -> tuple[list[Frame], int, Optional[Damage]]:
    """The frames from `offset` on, the offset to go on from, and what is wrong there, if anything.

    Args:
        offset: 0, or what an earlier call returned.
        limit: bytes to read at most in one call (a longer frame is still read whole). When the offset returned is short
            of the file's end and there is no damage, there is more to read.
    Raises: OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(offset)
        data = file.read(limit)
        frames, after, damage = parse(data, offset)
        if damage is not None and damage.torn and offset + len(data) < size:
            if frames:
                return frames, after, None
            file.seek(offset)
            frames, after, damage = parse(file.read(), offset)
    return frames, after, damage


def parse(data: bytes, offset: int = 0) -> tuple[list[Frame], int, Optional[Damage]]:
    """As `read`, from bytes that stand at `offset` of a journal."""
    frames: list[Frame] = []
    at = 0
    if offset == 0:
        if data[: len(MAGIC)] != MAGIC:
            torn = MAGIC.startswith(data)
            return frames, 0, Damage(0, _shown(data[: len(MAGIC)]), f"the journal's mark {MAGIC!r}", torn)
        at = len(MAGIC)
    total = len(data)
    while at < total:
        start = at + HEAD.size
        if start > total:
            return (
                frames,
                offset + at,
                Damage(offset + at, f"{total - at} bytes", "a frame's head of 8", True),
            )
        length, crc = HEAD.unpack_from(data, at)
        if not 0 < length <= LARGEST:
            wanted = f"a length from 1 to {LARGEST}"
            return frames, offset + at, Damage(offset + at, f"a frame of {length} bytes", wanted, False)
        end = start + length
        if end > total:
            found = f"{total - start} bytes"
            return frames, offset + at, Damage(offset + at, found, f"the {length} bytes of a frame", True)
        payload = data[start:end]
        if crc32(payload) != crc:
            found = f"a frame of {length} bytes with checksum {crc32(payload):08x}"
            return frames, offset + at, Damage(offset + at, found, f"checksum {crc:08x}", False)
        try:
            frames.append(_decode(payload))
        except (ValueError, KeyError, TypeError, struct_error, RecursionError) as error:
            found = f"a frame of kind {payload[:1]!r} that says nothing sensible ({error})"
            return frames, offset + at, Damage(offset + at, found, "a record of that kind", False)
        at = end
    return frames, offset + at, None


def _decode(payload: bytes) -> Frame:
    kind = payload[0]
    if kind == KIND_POINT:
        return Point(*POINT.unpack(payload)[1:])
    if kind == KIND_FILE:
        _, op, layer, when, size, mtime, ctime, ino, dev, length = FILE.unpack_from(payload)
        middle = FILE.size + length
        if middle > len(payload):
            raise ValueError("its name is longer than the frame")
        lib = payload[FILE.size : middle].decode("utf-8")
        stat = None if size < 0 else (size, mtime, ctime, ino, dev)
        return FileEvent(op, layer, when, stat, lib, payload[middle:])
    if kind == KIND_JSON:
        fields = json.loads(payload[1:])
        return Record(str(fields["t"]), int(fields["at"]), fields)
    if kind == KIND_KEY:
        return Key(KEY.unpack_from(payload)[1], payload[KEY.size :].decode("utf-8", "surrogatepass"))
    return Unknown(kind, payload[1:])


def _shown(data: bytes) -> str:
    return repr(data) if data else "nothing"
