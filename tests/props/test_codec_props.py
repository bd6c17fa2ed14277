"""Metric chunks give back every bit, whatever the steps, times and values."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineal.store import codec

I64 = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5)
# Bit patterns, so that every NaN is met.
BITS = st.integers(0, 2**64 - 1) | st.sampled_from(
    [0x7FF8000000000000, 0xFFF0000000000000, 0x8000000000000000]
)
POINTS = st.lists(st.tuples(I64, I64, BITS), max_size=200).map(
    lambda rows: codec.Points(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.uint64).view(np.float64),
    )
)
VALUES = st.lists(st.floats(), min_size=1, max_size=300)


def bits(points: codec.Points) -> list[bytes]:
    return [column.tobytes() for column in points]


@given(POINTS)
def test_decoding_gives_back_every_bit(points: codec.Points) -> None:
    assert bits(codec.decode(codec.encode(points))) == bits(points)


@given(POINTS)
def test_points_are_ordered_by_step_and_time_and_equal_ones_keep_their_order(points: codec.Points) -> None:
    rows = [
        (step, at, value)
        for step, at, value in zip(
            points.step.tolist(), points.at.tolist(), points.value.view(np.uint64), strict=True
        )
    ]
    got = codec.in_order(points)
    assert list(zip(got.step.tolist(), got.at.tolist(), got.value.view(np.uint64), strict=True)) == sorted(
        rows, key=lambda row: row[:2]
    )


@given(VALUES, st.integers(1, 70))
def test_extremes_are_points_of_the_series_and_keep_each_stretch_s_least_and_greatest(
    values: list[float], width: int
) -> None:
    value = np.array(values)
    step, kept = codec.extremes(np.arange(len(value)), value, width)
    assert len(step) <= 2 * -(-len(value) // width)
    assert bool(np.all(np.diff(step) > 0))
    assert np.array_equal(value[step], kept, equal_nan=True)
    for start in range(0, len(value), width):
        stretch, found = value[start : start + width], kept[(step >= start) & (step < start + width)]
        known = stretch[~np.isnan(stretch)]
        if len(known):
            assert (found.min(), found.max()) == (known.min(), known.max())
        else:
            assert np.isnan(found).all()


@given(VALUES, st.integers(2, 50), st.randoms())
def test_a_chart_is_no_longer_than_wanted_and_spans_the_extremes(
    values: list[float], points: int, dice: object
) -> None:
    step = np.arange(len(values))
    dice.shuffle(step)  # type: ignore[attr-defined]
    value = np.array(values)
    x, y = codec.chart(step, value, points)
    assert 1 <= len(x) <= points
    assert bool(np.all(np.diff(x) > 0))
    known = value[~np.isnan(value)]
    if len(known):
        assert (np.nanmin(y), np.nanmax(y)) == (known.min(), known.max())
