"""Metrics: each batch of points is kept as one block; blocks are sealed into compressed chunks per run and key.

numpy is imported where points are sealed or read back, not when they arrive: a short program's few points need none.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import msgspec

from lineal.core.errors import Invalid
from lineal.core.model import MetricSummary
from lineal.store.base import Row, Tx
from lineal.store.bulk import insert
from lineal.store.duplicates import Block, Columns, new_only
from lineal.store.lists import each
from lineal.store.nodes import hold_node
from lineal.store.words import add_fields, find_field, get_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lineal.store.codec import Points

CHUNK = 32_768  # most points of one chunk
TAIL_POINTS = 32_768  # a run's blocks are sealed when they hold more points than this (count),
TAIL_BLOCKS = 256  # or when there are more of them
WORTH_SEALING = 256  # fewer points than this at a run's end stay the block they are

_SUMMARY = (
    ("node", "bigint"),
    ("field", "bigint"),
    ("count", "bigint"),
    ("last", "double precision"),
    ("last_step", "bigint"),
    ("last_at", "bigint"),
    ("minimum", "double precision"),
    ("maximum", "double precision"),
)


class _Fold(msgspec.Struct, frozen=True):
    """What a metric did. A number that is NaN is None."""

    count: int
    last: float | None
    last_step: int
    last_at: int
    minimum: float | None
    maximum: float | None


class Metrics:
    """MetricStore."""

    def add_points(
        self, tx: Tx, node: int, keys: Sequence[str], key: bytes, step: bytes, at: bytes, value: bytes
    ) -> None:
        """Add points given as little endian columns of one length: u32 indexes into `keys`, i64 steps, i64 microseconds
        UTC, f64 values. Steps, times and values are kept bit by bit.

        Raises Invalid: the columns differ in length, or an index lies outside `keys`.
        """
        columns = _columns(keys, key, step, at, value)
        if columns[0]:
            fields = _fields(tx, node, keys)
            _add(tx, node, fields, columns, _summaries(tx, node, fields))

    def add_new_points(
        self, tx: Tx, node: int, keys: Sequence[str], key: bytes, step: bytes, at: bytes, value: bytes
    ) -> int:
        """As `add_points`, but a point that is there already, equal in key, step, time and every bit of its value, is not
        added again; how many were added.

        Points later than all that is known of their metric cost nothing more; any other is looked for.
        """
        columns = _columns(keys, key, step, at, value)
        if not columns[0]:
            return 0
        fields = _fields(tx, node, keys)
        known = _summaries(tx, node, fields)
        latest = {field: (fold.last_step, fold.last_at) for field, fold in known.items()}
        columns = new_only(tx, node, fields, columns, latest)
        if columns[0]:
            _add(tx, node, fields, columns, known)
        return len(columns[0])

    def seal(self, tx: Tx, node: int) -> None:
        """Turn what arrived since the last time into compressed chunks, one series per key."""
        hold_node(tx, node)
        if _tail_size(tx, node)[1] >= WORTH_SEALING:
            _seal(tx, node)

    def get_summaries(self, tx: Tx, nodes: Sequence[int]) -> dict[int, list[MetricSummary]]:
        """What every metric of these runs did, by vertex, in byte order of the keys."""
        if not nodes:
            return {}
        rows = tx.rows(
            "SELECT m.node, f.name, m.count, m.last, m.last_step, m.last_at, m.minimum, m.maximum "
            f"FROM metric m JOIN field f ON f.id = m.field WHERE m.node IN ({each(tx, 'nodes')})",
            nodes=list(nodes),
        )
        words = get_words(tx, {row[1] for row in rows})
        found: dict[int, list[MetricSummary]] = {}
        for node, key, *rest in rows:
            found.setdefault(node, []).append(_summary(words[key], _Fold(*rest)))
        for items in found.values():
            items.sort(key=lambda item: item.key.encode())
        return found

    def get_points(self, tx: Tx, node: int, key: str) -> Points:
        """Every point of one metric: steps, times (microseconds UTC) and values, by step, then time, then arrival.

        Empty columns when the run has no such metric.
        """
        from lineal.store import codec

        field = find_field(tx, "metrics", key)
        bodies = tx.rows(
            "SELECT body FROM metric_chunk WHERE node = :node AND field = :field ORDER BY sequence",
            node=node,
            field=field,
        )
        parts = [codec.decode(bytes(body)) for (body,) in bodies]
        return codec.in_order(codec.joined(parts + _tail(tx, node, field)))

    def get_chart(
        self, tx: Tx, node: int, key: str, points: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Steps and values of at most `points` points, by step: all of them, or the extremes of every stretch.

        A long series is answered from the pyramid and never decoded. Raises Invalid: fewer than 2 points are wanted.
        """
        from lineal.store import codec

        if points < 2:
            raise Invalid(f"a chart of {points} points was asked for", hint="at least 2 are wanted")
        field = find_field(tx, "metrics", key)
        count = tx.value(
            "SELECT count FROM metric WHERE node = :node AND field = :field", node=node, field=field
        )
        if (count or 0) * 2 < points * codec.BUCKET:
            whole = self.get_points(tx, node, key)
            return codec.chart(whole.step, whole.value, points)
        bodies = tx.rows(
            "SELECT pyramid FROM metric_chunk WHERE node = :node AND field = :field ORDER BY sequence",
            node=node,
            field=field,
        )
        parts = [codec.decode(bytes(body)) for (body,) in bodies]
        folded = codec.joined(parts + _tail(tx, node, field))
        return codec.chart(folded.step, folded.value, points)


def _columns(keys: Sequence[str], key: bytes, step: bytes, at: bytes, value: bytes) -> Columns:
    """The columns as numbers. Raises Invalid."""
    count = len(key) // 4
    if len(key) % 4 or any(len(column) != 8 * count for column in (step, at, value)):
        raise Invalid(
            f"columns of {len(key)}, {len(step)}, {len(at)} and {len(value)} bytes were given",
            hint="for n points: 4n bytes of keys, then 8n each of steps, times and values",
        )
    columns = (array("I", key), array("q", step), array("q", at), array("d", value))
    if sys.byteorder == "big":
        for column in columns:
            column.byteswap()
    if count and max(columns[0]) >= len(keys):
        raise Invalid(f"key {max(columns[0])} of {len(keys)} was named", hint="keys are counted from 0")
    return columns


def _little_endian(column: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()


def _fold(key: array[int], step: array[int], at: array[int], value: array[float]) -> dict[int, _Fold]:
    """What every metric did in these points, by its index."""
    found: dict[int, list[Any]] = {}
    for k, s, t, v in zip(key, step, at, value, strict=True):
        have = found.get(k)
        if have is None:
            found[k] = [1, v, s, t, v, v]
            continue
        have[0] += 1
        if (s, t) > (have[2], have[3]) or ((s, t) == (have[2], have[3]) and _wins(v, have[1])):
            have[1], have[2], have[3] = v, s, t
        if not isnan(v):  # a comparison with NaN is false: the first number replaces it
            if not v >= have[4]:
                have[4] = v
            if not v <= have[5]:
                have[5] = v
    return {
        k: _Fold(count, _known(last), s, t, _known(low), _known(high))
        for k, (count, last, s, t, low, high) in found.items()
    }


def _fields(tx: Tx, node: int, keys: Sequence[str]) -> list[int]:
    """The numbers of metrics, in the order of `keys`; from here to the commit nobody else adds to the run's points."""
    ids = add_fields(tx, "metrics", keys)
    hold_node(tx, node)
    return [ids[name] for name in keys]


def _add(tx: Tx, node: int, fields: list[int], columns: Columns, known: dict[int, _Fold]) -> None:
    """Keep points as a block, and bring the summaries, which are `known`, up to date with them."""
    block = Block(fields, *(_little_endian(column) for column in columns))
    tx.run(
        "INSERT INTO metric_block (node, count, body) VALUES (:node, :count, :body)",
        node=node,
        count=len(columns[0]),
        body=msgspec.msgpack.encode(block),
    )
    folds = {fields[index]: fold for index, fold in _fold(*columns).items()}
    insert(
        tx,
        "metric",
        _SUMMARY,
        [
            (node, field, *msgspec.structs.astuple(_both(known.get(field), folds[field])))
            for field in sorted(folds)
        ],
        "ON CONFLICT (node, field) DO UPDATE SET count = excluded.count, last = excluded.last, "
        "last_step = excluded.last_step, last_at = excluded.last_at, minimum = excluded.minimum, "
        "maximum = excluded.maximum",
    )
    blocks, points = _tail_size(tx, node)
    if points > TAIL_POINTS or blocks > TAIL_BLOCKS:
        _seal(tx, node)


def _summaries(tx: Tx, node: int, fields: list[int]) -> dict[int, _Fold]:
    """What is known of these metrics of a run."""
    rows = tx.rows(
        "SELECT field, count, last, last_step, last_at, minimum, maximum FROM metric "
        f"WHERE node = :node AND field IN ({each(tx, 'fields')})",
        node=node,
        fields=fields,
    )
    return {row[0]: _Fold(*row[1:]) for row in rows}


def _wins(value: float, other: float) -> bool:
    """Whether a value is the last one beside another of the same step and time, in whatever order they arrived."""
    return value > other or (isnan(other) and not isnan(value))


def _both(before: _Fold | None, after: _Fold) -> _Fold:
    if before is None:
        return after
    earlier, later = (before.last_step, before.last_at), (after.last_step, after.last_at)
    newer = later > earlier or (later == earlier and _wins(_number(after.last), _number(before.last)))
    newest = after if newer else before
    return msgspec.structs.replace(
        newest,
        count=before.count + after.count,
        minimum=min((v for v in (before.minimum, after.minimum) if v is not None), default=None),
        maximum=max((v for v in (before.maximum, after.maximum) if v is not None), default=None),
    )


def _tail_size(tx: Tx, node: int) -> tuple[int, int]:
    """Blocks and points that are not sealed yet."""
    row = tx.row("SELECT count(*), COALESCE(sum(count), 0) FROM metric_block WHERE node = :node", node=node)
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _tail(tx: Tx, node: int, field: int | None) -> list[Points]:
    """The unsealed points of one metric, in order of arrival."""
    rows = tx.rows("SELECT id, body FROM metric_block WHERE node = :node ORDER BY id", node=node)
    return [points for _, found in _by_field(rows) for id, points in found if id == field]


def _by_field(blocks: Iterable[Row]) -> Iterable[tuple[int, list[tuple[int, Points]]]]:
    """For every block its number, and its points by field."""
    import numpy as np

    from lineal.store.codec import Points

    for id, body in blocks:
        block = msgspec.msgpack.decode(body, type=Block)
        key = np.frombuffer(block.key, "<u4")
        whole = Points(
            np.frombuffer(block.step, "<i8").astype(np.int64, copy=False),
            np.frombuffer(block.at, "<i8").astype(np.int64, copy=False),
            np.frombuffer(block.value, "<f8").astype(np.float64, copy=False),
        )
        if len(block.fields) == 1:
            yield id, [(block.fields[0], whole)]
            continue
        order = np.argsort(key, kind="stable")
        bounds = np.searchsorted(key[order], np.arange(len(block.fields) + 1))
        yield (
            id,
            [
                (field, whole.take(order[bounds[i] : bounds[i + 1]]))
                for i, field in enumerate(block.fields)
                if bounds[i] < bounds[i + 1]
            ],
        )


def _seal(tx: Tx, node: int) -> None:
    from lineal.store import codec

    rows = tx.rows("SELECT id, body FROM metric_block WHERE node = :node ORDER BY id", node=node)
    parts: dict[int, list[Points]] = {}
    for _, found in _by_field(rows):
        for field, points in found:
            parts.setdefault(field, []).append(points)
    for field in sorted(parts):
        _add_chunks(tx, node, field, codec.joined(parts[field]))
    tx.run(
        "DELETE FROM metric_block WHERE node = :node AND id <= :last",
        node=node,
        last=rows[-1][0] if rows else 0,
    )


def _add_chunks(tx: Tx, node: int, field: int, points: Points) -> None:
    """Append points to a metric's chunks. Small chunks at the end are taken up, so that there are never many of them."""
    from lineal.store import codec

    chunks = tx.rows(
        "SELECT id, sequence, count FROM metric_chunk WHERE node = :node AND field = :field ORDER BY sequence",
        node=node,
        field=field,
    )
    while chunks and chunks[-1][2] < CHUNK and chunks[-1][2] <= 2 * len(points.step):
        id = chunks.pop()[0]
        body = tx.value("SELECT body FROM metric_chunk WHERE id = :id", id=id)
        tx.run("DELETE FROM metric_chunk WHERE id = :id", id=id)
        points = codec.joined([codec.decode(bytes(body)), points])
    points = codec.in_order(points)
    sequence = chunks[-1][1] if chunks else 0
    for start in range(0, len(points.step), CHUNK):
        sequence += 1
        _add_chunk(tx, node, field, sequence, points.take(slice(start, start + CHUNK)))


def _add_chunk(tx: Tx, node: int, field: int, sequence: int, points: Points) -> None:
    import numpy as np

    from lineal.store import codec

    step, value = codec.extremes(points.step, points.value, codec.BUCKET)
    known = points.value[~np.isnan(points.value)]
    tx.run(
        "INSERT INTO metric_chunk "
        "(node, field, sequence, count, first_step, last_step, minimum, maximum, last, pyramid, body) VALUES "
        "(:node, :field, :sequence, :count, :first_step, :last_step, :minimum, :maximum, :last, :pyramid, :body)",
        node=node,
        field=field,
        sequence=sequence,
        count=len(points.step),
        first_step=int(points.step[0]),
        last_step=int(points.step[-1]),
        minimum=float(known.min()) if len(known) else None,
        maximum=float(known.max()) if len(known) else None,
        last=_known(float(points.value[-1])),
        pyramid=codec.encode(codec.Points(step, np.zeros_like(step), value)),
        body=codec.encode(points),
    )


def _summary(key: str, fold: _Fold) -> MetricSummary:
    return MetricSummary(
        key=key,
        count=fold.count,
        last=_number(fold.last),
        last_step=fold.last_step,
        last_at=fold.last_at,
        minimum=_number(fold.minimum),
        maximum=_number(fold.maximum),
    )


def _known(value: float) -> float | None:
    """SQLite would store a NaN as NULL; so do we, on both engines, and say so."""
    return None if isnan(value) else value


def _number(value: float | None) -> float:
    return nan if value is None else value
