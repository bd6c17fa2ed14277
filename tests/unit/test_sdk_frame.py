"""A frame's digest says "the same" exactly when the frame is, whoever holds it and however."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.sdk.frame import FrameDigest, digest, is_frame

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
LEAVES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (pa.int64(), st.integers(-3, 3)),
    (pa.uint8(), st.integers(0, 3)),
    (pa.float64(), st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf])),
    (pa.float32(), st.sampled_from([0.0, 1.5, math.nan])),
    (pa.bool_(), st.booleans()),
    (pa.string(), TEXTS),
    (pa.large_string(), TEXTS),
    (pa.string_view(), TEXTS),
    (pa.binary(), st.binary(max_size=3)),
    (pa.binary(2), st.binary(min_size=2, max_size=2)),
    (pa.decimal128(5, 2), st.sampled_from([decimal.Decimal("1.00"), decimal.Decimal("-2.50")])),
    (pa.timestamp("us"), st.sampled_from([dt.datetime(2020, 1, 1), dt.datetime(1960, 1, 1)])),
    (pa.timestamp("ns", "Europe/Berlin"), st.sampled_from([pd.Timestamp("2020-01-01", tz="Europe/Berlin")])),
    (pa.date32(), st.sampled_from([dt.date(2020, 1, 1), dt.date(1960, 1, 1)])),
    (pa.duration("ms"), st.sampled_from([dt.timedelta(1), dt.timedelta(-1)])),
    (pa.time64("us"), st.sampled_from([dt.time(1), dt.time(2)])),
    (pa.null(), st.none()),
    (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["x", "y", "z"])),
]  # fmt: skip


def _typed(
    kind: Any, values: st.SearchStrategy[Any]
) -> st.SearchStrategy[tuple[Any, st.SearchStrategy[Any]]]:
    return st.just((kind, st.none() | values))


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = inner.map(lambda t: (pa.list_(t[0]), st.none() | st.lists(t[1], max_size=3)))
    large = inner.map(lambda t: (pa.large_list(t[0]), st.none() | st.lists(t[1], max_size=3)))
    fixed = inner.map(lambda t: (pa.list_(t[0], 2), st.none() | st.lists(t[1], min_size=2, max_size=2)))
    structs = st.tuples(inner, inner).map(
        lambda two: (
            pa.struct([("p", two[0][0]), ("q", two[1][0])]),
            st.none() | st.fixed_dictionaries({"p": two[0][1], "q": two[1][1]}),
        )
    )
    maps = inner.map(
        lambda t: (
            pa.map_(pa.int8(), t[0]),
            st.none() | st.lists(st.tuples(st.integers(0, 5), t[1]), max_size=2),
        )
    )
    return lists | large | fixed | structs | maps


TYPES = st.recursive(st.one_of([_typed(*leaf) for leaf in LEAVES]), _nested, max_leaves=3)


@st.composite
def arrays(draw: Any, rows: int | None = None) -> Any:
    kind, values = draw(TYPES)
    count = draw(st.integers(0, 6)) if rows is None else rows
    return _array(draw(st.lists(values, min_size=count, max_size=count)), kind)


def _array(values: list[Any], kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode()
    try:
        return pa.array(values, kind)
    except (
        pa.ArrowNotImplementedError,
        pa.ArrowInvalid,
    ):  # dictionaries within lists cannot be built from values
        return pa.nulls(len(values), pa.int8())


@st.composite
def tables(draw: Any) -> Any:
    rows = draw(st.integers(0, 6))
    names = draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
    return pa.table({name: draw(arrays(rows)) for name in names})


def same(a: Any, b: Any) -> bool:
    first, second = digest(a), digest(b)
    assert first.digest is not None, first.reason
    assert second.digest is not None, second.reason
    return first.digest == second.digest


# --- equal -----------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(tables(), st.data())
def test_slices_chunks_and_rebuilt_copies_are_the_same(table: Any, data: Any) -> None:
    start = data.draw(st.integers(0, table.num_rows))
    length = data.draw(st.integers(0, table.num_rows - start))
    part = table.slice(start, length)
    cut = data.draw(st.integers(0, length))
    chunked = pa.concat_tables([part.slice(0, cut), part.slice(cut, 0), part.slice(cut)])
    assert same(part, chunked)
    assert same(part, chunked.combine_chunks())
    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, part.schema) as stream:
        stream.write_table(part)
    assert same(part, pa.ipc.open_stream(written.getvalue()).read_all())


@settings(max_examples=60, deadline=None)
@given(tables())
def test_what_stands_behind_a_null_does_not_count(table: Any) -> None:
    columns = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if column.type == pa.int64() and len(column):
            filled = column.fill_null(77).to_numpy()
            column = pa.array(filled, mask=np.asarray(column.is_null()))
        columns[name] = column
    assert same(table, pa.table(columns))


PORTABLE = [
    pa.array([1, None, 3], pa.int64()),
    pa.array([1.5, math.nan, None], pa.float64()),
    pa.array([1.5, 0.0, 2.0], pa.float32()),
    pa.array([True, False, None]),
    pa.array(["a", None, "ü\U0001f600"]),
    pa.array([b"a", None, b"\xff"]),
    pa.array([dt.datetime(2020, 1, 1), None, dt.datetime(1950, 5, 5)], pa.timestamp("us")),
    pa.array([dt.datetime(2020, 1, 1), None, None], pa.timestamp("ns", "UTC")),
    pa.array([dt.timedelta(1), None, dt.timedelta(-1)], pa.duration("us")),
    pa.array([dt.date(2020, 1, 1), None, None]),
    pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.00")], pa.decimal128(10, 2)),
    pa.array([[1, None], None, []], pa.large_list(pa.int64())),
    pa.array([{"a": 1, "b": "x"}, {"a": None, "b": None}, {"a": 2, "b": "y"}]),
    pa.array(["x", None, "x"]).dictionary_encode(),
]


@pytest.mark.parametrize("array", PORTABLE, ids=lambda array: str(array.type))
def test_pyarrow_polars_and_pandas_agree_on_what_they_all_hold(array: Any) -> None:
    table = pa.table({"c": array})
    assert same(table, pl.from_arrow(table))
    assert same(table, pl.from_arrow(pa.concat_tables([table.slice(0, 1), table.slice(1)])))
    assert same(table, table.to_pandas(types_mapper=pd.ArrowDtype))


def test_pandas_own_dtypes_are_those_of_arrow() -> None:
    frame = pd.DataFrame({
        "i": [1, 2], "f": [1.5, math.nan], "s": ["a", "b"], "b": [True, False], "o": pd.Series(["x", None], dtype=object),
        "n": pd.array([1, None], "Int64"), "c": pd.Categorical(["u", "v"]), "t": pd.to_datetime(["2020-01-01", None]).astype("datetime64[us]"),
        "z": pd.to_datetime(["2020-01-01", None]).tz_localize("UTC").astype("datetime64[ns, UTC]"), "d": pd.to_timedelta([1, 2]).astype("timedelta64[ns]"),
    })  # fmt: skip
    table = pa.table({
        "i": [1, 2], "f": [1.5, math.nan], "s": ["a", "b"], "b": [True, False], "o": ["x", None], "n": pa.array([1, None]),
        "c": pa.array(["u", "v"]).dictionary_encode(), "t": pa.array([1577836800000000, None], pa.timestamp("us")),
        "z": pa.array([1577836800000000000, None], pa.timestamp("ns", "UTC")), "d": pa.array([1, 2], pa.duration("ns")),
    })  # fmt: skip
    assert digest(frame) == digest(table)
    assert same(frame, pl.from_arrow(table))
    assert same(frame, frame.copy())
    assert same(
        frame.iloc[1:], pd.DataFrame({name: frame[name].iloc[1:].reset_index(drop=True) for name in frame})
    )


def test_series_arrays_and_tensors_are_one_column() -> None:
    values = np.array([1.0, 2.0])
    expected = digest(values).digest
    for other in (
        pd.Series(values),
        pl.Series(values),
        pa.array(values),
        pa.chunked_array([values]),
        values[::1],
        values.copy(),
    ):
        assert digest(other).digest == expected
    assert same(np.asfortranarray(np.ones((2, 3))), np.ones((2, 3)))
    assert same(np.arange(10)[::2], np.array([0, 2, 4, 6, 8]))
    assert same(np.array([1, 2], ">i4"), np.array([1, 2], "<i4"))
    torch = pytest.importorskip("torch")
    assert same(torch.tensor([1.0, 2.0], dtype=torch.float64), values)


# --- different -------------------------------------------------------------------------------------------------------


def _canonical(value: Any) -> Any:
    """A value with NaN equal to itself and zeros told apart."""
    if isinstance(value, float):
        return "NaN" if value != value else repr(value)
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return value


def _logical(kind: Any) -> str:
    text = str(kind)
    for storage, logical in (("large_", ""), ("_view", ""), ("not null", "")):
        text = text.replace(storage, logical)
    return text


@settings(max_examples=200, deadline=None)
@given(arrays(), arrays())
def test_two_columns_have_one_digest_exactly_when_type_and_values_are_the_same(a: Any, b: Any) -> None:
    equal = _logical(a.type) == _logical(b.type) and _canonical(a.to_pylist()) == _canonical(b.to_pylist())
    assert same(pa.table({"c": a}), pa.table({"c": b})) == equal


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_changing_one_value_changes_the_digest_of_its_column_only(data: Any) -> None:
    kind, values = data.draw(TYPES)
    before = data.draw(st.lists(values, min_size=1, max_size=5))
    at = data.draw(st.integers(0, len(before) - 1))
    after = [*before[:at], data.draw(values), *before[at + 1 :]]
    one = digest(pa.table({"a": pa.array(range(len(before))), "c": _array(before, kind)}))
    two = digest(pa.table({"a": pa.array(range(len(after))), "c": _array(after, kind)}))
    changed = _canonical(_array(before, kind).to_pylist()) != _canonical(_array(after, kind).to_pylist())
    assert one.columns[0] == two.columns[0]
    assert (one.columns[1].digest != two.columns[1].digest) == changed
    assert (one.digest != two.digest) == changed


DIFFERENT = [
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    (pd.DataFrame({"a": [1], "b": [1]}), pd.DataFrame({"b": [1], "a": [1]})),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})),
    (pd.DataFrame({"a": np.array([1], "int32")}), pd.DataFrame({"a": np.array([1], "int64")})),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1, 1]})),
    (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [2, 1]})),
    (pd.DataFrame({"a": ["1"]}), pd.DataFrame({"a": [1]})),
    (pd.DataFrame({1: [1]}), pd.DataFrame({"1": [1]})),
    (pd.DataFrame({"a": ["x"]}), pd.DataFrame({"a": pd.Categorical(["x"])})),
    (pd.DataFrame({"a": pd.Categorical(["x"])}), pd.DataFrame({"a": pd.Categorical(["x"], ["x", "y"])})),
    (pd.DataFrame({"a": pd.Categorical(["x", "y"], ordered=True)}), pd.DataFrame({"a": pd.Categorical(["x", "y"])})),
    (pd.DataFrame({"a": pd.Categorical(["x", "y"], ["x", "y"], ordered=True)}), pd.DataFrame({"a": pd.Categorical(["x", "y"], ["y", "x"], ordered=True)})),
    (pd.DataFrame({"a": [1]}, index=["r"]), pd.DataFrame({"a": [1]})),
    (pd.DataFrame({"a": [1]}, index=["r"]), pd.DataFrame({"a": [1]}, index=["s"])),
    (pd.DataFrame({"a": [1, 2]}, index=[5, 3]), pd.DataFrame({"a": [1, 2]})),
    (pd.DataFrame({"a": [math.nan]}), pa.table({"a": pa.array([None], pa.float64())})),
    (pd.DataFrame({"a": pd.Series([None, 1], dtype=object)}), pd.DataFrame({"a": pd.Series([math.nan, 1], dtype=object)})),
    (pd.DataFrame({"a": pd.Series([1, "1"], dtype=object)}), pd.DataFrame({"a": pd.Series([1, 1], dtype=object)})),
    (pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)}), pd.DataFrame({"a": pd.Series([1.0, "x"], dtype=object)})),
    (pd.DataFrame({"a": pd.Series([True, "x"], dtype=object)}), pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)})),
    (pd.DataFrame({"a": pd.Series([[1, 2], [3]], dtype=object)}), pd.DataFrame({"a": pd.Series([[1], [2, 3]], dtype=object)})),
    (pl.DataFrame({"a": ["ab", "c"]}), pl.DataFrame({"a": ["a", "bc"]})),
    (pl.DataFrame({"a": [["ab"], ["c"]]}), pl.DataFrame({"a": [["ab", "c"], []]})),
    (pl.DataFrame({"a": [None]}, {"a": pl.Int8}), pl.DataFrame({"a": [0]}, {"a": pl.Int8})),
    (pl.DataFrame({"a": [""]}), pl.DataFrame({"a": [None]}, {"a": pl.String})),
    (pl.DataFrame({"a": [[]]}, {"a": pl.List(pl.Int8)}), pl.DataFrame({"a": [None]}, {"a": pl.List(pl.Int8)})),
    (pl.DataFrame({"a": [{"x": None}]}, {"a": pl.Struct({"x": pl.Int8})}), pl.DataFrame({"a": [None]}, {"a": pl.Struct({"x": pl.Int8})})),
    (pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 2]}, {"a": pl.UInt64})),
    (pl.Series([dt.datetime(2020, 1, 1)], dtype=pl.Datetime("us")), pl.Series([dt.datetime(2020, 1, 1)], dtype=pl.Datetime("ms"))),
    (pl.Series(["a"], dtype=pl.Enum(["a", "b"])), pl.Series(["a"], dtype=pl.Enum(["a"]))),
    (pa.array([0], pa.timestamp("s", "UTC")), pa.array([0], pa.timestamp("s", "Europe/Berlin"))),
    (pa.array([0], pa.timestamp("s", "UTC")), pa.array([0], pa.timestamp("s"))),
    (pa.array([decimal.Decimal("1.0")], pa.decimal128(5, 1)), pa.array([decimal.Decimal("1.00")], pa.decimal128(5, 2))),
    (np.ones((2, 3)), np.ones((3, 2))),
    (np.ones((2, 3)), np.ones(6)),
    (np.array([0.0]), np.array([-0.0])),
    (np.array(["2020-01-01"], "datetime64[D]"), np.array(["2020-01-01"], "datetime64[ns]")),
    (np.array(["a"]), np.array([b"a"])),
    (np.array([(1, 2)], [("a", "i4"), ("b", "i4")]), np.array([(1, 2)], [("b", "i4"), ("a", "i4")])),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_frames_that_differ_anywhere_differ_in_digest(a: Any, b: Any) -> None:
    assert not same(a, b)


def test_the_difference_names_its_column() -> None:
    one = digest(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    two = digest(pd.DataFrame({"a": [1, 3], "b": ["x", "y"]}))
    assert [x.name for x, y in zip(one.columns, two.columns, strict=True) if x != y] == ["a"]


# --- unknown is shown as unknown -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [(pd.DataFrame({"a": [1], "b": [object()]}), "column 'b': objects of class builtins.object"), (pl.LazyFrame({"a": [1]}), "collect it first"),
     (np.array([1 + 1j], "complex256"), "complex256"),
     (object(), "object is no data frame")],
)  # fmt: skip
def test_what_cannot_be_read_has_no_digest_and_a_reason(value: Any, reason: str) -> None:
    found = digest(value)
    assert found.digest is None
    assert reason in found.reason


def test_of_a_frame_with_one_unknown_column_the_others_keep_their_digests() -> None:
    found: FrameDigest = digest(pd.DataFrame({"a": [1], "b": [object()]}))
    assert found.rows == 1
    assert found.columns[0] == digest(pd.DataFrame({"a": [1]})).columns[0]
    assert found.columns[1].digest is None


def test_the_digest_is_fixed_for_all_time() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, math.nan]})
    assert digest(frame).digest == "frame1:62dd54754e0c738c606396cd7b3018ffb9ae4738a588f2f0ef09ca22fc8d7f8f"


@pytest.mark.parametrize(
    "value", [pd.DataFrame(), pd.Series([1]), pl.DataFrame(), pa.table({}), np.zeros(1), pl.LazyFrame()]
)
def test_frames_are_known_as_frames(value: Any) -> None:
    assert is_frame(value)


@pytest.mark.parametrize("value", [1, "a", [1], {"a": 1}, object(), None, np.float64(1)])
def test_other_values_are_not(value: Any) -> None:
    assert not is_frame(value)


def test_empty_frames_differ_by_their_columns() -> None:
    assert same(pd.DataFrame(), pa.table({}))
    assert not same(pd.DataFrame(), pd.DataFrame({"a": []}))
