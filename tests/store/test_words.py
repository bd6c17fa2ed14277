"""The dictionary: a text has one number for ever, whatever a connection remembers of it."""

from __future__ import annotations

import contextlib

from lineal.core.errors import Invalid
from lineal.store.open import Store, open_store
from lineal.store.tx import undoable
from lineal.store.words import add_fields, add_words, find_field, find_word, get_words

REFUSED = Invalid("refused", hint="")


def test_a_text_has_one_number_for_every_connection(store: Store, place: str) -> None:
    other = open_store(place)
    for text in ("a", "\x00", "x" * 200):
        with store.write() as tx:
            number = add_words(tx, (text,))[text]
        for asked in (other, store, other):
            with asked.write() as tx:
                assert add_words(tx, (text, "b"))[text] == number
                assert get_words(tx, [number]) == {number: text}
    other.close()


def test_what_a_transaction_added_is_not_remembered_when_it_is_undone(store: Store) -> None:
    with contextlib.suppress(Invalid), store.write() as tx:
        undone = add_words(tx, ("a", "b"))
        assert get_words(tx, undone.values()) == {number: text for text, number in undone.items()}
        add_fields(tx, "params", ("lr",))
        raise REFUSED
    with store.write() as tx:
        assert (find_word(tx, "a"), find_field(tx, "params", "lr")) == (None, None)
        other = add_words(tx, ("c", "a"))
        field = add_fields(tx, "params", ("momentum", "lr"))
    with store.read() as tx:
        assert get_words(tx, other.values()) == {number: text for text, number in other.items()}
        assert find_field(tx, "params", "lr") == field["lr"]


def test_what_a_part_of_a_transaction_added_is_not_remembered_when_the_part_is_undone(store: Store) -> None:
    with store.write() as tx:
        before = add_words(tx, ("before",))["before"]
        with contextlib.suppress(Invalid), undoable(tx):
            with undoable(tx):
                undone = add_words(tx, ("a", "before"))
            assert get_words(tx, [undone["a"]]) == {undone["a"]: "a"}
            raise REFUSED
        assert find_word(tx, "a") is None
        assert find_word(tx, "before") == before
        kept = add_words(tx, ("z", "a"))
    with store.read() as tx:
        assert get_words(tx, kept.values()) == {number: text for text, number in kept.items()}


def test_a_name_found_missing_is_looked_for_again(store: Store, place: str) -> None:
    other = open_store(place)
    with other.read() as tx:
        assert find_word(tx, "late") is None
    with store.write() as tx:
        number = add_words(tx, ("late",))["late"]
    with other.read() as tx:
        assert find_word(tx, "late") == number
    other.close()


def test_more_names_than_are_remembered_keep_their_numbers(store: Store) -> None:
    names = [f"n{i}" for i in range(12_000)]
    with store.write() as tx:
        first = add_words(tx, names)
    for part in (names[:9000], names[6000:], names):
        with store.write() as tx:
            again = add_words(tx, part)
        assert all(first[name] == number for name, number in again.items())
