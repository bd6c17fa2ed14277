from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from lineal.core.errors import Invalid
from lineal.store import metrics
from lineal.store.open import Store
from tests.store.making import add_points, add_run

NAN_WITH_PAYLOAD = struct.unpack("<d", bytes.fromhex("0123456789abf87f"))[0]
EDGES = [
    (-(2**63), 2**63 - 1, math.inf),
    (-1, -(2**63), -math.inf),
    (0, 0, -0.0),
    (2**63 - 1, 0, NAN_WITH_PAYLOAD),
    (2**63 - 1, 1, 5e-324),
]


def bits(points: object) -> list[bytes]:
    return [np.ascontiguousarray(column).tobytes() for column in points]  # type: ignore[attr-defined]


@pytest.mark.parametrize("sealed", [False, True])
def test_extreme_steps_times_and_every_bit_of_a_value_survive(
    store: Store, monkeypatch: pytest.MonkeyPatch, sealed: bool
) -> None:
    monkeypatch.setattr(metrics, "WORTH_SEALING", 1)
    with store.write() as tx:
        node = add_run(store, tx)
        add_points(store, tx, node, "loss", EDGES)
        if sealed:
            store.metrics.seal(tx, node)
    with store.read() as tx:
        got = store.metrics.get_points(tx, node, "loss")
        assert tx.value("SELECT count(*) FROM metric_block") == (0 if sealed else 1)
    assert bits(got) == [
        struct.pack("<5q", *(p[0] for p in EDGES)),
        struct.pack("<5q", *(p[1] for p in EDGES)),
        struct.pack("<5d", *(p[2] for p in EDGES)),
    ]


def test_points_come_back_by_step_then_time_then_arrival_wherever_they_lie(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "CHUNK", 40)
    monkeypatch.setattr(metrics, "TAIL_POINTS", 60)
    rng = np.random.default_rng(7)
    sent: list[tuple[int, int, float]] = []
    with store.write() as tx:
        node = add_run(store, tx)
        for batch in range(40):
            points = [
                (int(rng.integers(0, 9)), int(rng.integers(0, 3)), batch + i / 100)
                for i in range(int(rng.integers(1, 30)))
            ]
            sent += points
            add_points(store, tx, node, "loss", points)
    with store.read() as tx:
        step, at, value = store.metrics.get_points(tx, node, "loss")
        assert tx.value("SELECT count(*) FROM metric_chunk") > 3
    wanted = sorted(sent, key=lambda point: point[:2])
    assert list(zip(step.tolist(), at.tolist(), value.tolist(), strict=True)) == wanted


def test_many_small_batches_end_in_few_chunks(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx)
        for step in range(3000):
            add_points(store, tx, node, "loss", [(step, step, float(step))])
        store.metrics.seal(tx, node)
    with store.read() as tx:
        assert tx.value("SELECT count(*) FROM metric_chunk") < 10
        assert tx.value("SELECT count(*) FROM metric_block") <= metrics.TAIL_BLOCKS
        assert store.metrics.get_points(tx, node, "loss").value.tolist() == [
            float(step) for step in range(3000)
        ]


def test_a_batch_of_many_keys_is_taken_apart(store: Store) -> None:
    count = 5000
    key = np.arange(count, dtype="<u4") % 7
    step = np.arange(count, dtype="<i8")
    value = np.sqrt(step)
    with store.write() as tx:
        node = add_run(store, tx)
        names = [f"m{i}" for i in range(8)]
        for _ in range(2):
            store.metrics.add_points(
                tx, node, names, key.tobytes(), step.tobytes(), step.tobytes(), value.astype("<f8").tobytes()
            )
        store.metrics.seal(tx, node)
    with store.read() as tx:
        for index in range(7):
            got = store.metrics.get_points(tx, node, f"m{index}")
            assert got.step.tolist() == sorted(step[key == index].tolist() * 2)
        assert len(store.metrics.get_points(tx, node, "m7").step) == 0
        assert [s.key for s in store.metrics.get_summaries(tx, [node])[node]] == [f"m{i}" for i in range(7)]


def test_a_summary_has_the_last_by_step_and_extremes_without_nan(store: Store) -> None:
    nan = math.nan
    with store.write() as tx:
        node = add_run(store, tx)
        add_points(store, tx, node, "loss", [(3, 10, nan), (1, 11, 5.0), (3, 9, 2.0)])
        add_points(store, tx, node, "only nan", [(1, 1, nan)])
        add_points(store, tx, node, "inf", [(1, 1, math.inf), (2, 1, -math.inf)])
    with store.read() as tx:
        inf, loss, only = store.metrics.get_summaries(tx, [node, 99])[node]
        assert (loss.count, loss.last_step, loss.last_at, loss.minimum, loss.maximum) == (3, 3, 10, 2.0, 5.0)
        assert math.isnan(loss.last)
        assert all(math.isnan(v) for v in (only.last, only.minimum, only.maximum))
        assert (inf.last, inf.minimum, inf.maximum) == (-math.inf, -math.inf, math.inf)
    with store.write() as tx:
        add_points(store, tx, node, "loss", [(3, 10, 1.5), (2, 99, 9.0)])
        add_points(store, tx, node, "only nan", [(0, 1, 4.0)])
    with store.read() as tx:
        _, loss, only = store.metrics.get_summaries(tx, [node])[node]
    assert (loss.count, loss.last, loss.last_at, loss.minimum, loss.maximum) == (5, 1.5, 10, 1.5, 9.0)
    assert (only.count, only.minimum, only.maximum) == (2, 4.0, 4.0)
    assert math.isnan(only.last)


def test_a_chart_of_a_long_series_keeps_its_extremes_and_its_order(store: Store) -> None:
    count = 200_000
    step = np.arange(count, dtype="<i8")
    value = np.sin(step / 5000.0)
    value[77_777], value[123_456], value[1000:3000] = 50.0, -50.0, np.nan
    with store.write() as tx:
        node = add_run(store, tx)
        for start in range(0, count, 10_000):
            part = slice(start, start + 10_000)
            columns = [column[part].tobytes() for column in (step, step, value.astype("<f8"))]
            store.metrics.add_points(tx, node, ["loss"], bytes(4 * 10_000), *columns)
    with store.read() as tx:
        for points in (2, 3, 100, 2000, 20_000):
            x, y = store.metrics.get_chart(tx, node, "loss", points)
            assert len(x) == len(y) <= points
            assert np.all(np.diff(x) > 0)
            assert (np.nanmax(y), np.nanmin(y)) == (50.0, -50.0)
            at = value[x]
            assert np.array_equal(at, y, equal_nan=True)
        assert len(store.metrics.get_chart(tx, node, "loss", 2000)[0]) > 1500
        assert store.metrics.get_chart(tx, node, "unknown", 2000)[0].tolist() == []
        with pytest.raises(Invalid):
            store.metrics.get_chart(tx, node, "loss", 1)


def test_columns_that_do_not_fit_each_other_are_refused(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx)
        one = bytes(8)
        for columns in [
            (bytes(5), one, one, one),
            (bytes(4), one, one, bytes(16)),
            (bytes(4), b"", one, one),
        ]:
            with pytest.raises(Invalid, match="columns"):
                store.metrics.add_points(tx, node, ["k"], *columns)
        with pytest.raises(Invalid, match="key 1 of 1"):
            store.metrics.add_points(tx, node, ["k"], struct.pack("<I", 1), one, one, one)
        store.metrics.add_points(tx, node, [], b"", b"", b"", b"")
        assert store.metrics.get_summaries(tx, [node]) == {}


def add_new(store: Store, node: int, points: list[tuple[str, int, int, float]]) -> int:
    """points: key, step, at, value."""
    keys = sorted({point[0] for point in points})
    count = len(points)
    with store.write() as tx:
        return store.metrics.add_new_points(
            tx,
            node,
            keys,
            struct.pack(f"<{count}I", *(keys.index(p[0]) for p in points)),
            struct.pack(f"<{count}q", *(p[1] for p in points)),
            struct.pack(f"<{count}q", *(p[2] for p in points)),
            struct.pack(f"<{count}d", *(p[3] for p in points)),
        )


def test_a_repeated_point_is_kept_once_wherever_it_lies(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx)
    first = [("a", step, 10 * step, step / 7) for step in range(600)]
    assert add_new(store, node, [*first, first[3], ("b", 0, 0, 1.0)]) == 601
    assert add_new(store, node, first) == 0
    assert add_new(store, node, [("b", 0, 0, 1.0)]) == 0
    with store.write() as tx:
        store.metrics.seal(tx, node)
    assert add_new(store, node, first[:5]) == 0
    assert add_new(store, node, [*first[500:], ("a", 600, 0, 0.5)]) == 1
    # Another value at the same step and time is another point; so is each bit of a value.
    assert add_new(store, node, [("a", 0, 0, math.nan), ("a", 0, 0, -0.0), ("a", 0, 0, math.inf)]) == 3
    assert add_new(store, node, [("a", 0, 0, math.nan), ("a", 0, 0, -0.0), ("a", 0, 0, math.inf)]) == 0
    assert add_new(store, node, [("a", -5, 1, 1.0), ("a", -5, 1, 1.0)]) == 1
    with store.read() as tx:
        assert len(store.metrics.get_points(tx, node, "a").step) == 605
        assert {s.key: s.count for s in store.metrics.get_summaries(tx, [node])[node]} == {"a": 605, "b": 1}


def test_the_last_value_of_one_step_and_time_is_the_same_in_whatever_order_they_come(store: Store) -> None:
    values = [1.0, math.nan, 3.0, -math.inf, 2.0]
    for number, order in enumerate((values, values[::-1], sorted(values, key=str))):
        with store.write() as tx:
            node = add_run(store, tx, number)
            for value in order[:2]:
                add_points(store, tx, node, "m", [(1, 1, value)])
            add_points(store, tx, node, "m", [(1, 1, value) for value in order[2:]])
            assert store.metrics.get_summaries(tx, [node])[node][0].last == 3.0
