from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

import msgspec
import pytest

from lineal.core import merkle
from lineal.core.errors import NotFound
from lineal.store.open import Store
from lineal.store.tx import Tx


def fill(store: Store, tx: Tx, count: int) -> None:
    for number in range(count):
        store.audit.add_leaf(
            tx,
            door="journal",
            actor="ada",
            action="ingest",
            digest="sha256:0",
            body=b"%d" % number,
            at=number,
        )


def test_leaves_are_numbered_from_one_and_listed_as_they_were_hashed(store: Store) -> None:
    with store.write() as tx:
        fill(store, tx, 5)
    with store.write() as tx:
        assert store.audit.add_leaf(tx, door="é", actor="", action="", digest="", body=b"", at=-1) == 6
    with store.read() as tx:
        leaves = [msgspec.json.decode(raw) for raw in store.audit.list_leaves(tx, after=3, limit=2)]
        everything = store.audit.list_leaves(tx, after=0, limit=100)
        assert store.audit.verify(tx) == []
        assert store.audit.get_head(tx) == (
            6,
            merkle.tree_head(merkle.leaf_hash(bytes(raw)) for raw in everything),
        )
    assert [(leaf["sequence"], leaf["at"], leaf["actor"]) for leaf in leaves] == [
        (4, 3, "ada"),
        (5, 4, "ada"),
    ]


def test_a_rolled_back_leaf_leaves_no_gap(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), store.write() as tx:
        fill(store, tx, 3)
        raise ZeroDivisionError
    with store.write() as tx:
        fill(store, tx, 2)
        assert store.audit.get_head(tx)[0] == 2
        assert store.audit.verify(tx) == []


def _changed_body(tx: Tx) -> None:
    tx.run("UPDATE leaf SET body = :body WHERE sequence = 4", body=b"forged")


def _changed_entry(tx: Tx) -> None:
    tx.run("UPDATE leaf SET entry = :entry WHERE sequence = 4", entry=b"{}")


def _removed(tx: Tx) -> None:
    tx.run("DELETE FROM leaf WHERE sequence = 4")


def _cut_off(tx: Tx) -> None:
    tx.run("DELETE FROM leaf WHERE sequence > 8")


def _replaced_with_its_hash(tx: Tx) -> None:
    entry = tx.value("SELECT entry FROM leaf WHERE sequence = 4")
    forged = bytes(entry).replace(b'"ada"', b'"eve"')
    tx.run("UPDATE leaf SET entry = :e, hash = :h WHERE sequence = 4", e=forged, h=merkle.leaf_hash(forged))


@pytest.mark.parametrize(
    ("forge", "found"),
    [
        (_changed_body, "leaf 4 was changed: its body"),
        (_changed_entry, "leaf 4 was changed: its entry"),
        (_removed, "leaf 4 is missing"),
        (_cut_off, "has 8 leaves, its tree was grown to 10"),
        (_replaced_with_its_hash, "a leaf was replaced"),
    ],
)
def test_the_first_broken_leaf_is_named(store: Store, forge: Callable[[Tx], None], found: str) -> None:
    with store.write() as tx:
        fill(store, tx, 10)
        forge(tx)
        (sentence,) = store.audit.verify(tx)
    assert found in sentence


def test_a_message_comes_back_as_it_was_received(store: Store) -> None:
    bodies = [b"", b"\x00\xff", b"a" * 100_000, os.urandom(5000)]
    with store.write() as tx:
        numbers = [
            store.audit.add_message(tx, door="mlflow", source="s", body=body, digest="sha256:0", at=1)
            for body in bodies
        ]
        assert [store.audit.get_message(tx, number) for number in numbers] == bodies
        assert tx.value("SELECT max(length(body)) FROM message") < 6000
        with pytest.raises(NotFound):
            store.audit.get_message(tx, 99)


def test_a_position_is_kept_for_each_door_and_source(store: Store) -> None:
    with store.write() as tx:
        assert store.audit.get_position(tx, "journal", "a") == 0
        store.audit.set_position(tx, "journal", "a", 10)
        store.audit.set_position(tx, "journal", "a", 2**60)
        store.audit.set_position(tx, "other", "a", 5)
        got = [store.audit.get_position(tx, door, "a") for door in ("journal", "other", "unknown")]
    assert got == [2**60, 5, 0]
