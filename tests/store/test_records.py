from __future__ import annotations

import pytest

from lineal.core.errors import Conflict, Invalid, NotFound
from lineal.store.open import Store
from tests.store.making import add_run


def test_a_record_is_found_by_key_number_and_vertex(store: Store) -> None:
    records = store.records
    with store.write() as tx:
        node = add_run(store, tx)
        one = records.add_record(tx, "m", "experiment", "spring", b"{}", numbered=True, at=5)
        two = records.add_record(tx, "m", "experiment", "autumn", b"[]", numbered=True, node=node, at=6)
        other = records.add_record(tx, "m", "model", "spring", b"1", numbered=True, at=6)
        zero = records.add_record(tx, "m", "experiment", "Default", b"0", number=0, at=6)
        assert (one.number, two.number, other.number, zero.number) == (1, 2, 1, 0)
        assert records.get_record(tx, "m", "experiment", "spring") == one
        assert records.get_record(tx, "x", "experiment", "spring") is None
        assert records.find_by_number(tx, "m", "experiment", 2) == two
        assert records.find_by_number(tx, "m", "experiment", 3) is None
        assert records.find_by_nodes(tx, "m", "experiment", [node, 99]) == {node: two}
        assert records.find_by_nodes(tx, "m", "experiment", []) == {}
    assert (one.created_at, one.recorded_at, one.revision, one.body) == (5, 5, 1, b"{}")


def test_records_are_listed_by_key_parent_and_prefix(store: Store) -> None:
    records = store.records
    with store.write() as tx:
        for key, parent in (("b/1", 1), ("a/1", 1), ("a/2", 2), ("a/\x00", 2), ("ä", 2)):
            records.add_record(tx, "m", "version", key, b"", parent=parent, at=1)

        def keys(**asked: object) -> list[str]:
            return [r.key for r in records.list_records(tx, "m", "version", **asked)]  # type: ignore[arg-type]

        assert keys() == ["a/\x00", "a/1", "a/2", "b/1", "ä"]
        assert keys(parents=[1]) == ["a/1", "b/1"]
        assert keys(parents=[2, 1], limit=3) == ["a/\x00", "a/1", "a/2"]
        assert keys(parents=[]) == []
        assert keys(prefix="a/") == ["a/\x00", "a/1", "a/2"]
        assert keys(after="a/1", limit=2) == ["a/2", "b/1"]


def test_a_replaced_record_keeps_its_number_and_its_past(store: Store) -> None:
    records = store.records
    with store.write() as tx:
        first = records.add_record(tx, "m", "experiment", "old", b"1", numbered=True, parent=7, at=1)
        second = records.replace_record(tx, first, body=b"2", at=2)
        third = records.replace_record(tx, second, key="new", at=3)
        assert (third.number, third.parent, third.revision, third.body) == (1, 7, 3, b"2")
        assert (third.created_at, third.recorded_at) == (1, 3)
        assert records.get_record(tx, "m", "experiment", "old") is None
        assert records.find_by_number(tx, "m", "experiment", 1) == third
        past = records.list_history(tx, "m", "experiment", "old")
        assert [(r.body, r.retracted_at) for r in past] == [(b"1", 2), (b"2", 3)]
        with pytest.raises(Conflict, match="changed meanwhile"):
            records.replace_record(tx, first, body=b"x", at=4)
        with pytest.raises(NotFound):
            records.list_history(tx, "m", "experiment", "never")


def test_a_key_is_taken_until_its_record_is_retracted(store: Store) -> None:
    records = store.records
    with store.write() as tx:
        first = records.add_record(tx, "m", "model", "churn", b"1", numbered=True, at=1)
        with pytest.raises(Conflict, match="exists already"):
            records.add_record(tx, "m", "model", "churn", b"2", numbered=True, at=2)
        records.add_record(tx, "m", "model", "other", b"", at=2)
        with pytest.raises(Conflict, match="exists already"):
            records.replace_record(tx, first, key="other", at=2)
    with store.write() as tx:
        records.retract_record(tx, records.list_records(tx, "m", "model", prefix="other")[0], at=3)
        assert records.add_record(tx, "m", "model", "other", b"", at=4).revision == 1


@pytest.mark.parametrize("key", ["", "x" * 2001, "ä" * 1001, "\ud800"])
def test_a_key_that_cannot_be_found_again_is_refused(store: Store, key: str) -> None:
    with store.write() as tx, pytest.raises(Invalid):
        store.records.add_record(tx, "m", "model", key, b"", at=1)
