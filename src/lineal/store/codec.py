"""Columns of metric points as compressed bytes, exact to the last bit of every NaN.

A chunk is: format (u8), count (u32), lengths of the step and time columns (u32, u32), then three zstandard frames with checksums. Integers
are differences in arithmetic modulo 2**64, so that the extremes of int64 survive; every column is stored byte plane by byte
plane, which puts the bytes that rarely change beside each other.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import zstandard

from lineal.core.errors import Unavailable
from lineal.store.packing import pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

BUCKET = 64  # points that one level of the pyramid folds into two
_FORMAT = 1
_HEADER = struct.Struct("<BIII")


class Points(NamedTuple):
    """Points of one metric, column by column: step, microseconds UTC, value."""

    step: Ints
    at: Ints
    value: Floats

    def take(self, which: Ints | slice) -> Points:
        """The points at these positions."""
        return Points(self.step[which], self.at[which], self.value[which])


def encode(points: Points) -> bytes:
    """The points as compressed bytes."""
    columns = [pack(_differences(column), checked=True) for column in points[:2]]
    columns.append(pack(_planes(points.value.view(np.uint64)), checked=True))
    return _HEADER.pack(_FORMAT, len(points.step), len(columns[0]), len(columns[1])) + b"".join(columns)


def decode(body: bytes) -> Points:
    """The points that `encode` was given. Raises Unavailable: the bytes are damaged or of a newer format."""
    try:
        count, steps, times, values = _columns(body)
        return Points(
            _sums(unpack(steps), count),
            _sums(unpack(times), count),
            _whole(unpack(values), count).view(np.float64),
        )
    except (struct.error, zstandard.ZstdError, ValueError) as error:
        raise Unavailable(
            f"a metric chunk is damaged ({error})", hint="`lineal fsck` names what is broken; restore a copy"
        ) from error


def decode_curve(body: bytes) -> tuple[Ints, Floats]:
    """Steps and values of what `encode` was given, without its times. Raises as `decode`."""
    try:
        count, steps, _, values = _columns(body)
        return _sums(unpack(steps), count), _whole(unpack(values), count).view(np.float64)
    except (struct.error, zstandard.ZstdError, ValueError) as error:
        raise Unavailable(
            f"a metric chunk is damaged ({error})", hint="`lineal fsck` names what is broken; restore a copy"
        ) from error


def _columns(body: bytes) -> tuple[int, bytes, bytes, bytes]:
    """How many points there are, and the packed columns of steps, times and values. Raises Unavailable, struct.error."""
    form, count, step_length, at_length = _HEADER.unpack_from(body)
    if form != _FORMAT:
        raise Unavailable(
            f"a metric chunk has format {form}, this lineal reads {_FORMAT}", hint="pip install -U lineal"
        )
    steps, times = _HEADER.size + step_length, _HEADER.size + step_length + at_length
    return count, body[_HEADER.size : steps], body[steps:times], body[times:]


def in_order(points: Points) -> Points:
    """The points by step, then time; those that are equal in both stay in the order they came in."""
    step, at = points.step, points.at
    later = step[1:] > step[:-1]
    if bool(np.all(later | ((step[1:] == step[:-1]) & (at[1:] >= at[:-1])))):
        return points
    return points.take(np.lexsort((at, step)))


def joined(parts: list[Points]) -> Points:
    """The parts one after another."""
    if len(parts) == 1:
        return parts[0]
    return Points(
        np.concatenate([part.step for part in parts] or [np.empty(0, np.int64)]),
        np.concatenate([part.at for part in parts] or [np.empty(0, np.int64)]),
        np.concatenate([part.value for part in parts] or [np.empty(0, np.float64)]),
    )


def extremes(step: Ints, value: Floats, width: int) -> tuple[Ints, Floats]:
    """For every `width` points the least and the greatest, in their order; a stretch of nothing but NaN gives one NaN."""
    count = len(value)
    rows = -(-count // width)
    padded = np.full(rows * width, np.nan)
    padded[:count] = value
    table = padded.reshape(rows, width)
    unknown = np.isnan(table)
    low = np.where(unknown, np.inf, table).argmin(axis=1)
    high = np.where(unknown, -np.inf, table).argmax(axis=1)
    row = np.arange(rows)
    # An infinity ties with what stands in for NaN: a number wins over NaN.
    low = np.where(unknown[row, low], high, low)
    high = np.where(unknown[row, high], low, high)
    kept = np.unique(np.concatenate([row * width + low, row * width + high]))
    return step[kept], value[kept]


def chart(step: Ints, value: Floats, points: int) -> tuple[Ints, Floats]:
    """At most `points` of the points, in order of step, the extremes of every stretch among them. `points` >= 2."""
    if len(step) > 1 and bool(np.any(step[1:] < step[:-1])):
        order = np.argsort(step, kind="stable")
        step, value = step[order], value[order]
    if len(step) <= points:
        return step, value
    return extremes(step, value, -(-len(step) // (points // 2)))


def _differences(column: Ints) -> bytes:
    wrapped = column.view(np.uint64)
    return _planes(np.diff(wrapped, prepend=np.uint64(0)))


def _sums(body: bytes, count: int) -> Ints:
    return np.cumsum(_whole(body, count), dtype=np.uint64).view(np.int64)


def _planes(column: NDArray[np.uint64]) -> bytes:
    return column.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8).T.tobytes()


def _whole(body: bytes, count: int) -> NDArray[np.uint64]:
    planes = np.frombuffer(body, np.uint8).reshape(8, count)
    return np.ascontiguousarray(planes.T).view("<u8").reshape(count).astype(np.uint64, copy=False)
