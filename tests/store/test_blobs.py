from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lineal.core.errors import Invalid, NotFound, Unavailable
from lineal.store import blobs
from lineal.store.blobs import Blobs


@pytest.fixture(params=["folder", "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "a folder" / "blobs") if request.param == "folder" else "memory:")


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_bytes_come_back_under_the_digest_of_their_content(kept: Blobs, tmp_path: Path) -> None:
    big = os.urandom(20_000_000)
    (tmp_path / "big").write_bytes(big)
    contents = [b"", b"hello", b"\x00" * 1000]
    digests = [kept.put(content) for content in contents]
    assert digests == [digest_of(content) for content in contents]
    assert kept.put_file(str(tmp_path / "big")) == digest_of(big)
    assert [kept.get(digest) for digest in digests] == contents
    assert b"".join(kept.stream(digest_of(big))) == big
    assert sorted(kept.list()) == sorted((digest_of(c), len(c)) for c in [*contents, big])
    assert kept.check() == ([], 4)


def test_keeping_the_same_bytes_again_changes_nothing(kept: Blobs, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"same")
    assert kept.put(b"same") == kept.put(b"same") == kept.put_file(str(tmp_path / "file"))
    assert kept.check() == ([], 1)


def test_what_is_not_kept_is_not_found_and_deleting_it_is_nothing(kept: Blobs) -> None:
    digest = kept.put(b"x")
    assert kept.has(digest)
    kept.delete(digest)
    kept.delete(digest)
    assert not kept.has(digest)
    with pytest.raises(NotFound):
        kept.get(digest)
    assert list(kept.list()) == []


@pytest.mark.parametrize(
    "digest", ["", "x", "sha256:", "sha256:" + "A" * 64, "sha256:../../" + "a" * 58, "md5:" + "a" * 64]
)
def test_what_is_no_digest_never_becomes_a_path(kept: Blobs, digest: str) -> None:
    for use in (kept.get, kept.has, kept.delete):
        with pytest.raises(Invalid, match="no digest"):
            use(digest)


def test_a_kept_object_that_was_damaged_is_found_by_reading_and_by_check(tmp_path: Path) -> None:
    kept = Blobs(str(tmp_path))
    digest, whole = kept.put(b"content"), kept.put(b"whole")
    (tmp_path / "sha256" / digest[7:9] / digest[9:]).write_bytes(b"c0ntent")
    (tmp_path / "sha256" / "stray").write_bytes(b"")
    with pytest.raises(Unavailable, match="are damaged"):
        kept.get(digest)
    problems, count = kept.check()
    assert count == 3
    assert len(problems) == 2
    assert any(digest in text for text in problems)
    assert any("stray" in text for text in problems)
    assert kept.get(whole) == b"whole"


def test_a_file_that_changes_while_it_is_kept_leaves_nothing(
    kept: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "moving"
    path.write_bytes(b"a" * 30_000_000)
    before = blobs._digest_of

    def hash_then_change(name: str) -> str:
        digest = before(name)
        path.write_bytes(b"b" * 30_000_000)
        return digest

    monkeypatch.setattr(blobs, "_digest_of", hash_then_change)
    with pytest.raises(Unavailable, match="was changed while it was read"):
        kept.put_file(str(path))
    assert kept.check() == ([], 0)


def test_a_missing_file_and_an_unusable_folder_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        Blobs(str(tmp_path)).put_file(str(tmp_path / "missing"))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="cannot be reached"):
        Blobs(str(tmp_path / "file" / "below")).put(b"x")


def test_checking_a_place_that_was_never_used_makes_nothing(tmp_path: Path) -> None:
    assert Blobs(str(tmp_path / "blobs")).check() == ([], 0)
    assert not (tmp_path / "blobs").exists()


def test_addresses_of_buckets_are_accepted_and_others_refused() -> None:
    for place in ("s3://bucket/prefix", "gs://bucket", "az://container", "file:///tmp/x"):
        Blobs(place)
    for place in ("ftp://host/x", "http://host/x"):
        with pytest.raises(Invalid):
            Blobs(place)
