"""TensorBoard event files, read without TensorBoard: scalars only.

A file is a row of records `<u64 length><u32 crc><data><u32 crc>`; the data is a protocol buffer `Event` (wall_time 1, step 2,
summary 5), a summary a row of values (tag 1, simple_value 2, tensor 8). See tensorflow/core/util/event.proto and
lib/io/record_writer.h. The checksums are CRC-32C, which Python has not; a record that is damaged ends the reading.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

LARGEST = 64 << 20  # bytes of one record; a longer one is damage
_HEAD, _TAIL = 12, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def is_event_file(path: bytes) -> bool:
    """Whether a file's name is one that TensorBoard looks for."""
    return b"tfevents" in path.rpartition(b"/")[2]


def scalars(data: bytes) -> tuple[list[tuple[str, int, int, float]], int]:
    """((tag, step, microseconds UTC, value) of each scalar, how many bytes were whole records)."""
    found: list[tuple[str, int, int, float]] = []
    at = 0
    while at + _HEAD <= len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        end = at + _HEAD + length + _TAIL
        if length > LARGEST or end > len(data):
            break
        try:
            found.extend(_event(data[at + _HEAD : end - _TAIL]))
        except (ValueError, IndexError, struct.error):
            pass  # some other kind of event, or a damaged one
        at = end
    return found, at


def _event(data: bytes) -> Iterator[tuple[str, int, int, float]]:
    time, step = 0.0, 0
    values: list[bytes] = []
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            time = struct.unpack("<d", value)[0]
        elif field == 2 and isinstance(value, int):
            step = value - (1 << 64) if value >= 1 << 63 else value
        elif field == 5 and isinstance(value, bytes):
            values.extend(part for number, part in _fields(value) if number == 1 and isinstance(part, bytes))
    for item in values:
        tag, number = "", None
        for field, value in _fields(item):
            if field == 1 and isinstance(value, bytes):
                tag = value.decode("utf-8", "replace")
            elif field == 2 and isinstance(value, bytes):
                number = struct.unpack("<f", value)[0]
            elif field == 8 and isinstance(value, bytes):
                number = _tensor(value)
        if tag and number is not None:
            yield tag, step, int(time * 1e6), float(number)


def _tensor(data: bytes) -> float | None:
    """The number in a tensor of one float or double; None in any other."""
    kind, content, shape = 0, b"", b""
    for field, value in _fields(data):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field == 2 and isinstance(value, bytes):
            shape = value
        elif field in (4, 5, 6) and isinstance(value, bytes):
            content = value
    form = {1: "<f", 2: "<d"}.get(kind)
    if (
        form is None
        or any(number == 2 for number, _ in _fields(shape))
        or len(content) != struct.calcsize(form)
    ):
        return None
    return float(struct.unpack(form, content)[0])


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: varints as int, everything else as its bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"field of kind {kind}")
        if at + size > len(data):
            raise ValueError("the field goes beyond the end")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number longer than 64 bits")
