"""Metrics: each batch of points is kept as one block; blocks are sealed into compressed chunks per run and key.

numpy is imported where points are sealed or read back, not when they arrive: a short program's few points need none.
"""

from __future__ import annotations

import itertools
import sys
from array import array
from collections.abc import Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from lineal.core.errors import Invalid
from lineal.core.model import MetricSummary
from lineal.store.bulk import insert
from lineal.store.duplicates import Block, Columns, new_only
from lineal.store.lists import each
from lineal.store.nodes import hold_node, hold_nodes
from lineal.store.tx import Row, Tx
from lineal.store.words import add_fields, find_field, get_words, in_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lineal.store.codec import Points

CHUNK = 32_768  # most points of one chunk
TAIL_POINTS = 32_768  # a run's blocks are sealed when they hold more points than this (count),
MOST_POINTS = (
    262_144  # ... or, with very many metrics, WORTH_SEALING for each of them, but never more than this,
)
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


# What a metric did, as it is kept: count, last, last_step, last_at, minimum, maximum. A number that is NaN is None.
_Kept: TypeAlias = "tuple[int, float | None, int, int, float | None, float | None]"


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
        latest = {field: (kept[2], kept[3]) for field, kept in known.items()}
        columns = new_only(tx, node, fields, columns, latest)
        if columns[0]:
            _add(tx, node, fields, columns, known)
        return len(columns[0])

    def seal(self, tx: Tx, node: int) -> None:
        """Turn what arrived since the last time into compressed chunks, one series per key."""
        self.seal_each(tx, [node])

    def seal_each(self, tx: Tx, nodes: Sequence[int]) -> None:
        """As `seal`, of several runs."""
        if not nodes:
            return
        hold_nodes(tx, sorted(nodes))
        for (node,) in tx.rows(
            f"SELECT node FROM metric_block WHERE node IN ({each(tx, 'nodes')}) "
            "GROUP BY node HAVING sum(count) >= :least ORDER BY node",
            nodes=sorted(nodes),
            least=WORTH_SEALING,
        ):
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
        for node, key, count, last, step, at, low, high in in_order(rows, words):
            summary = MetricSummary(
                key=words[key],
                count=count,
                last=nan if last is None else last,
                last_step=step,
                last_at=at,
                minimum=nan if low is None else low,
                maximum=nan if high is None else high,
            )
            found.setdefault(node, []).append(summary)
        return found

    def list_lasts(self, tx: Tx, nodes: Sequence[int], *, keys: int) -> dict[str, list[tuple[int, float]]]:
        """Vertex and last value (those that are numbers) by metric, of the `keys` metrics that most of the runs have."""
        if not nodes:
            return {}
        among = f"node IN ({each(tx, 'nodes')})"
        fields = [
            field
            for field, _ in tx.rows(
                f"SELECT field, count(*) FROM metric WHERE {among} GROUP BY field ORDER BY count(*) DESC, field LIMIT :keys",
                nodes=list(nodes),
                keys=keys,
            )
        ]
        if not fields:
            return {}
        rows = tx.rows(
            "SELECT f.name, m.node, m.last FROM metric m JOIN field f ON f.id = m.field "
            f"WHERE m.{among} AND m.field IN ({each(tx, 'fields')}) AND m.last IS NOT NULL ORDER BY m.node",
            nodes=list(nodes),
            fields=fields,
        )
        words = get_words(tx, {row[0] for row in rows})
        found: dict[str, list[tuple[int, float]]] = {}
        for name, node, last in rows:
            found.setdefault(words[name], []).append((node, last))
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
        import numpy as np

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
        curves = [codec.decode_curve(bytes(body)) for (body,) in bodies]
        curves += [(part.step, part.value) for part in _tail(tx, node, field)]
        steps, values = ([curve[n] for curve in curves] for n in (0, 1))
        return codec.chart(np.concatenate(steps), np.concatenate(values), points)


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


def _fold(columns: Columns) -> dict[int, list[Any]]:
    """What every metric did in these points, by its index: as `_Kept`, but NaN as it is."""
    keys, steps, times, values = columns
    if keys.count(keys[0]) == len(keys) and (whole := _folded(steps, times, values)):
        return {keys[0]: whole}
    found: dict[int, list[Any]] = {}
    for k, s, t, v in zip(keys, steps, times, values, strict=True):
        have = found.get(k)
        if have is None:
            found[k] = [1, v, s, t, v, v]
            continue
        have[0] += 1
        if s > have[2] or (s == have[2] and (t > have[3] or (t == have[3] and _wins(v, have[1])))):
            have[1], have[2], have[3] = v, s, t
        if v == v:  # a comparison with NaN is false: the first number replaces it
            if not v >= have[4]:
                have[4] = v
            if not v <= have[5]:
                have[5] = v
    return found


def _folded(steps: array[int], times: array[int], values: array[float]) -> list[Any] | None:
    """The same for points of one metric, without a look at each; None where a NaN or an equal step asks for one."""
    last = max(steps)
    total = sum(values)
    if total != total or steps.count(last) > 1:
        return None
    at = steps.index(last)
    return [len(steps), values[at], last, times[at], min(values), max(values)]


def _both(before: _Kept | None, after: list[Any]) -> _Kept:
    """What is kept of a metric once the points behind `after` have come."""
    count, last, step, at, low, high = after
    if before is not None:
        count += before[0]
        if step < before[2] or (
            step == before[2]
            and (at < before[3] or (at == before[3] and not _wins(last, _number(before[1]))))
        ):
            last, step, at = _number(before[1]), before[2], before[3]
        if before[4] is not None:
            low = before[4] if not low <= before[4] else low
        if before[5] is not None:
            high = before[5] if not high >= before[5] else high
    # As `_known`, without a call for each: nothing but NaN differs from itself.
    return (
        count,
        None if last != last else last,
        step,
        at,
        None if low != low else low,
        None if high != high else high,
    )


def _fields(tx: Tx, node: int, keys: Sequence[str]) -> list[int]:
    """The numbers of metrics, in the order of `keys`; from here to the commit nobody else adds to the run's points."""
    ids = add_fields(tx, "metrics", keys)
    hold_node(tx, node)
    return [ids[name] for name in keys]


def _add(tx: Tx, node: int, fields: list[int], columns: Columns, known: dict[int, _Kept]) -> None:
    """Keep points as a block, and bring the summaries, which are `known`, up to date with them."""
    block = Block(fields, *(_little_endian(column) for column in columns))
    tx.run(
        "INSERT INTO metric_block (node, count, body) VALUES (:node, :count, :body)",
        node=node,
        count=len(columns[0]),
        body=msgspec.msgpack.encode(block),
    )
    folds = {fields[index]: fold for index, fold in _fold(columns).items()}
    insert(
        tx,
        "metric",
        _SUMMARY,
        [(node, field, *_both(known.get(field), folds[field])) for field in sorted(folds)],
        "ON CONFLICT (node, field) DO UPDATE SET count = excluded.count, last = excluded.last, "
        "last_step = excluded.last_step, last_at = excluded.last_at, minimum = excluded.minimum, "
        "maximum = excluded.maximum",
    )
    blocks, points = _tail_size(tx, node)
    if blocks > TAIL_BLOCKS or (points > TAIL_POINTS and _many(tx, node, points)):
        _seal(tx, node)


def _many(tx: Tx, node: int, points: int) -> bool:
    """Whether so many unsealed points are worth sealing: a chunk of few points costs more than it saves."""
    if points > MOST_POINTS:
        return True
    metrics = tx.value("SELECT count(*) FROM metric WHERE node = :node", node=node) or 1
    return points >= WORTH_SEALING * int(metrics)


def _summaries(tx: Tx, node: int, fields: list[int]) -> dict[int, _Kept]:
    """What is known of these metrics of a run."""
    rows = tx.rows(
        "SELECT field, count, last, last_step, last_at, minimum, maximum FROM metric "
        f"WHERE node = :node AND field IN ({each(tx, 'fields')})",
        node=node,
        fields=fields,
    )
    return {row[0]: row[1:] for row in rows}


def _tail_size(tx: Tx, node: int) -> tuple[int, int]:
    """Blocks and points that are not sealed yet."""
    row = tx.row("SELECT count(*), COALESCE(sum(count), 0) FROM metric_block WHERE node = :node", node=node)
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _tail(tx: Tx, node: int, field: int | None) -> list[Points]:
    """The unsealed points of one metric, in order of arrival."""
    if field is None:
        return []
    found: list[Points] = []
    for _, body in _blocks(tx, node):
        block = msgspec.msgpack.decode(body, type=Block)
        if field in block.fields:
            fields, points = _points(block)
            found.append(points if len(block.fields) == 1 else points.take(fields == field))
    return found


def _blocks(tx: Tx, node: int) -> list[Row]:
    """Numbers and bodies of the unsealed blocks of a run, in order of arrival."""
    return tx.rows("SELECT id, body FROM metric_block WHERE node = :node ORDER BY id", node=node)


def _points(block: Block) -> tuple[NDArray[np.int64], Points]:
    """A block's points, with the field of each."""
    import numpy as np

    from lineal.store.codec import Points

    fields = np.array(block.fields, np.int64)[np.frombuffer(block.key, "<u4")]
    return fields, Points(
        np.frombuffer(block.step, "<i8").astype(np.int64, copy=False),
        np.frombuffer(block.at, "<i8").astype(np.int64, copy=False),
        np.frombuffer(block.value, "<f8").astype(np.float64, copy=False),
    )


def _seal(tx: Tx, node: int) -> None:
    import numpy as np

    from lineal.store import codec

    rows = _blocks(tx, node)
    if not rows:
        return
    parts = [_points(msgspec.msgpack.decode(body, type=Block)) for _, body in rows]
    fields, points = np.concatenate([part[0] for part in parts]), codec.joined([part[1] for part in parts])
    order = np.argsort(fields, kind="stable")  # by metric, each in order of arrival
    fields, points = fields[order], points.take(order)
    bounds = [0, *(np.flatnonzero(np.diff(fields)) + 1).tolist(), len(fields)]
    for first, end in itertools.pairwise(bounds):
        _add_chunks(tx, node, int(fields[first]), points.take(slice(first, end)))
    tx.run("DELETE FROM metric_block WHERE node = :node AND id <= :last", node=node, last=rows[-1][0])


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


def _known(value: float) -> float | None:
    """SQLite would store a NaN as NULL; so do we, on both engines, and say so."""
    return None if isnan(value) else value


def _wins(value: float, other: float) -> bool:
    """Whether a value is the last one beside another of the same step and time, in whatever order they arrived."""
    return value > other or (isnan(other) and not isnan(value))


def _number(value: float | None) -> float:
    return nan if value is None else value
