from __future__ import annotations

import pytest

from lineal.core.errors import Invalid, NotFound
from lineal.store.open import Store
from tests.store.making import add_run


def put(store: Store, tx: object, node: int, path: str, digest: str = "sha256:a", at: int = 1) -> object:
    return store.files.put_file(tx, node, path, digest=digest, size=3, at=at)  # type: ignore[arg-type]


def test_a_path_names_the_bytes_that_were_put_there_last(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx)
        first = put(store, tx, node, "model/weights.bin")
        assert store.files.get_file(tx, node, "model/weights.bin") == first
        assert put(store, tx, node, "model/weights.bin", at=9) == first
        put(store, tx, node, "model/weights.bin", "sha256:b", at=2)
        found = store.files.get_file(tx, node, "model/weights.bin")
        assert found is not None
        assert (found.digest, found.size, found.revision, found.recorded_at) == ("sha256:b", 3, 2, 2)
        assert store.files.get_file(tx, node, "model") is None


def test_files_are_listed_by_prefix_in_byte_order(store: Store) -> None:
    with store.write() as tx:
        node, other = add_run(store, tx, 1), add_run(store, tx, 2)
        for path in ("b", "a/2", "a/1", "ab", "a/\U0010ffff"):
            put(store, tx, node, path)
        put(store, tx, other, "a/3")

        def paths(**asked: object) -> list[str]:
            return [file.path for file in store.files.list_files(tx, node, **asked)]  # type: ignore[arg-type]

        assert paths() == ["a/1", "a/2", "a/\U0010ffff", "ab", "b"]
        assert paths(prefix="a/") == ["a/1", "a/2", "a/\U0010ffff"]
        assert paths(after="a/2", limit=2) == ["a/\U0010ffff", "ab"]


def test_a_removed_file_is_gone_and_may_be_put_again(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx)
        put(store, tx, node, "a")
        assert store.files.list_kept(tx, ["sha256:a", "sha256:b"]) == {"sha256:a"}
        assert store.files.remove_file(tx, node, "a", at=2)
        assert not store.files.remove_file(tx, node, "a", at=3)
        assert store.files.list_files(tx, node) == []
        assert store.files.list_kept(tx, ["sha256:a"]) == set()
        put(store, tx, node, "a", at=4)
        found = store.files.get_file(tx, node, "a")
        assert found is not None
        assert found.revision == 2


def test_a_file_needs_a_path_and_a_vertex(store: Store) -> None:
    with store.write() as tx:
        node = add_run(store, tx)
        for path in ("", "x" * 2001):
            with pytest.raises(Invalid):
                put(store, tx, node, path)
        with pytest.raises(NotFound):
            put(store, tx, 99, "a")
