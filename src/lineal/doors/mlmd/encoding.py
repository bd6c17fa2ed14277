"""Thousands of small messages, encoded at once: a repeated field whose messages hold numbers, written column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.int64] | Mapping[int, bytes]

_STEPS = np.array([1 << 7 * n for n in range(1, 10)], dtype=np.uint64)  # from here a number takes a byte more


def repeated(field: int, count: int, columns: Sequence[tuple[int, Column]]) -> bytes:
    """The field's `count` messages as protobuf writes them.

    Args:
        field, numbers of columns: below 16.
        columns: number and values of each field of a message, in their order: whole numbers, one for each message, or by place of the
            message the bytes of a message within it.
    """
    if not count:
        return b""
    parts = [(number, *_measured(column, count)) for number, column in columns]
    inner = np.sum([size for *_, size in parts], axis=0)
    width = _widths(inner)
    ends = np.cumsum(1 + width + inner)
    out = np.empty(int(ends[-1]), dtype=np.uint8)
    at = ends - (1 + width + inner)
    out[at] = field << 3 | 2
    _write(out, at + 1, inner.astype(np.uint64), width)
    at = at + 1 + width
    for number, column, size in parts:
        if isinstance(column, Mapping):
            for place, body in column.items():
                start = int(at[place])
                written = bytes([number << 3 | 2]) + varint(len(body)) + body
                out[start : start + len(written)] = np.frombuffer(written, dtype=np.uint8)
        else:
            out[at] = number << 3
            _write(out, at + 1, column, size - 1)
        at = at + size
    return out.tobytes()


def varint(number: int) -> bytes:
    """A number from 0 up as protobuf writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _measured(column: Any, count: int) -> tuple[Any, NDArray[np.int64]]:
    """The column in the form in which it is written, and how many bytes each message has of it."""
    if isinstance(column, Mapping):
        size = np.zeros(count, dtype=np.int64)
        for place, body in column.items():
            size[place] = 1 + len(varint(len(body))) + len(body)
        return column, size
    unsigned = np.ascontiguousarray(column).view(np.uint64)  # a negative number takes ten bytes
    return unsigned, 1 + _widths(unsigned)


def _widths(numbers: NDArray[Any]) -> NDArray[np.int64]:
    return np.searchsorted(_STEPS, numbers.astype(np.uint64, copy=False), side="right").astype(np.int64) + 1


def _write(
    out: NDArray[np.uint8], at: NDArray[Any], numbers: NDArray[np.uint64], width: NDArray[np.int64]
) -> None:
    """Write each number, in as many bytes as it takes."""
    narrow, wide = int(width.min()), int(width.max())
    for n in range(wide):
        if n >= narrow:
            longer = width > n
            at, numbers, width = at[longer], numbers[longer], width[longer]
        more = np.where(width > n + 1, np.uint8(0x80), np.uint8(0)) if n + 1 >= narrow else np.uint8(0x80)
        out[at + n] = (numbers >> np.uint64(7 * n)).astype(np.uint8) & np.uint8(0x7F) | more
