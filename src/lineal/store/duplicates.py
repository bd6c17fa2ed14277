"""Which points of a batch are not there yet: clients repeat what they are not sure has arrived."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from lineal.store.tx import Tx

# Columns of points: index of the key, step, microseconds, value.
Columns: TypeAlias = "tuple[array[int], array[int], array[int], array[float]]"
_Point = tuple[int, int, int]  # step, microseconds, the bits of the value
_FEW = 16  # points; so few are looked for in the blocks by the database


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Points as they arrived, column by column, little endian; `fields` are what the indexes in `key` mean."""

    fields: list[int]
    key: bytes
    step: bytes
    at: bytes
    value: bytes


def new_only(
    tx: Tx, node: int, fields: list[int], columns: Columns, latest: dict[int, tuple[int, int]]
) -> Columns:
    """The points that the run does not have yet, each once, in their order.

    Args:
        latest: by field, the greatest step and the latest time at it; a point beyond both is new for sure.
    """
    key, step, at, value = columns
    bits = array("q", value.tobytes())
    points = list(zip(key, step, at, bits, strict=True))
    first = dict.fromkeys(points)
    doubted: dict[int, set[_Point]] = {}
    for k, s, t, v in first:
        known = latest.get(fields[k])
        if known is not None and (s, t) <= known:
            doubted.setdefault(fields[k], set()).add((s, t, v))
    there = {field: _there(tx, node, field, wanted) for field, wanted in doubted.items()}
    if len(first) == len(points) and not any(there.values()):
        return columns
    nothing: set[_Point] = set()
    kept = [point for point in first if point[1:] not in there.get(fields[point[0]], nothing)]
    return (
        array("I", (point[0] for point in kept)),
        array("q", (point[1] for point in kept)),
        array("q", (point[2] for point in kept)),
        array("d", array("q", (point[3] for point in kept)).tobytes()),
    )


def _there(tx: Tx, node: int, field: int, wanted: set[_Point]) -> set[_Point]:
    """Those of the points that a metric has."""
    found: set[_Point] = set()
    for (body,) in _blocks(tx, node, wanted):
        block = msgspec.msgpack.decode(body, type=Block)
        found |= wanted.intersection(_points(block, field))
    return found | _in_chunks(tx, node, field, wanted)


def _blocks(tx: Tx, node: int, wanted: set[_Point]) -> Iterable[tuple[bytes]]:
    """The run's blocks, or only those that hold the bytes of a wanted time, when few points are wanted."""
    if len(wanted) > _FEW:
        yield from tx.rows("SELECT body FROM metric_block WHERE node = :node", node=node)
        return
    holds = "instr(body, :at)" if tx.engine == "sqlite" else "position(CAST(:at AS bytea) IN body)"
    seen: set[int] = set()
    for at in {point[1] for point in wanted}:
        for id, body in tx.rows(
            f"SELECT id, body FROM metric_block WHERE node = :node AND {holds} > 0",
            node=node,
            at=struct.pack("<q", at),
        ):
            if id not in seen:
                seen.add(id)
                yield (body,)


def _points(block: Block, field: int) -> Iterable[_Point]:
    count = len(block.key) // 4
    wanted = {index for index, number in enumerate(block.fields) if number == field}
    keys = struct.unpack(f"<{count}I", block.key)
    steps, times, bits = (struct.unpack(f"<{count}q", body) for body in (block.step, block.at, block.value))
    return ((s, t, v) for k, s, t, v in zip(keys, steps, times, bits, strict=True) if k in wanted)


def _in_chunks(tx: Tx, node: int, field: int, wanted: set[_Point]) -> set[_Point]:
    steps = [point[0] for point in wanted]
    bodies = tx.rows(
        "SELECT body FROM metric_chunk WHERE node = :node AND field = :field "
        "AND first_step <= :last AND last_step >= :first",
        node=node,
        field=field,
        first=min(steps),
        last=max(steps),
    )
    if not bodies:
        return set()
    import numpy as np

    from lineal.store import codec

    found: set[_Point] = set()
    for (body,) in bodies:
        points = codec.decode(bytes(body))
        near = np.isin(points.step, np.array(sorted(set(steps)), np.int64))
        columns = (points.step[near], points.at[near], points.value[near].view(np.int64))
        found |= wanted.intersection(zip(*(column.tolist() for column in columns), strict=True))
    return found
