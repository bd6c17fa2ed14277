"""The journal's promises over any records and any damage."""

from __future__ import annotations

import json as standard
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lineal.journal import frames as f
from lineal.journal.read import FileEvent, Frame, Key, Point, Record, parse

I64 = st.integers(-(2**63), 2**63 - 1)
U64 = st.integers(0, 2**64 - 1)
# Lone surrogates too; but JSON cannot tell two that happen to make a pair from the character they make.
TEXT = st.text(st.characters(exclude_categories=())).filter(
    lambda t: t.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") == t
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
STAT = st.tuples(st.integers(0, 2**63 - 1), I64, I64, U64, U64)

records = st.builds(lambda at, value: f.json_frame({"t": "x", "at": at, "value": value}), I64, JSON)
events = st.builds(
    lambda op, layer, at, stat, lib, path: f.file_frame(op, layer, at, stat, lib.encode(), path),
    st.integers(1, 7),
    st.integers(1, 4),
    I64,
    STAT | st.just(f.NO_STAT),
    st.text(max_size=30),
    st.binary(min_size=1, max_size=80),
)
keys = st.builds(
    lambda number, name: f.frame(f.KEY.pack(f.KIND_KEY, number) + name.encode("utf-8", "surrogatepass")),
    st.integers(0, 2**32 - 1),
    TEXT,
)
points = st.builds(
    lambda key, step, at, value: f.frame(f.POINT.pack(f.KIND_POINT, key, step, at, value)),
    st.integers(0, 2**32 - 1),
    I64,
    I64,
    st.floats(),
)
journals = st.lists(records | events | keys | points, max_size=8)


def same(a: Frame, b: Frame) -> bool:
    return repr(a) == repr(b)  # NaN is not equal to itself


@given(journals, st.data())
def test_any_prefix_of_a_journal_reads_as_a_prefix_of_its_frames(
    parts: list[bytes], data: st.DataObject
) -> None:
    whole = f.MAGIC + b"".join(parts)
    all_frames, end, damage = parse(whole)
    assert (len(all_frames), end, damage) == (len(parts), len(whole), None)
    cut = data.draw(st.integers(0, len(whole)))
    some, offset, damage = parse(whole[:cut])
    assert all(same(a, b) for a, b in zip(some, all_frames, strict=False))
    assert offset <= cut
    assert (damage is None) == (offset == cut and cut >= len(f.MAGIC))
    assert damage is None or damage.torn
    # and goes on from there as if it had never been cut
    rest, after, none = parse(whole[offset:], offset)
    assert (len(some) + len(rest), after, none) == (len(parts), len(whole), None)


@given(journals.filter(bool), st.data())
def test_any_single_wrong_byte_is_reported_and_never_gives_a_wrong_frame(
    parts: list[bytes], data: st.DataObject
) -> None:
    whole = f.MAGIC + b"".join(parts)
    right, _, _ = parse(whole)
    at = data.draw(st.integers(0, len(whole) - 1))
    wrong = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    got, offset, damage = parse(whole[:at] + bytes([wrong]) + whole[at + 1 :])
    assert damage is not None
    assert damage.offset == offset <= at
    assert all(same(a, b) for a, b in zip(got, right, strict=False))


@given(JSON)
def test_the_small_encoder_writes_what_the_standard_one_reads_back_the_same(value: Any) -> None:
    text = f.json(value)
    assert text.isascii()
    assert repr(standard.loads(text)) == repr(value)
    assert text == standard.dumps(value, separators=(",", ":"))


@given(st.floats())
def test_every_float_comes_back_bit_by_bit(value: float) -> None:
    payload = f.POINT.pack(f.KIND_POINT, 1, 2, 3, value)
    (point,), _, _ = parse(f.MAGIC + f.frame(payload))
    assert isinstance(point, Point)
    assert f.POINT.pack(f.KIND_POINT, *point) == payload
    back = standard.loads(f.json(value))
    assert back == value or (math.isnan(back) and math.isnan(value))


@given(st.binary(min_size=1), STAT, st.text(max_size=30))
def test_every_path_comes_back_byte_by_byte(path: bytes, stat: Any, lib: str) -> None:
    (event,), _, _ = parse(f.MAGIC + f.file_frame(1, 2, 3, stat, lib.encode(), path))
    assert event == FileEvent(1, 2, 3, stat, lib, path)


@given(TEXT)
def test_every_metric_key_comes_back(name: str) -> None:
    data = f.frame(f.KEY.pack(f.KIND_KEY, 3) + name.encode("utf-8", "surrogatepass"))
    assert parse(f.MAGIC + data)[0] == [Key(3, name)]


@given(st.binary(max_size=300))
def test_no_bytes_at_all_make_the_reader_fail(data: bytes) -> None:
    for start in (data, f.MAGIC + data):
        frames, offset, _ = parse(start)
        assert 0 <= offset <= len(start)
        assert all(isinstance(x, (Record, FileEvent, Key, Point)) or x.kind for x in frames)
