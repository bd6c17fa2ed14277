from __future__ import annotations

import struct
from pathlib import Path
from zlib import crc32

import pytest

from lineal.journal.frames import HEAD, MAGIC, frame, json_frame
from lineal.journal.read import Record, Unknown, parse, read

ONE = json_frame({"t": "tag", "at": 1, "key": "a"})
TWO = json_frame({"t": "tag", "at": 2, "key": "b"})


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.lj"
    path.write_bytes(MAGIC + ONE)
    first, offset, _ = read(str(path))
    with path.open("ab") as file:
        file.write(TWO)
    second, end, damage = read(str(path), offset)
    assert [f.at for f in [*first, *second] if isinstance(f, Record)] == [1, 2]
    assert (end, damage) == (len(MAGIC + ONE + TWO), None)


def test_a_long_file_is_read_a_part_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.lj"
    path.write_bytes(MAGIC + (ONE + TWO) * 100 + json_frame({"t": "big", "at": 3, "text": "x" * 5000}))
    offset, seen, calls = 0, 0, 0
    while offset < path.stat().st_size:
        frames, offset, damage = read(str(path), offset, limit=1000)
        assert damage is None
        seen += len(frames)
        calls += 1
    assert (seen, calls > 5) == (201, True)


def test_a_file_that_ends_inside_a_frame_is_torn_there_and_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "a.lj"
    path.write_bytes(MAGIC + ONE + TWO[:-3])
    frames, offset, damage = read(str(path))
    assert len(frames) == 1
    assert damage is not None
    assert (damage.offset, damage.torn) == (len(MAGIC + ONE), True)
    assert offset == damage.offset


def test_garbage_is_named_with_its_place_and_what_was_wanted() -> None:
    _, _, damage = parse(MAGIC + ONE + b"\xff" * 40)
    assert damage is not None
    assert not damage.torn
    assert str(damage) == (
        f"at byte {len(MAGIC + ONE)}: found a frame of 4294967295 bytes, wanted a length from 1 to 268435456"
    )


@pytest.mark.parametrize("data", [b"SQLite format 3\0", b"LINEALJ9" + ONE, b"\0" * 100])
def test_a_file_that_is_no_journal_is_refused(data: bytes) -> None:
    frames, offset, damage = parse(data)
    assert (frames, offset) == ([], 0)
    assert damage is not None
    assert not damage.torn
    assert "the journal's mark" in damage.wanted


@pytest.mark.parametrize(
    "payload", [b"J{", b"J[]", b'J{"t": "x"}', b"M123", b"F" + b"\0" * 10, b"K", b"J\xff"]
)
def test_a_whole_frame_that_makes_no_sense_is_damage(payload: bytes) -> None:
    frames, _, damage = parse(MAGIC + ONE + frame(payload) + TWO)
    assert len(frames) == 1
    assert damage is not None
    assert not damage.torn


def test_a_frame_of_a_kind_from_the_future_is_handed_on() -> None:
    frames, _, damage = parse(MAGIC + frame(b"Znews") + ONE)
    assert damage is None
    assert frames[0] == Unknown(ord("Z"), b"news")


def test_an_empty_file_may_still_become_a_journal() -> None:
    assert parse(b"")[2].torn  # type: ignore[union-attr]
    assert parse(MAGIC[:3])[2].torn  # type: ignore[union-attr]


def test_a_frame_is_length_checksum_payload() -> None:
    assert frame(b"Jx") == struct.pack("<II", 2, crc32(b"Jx")) + b"Jx"
    assert HEAD.size == 8
