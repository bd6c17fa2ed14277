from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lineal.core.errors import Unavailable
from lineal.store.blobs import Blobs
from lineal.store.receiving import Receiver

CONTENT = os.urandom(300_000)
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return Blobs("memory:" if request.param == "memory" else str(tmp_path / "blobs"))


def received(blobs: Blobs, content: bytes) -> tuple[str, int]:
    with Receiver(blobs) as receiver:
        for start in range(0, len(content), 65_536):
            receiver.write(content[start : start + 65_536])
        return receiver.keep()


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_what_arrived_whole_is_kept_under_its_digest(blobs: Blobs) -> None:
    assert received(blobs, CONTENT) == (DIGEST, 300_000)
    assert received(blobs, CONTENT) == (DIGEST, 300_000)
    assert blobs.get(DIGEST) == CONTENT
    assert received(blobs, b"")[1] == 0
    assert sorted(size for _, size in blobs.list()) == [0, 300_000]


def test_what_was_cut_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    with Receiver(blobs) as receiver:
        receiver.write(CONTENT)
    assert files(tmp_path) == []
    assert not blobs.has(DIGEST)


def test_a_file_with_a_name_is_used_where_there_are_none_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    blobs = Blobs(str(tmp_path))
    assert received(blobs, CONTENT) == (DIGEST, 300_000)
    assert blobs.get(DIGEST) == CONTENT
    assert len(files(tmp_path)) == 1


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    with Receiver(blobs) as receiver:
        os.close(receiver._file)
        receiver._file = os.open("/dev/full", os.O_WRONLY)
        with pytest.raises(Unavailable, match="No space left"):
            receiver.write(CONTENT)
    assert files(tmp_path) == []


def test_a_part_of_the_bytes_is_read_alone(blobs: Blobs) -> None:
    digest = blobs.put(CONTENT)
    assert b"".join(blobs.stream(digest, start=10, end=20)) == CONTENT[10:20]
    assert b"".join(blobs.stream(digest, start=299_990)) == CONTENT[-10:]
    assert b"".join(blobs.stream(digest, end=5)) == CONTENT[:5]


def test_bytes_are_brought_to_the_disk_while_more_of_them_arrive(blobs: Blobs) -> None:
    with Receiver(blobs) as receiver, ThreadPoolExecutor(1) as other:
        settled = []
        for start in range(0, len(CONTENT), 50_000):
            receiver.write(CONTENT[start : start + 50_000])
            settled.append(other.submit(receiver.settle))
        assert receiver.keep() == (DIGEST, 300_000)
        assert [done.result() for done in settled] == [None] * 6
    assert blobs.get(DIGEST) == CONTENT


def test_bytes_that_cannot_be_brought_to_the_disk_are_told(tmp_path: Path) -> None:
    with Receiver(Blobs(str(tmp_path))) as receiver:
        receiver.write(CONTENT)
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, receiver._file)  # a pipe cannot be synced
        os.close(writer)
        with pytest.raises(Unavailable, match="cannot be reached"):
            receiver.settle()


def test_a_large_object_is_read_in_pieces_that_are_small(tmp_path: Path) -> None:
    blobs, content = Blobs(str(tmp_path)), os.urandom((2 << 20) + 7)
    digest = blobs.put(content)
    pieces = list(blobs.stream(digest))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 1 << 20
    assert (
        b"".join(blobs.stream(digest, start=1 << 20, end=(2 << 20) + 1)) == content[1 << 20 : (2 << 20) + 1]
    )
    assert b"".join(blobs.stream(digest, start=(2 << 20) + 6)) == content[-1:]
