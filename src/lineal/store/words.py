"""The dictionary: every text that the record repeats is kept once and meant by a small integer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from lineal.store.bulk import insert, insert_returning
from lineal.store.lists import each
from lineal.store.text import give, keep, key_of, name_of
from lineal.store.tx import Row, Tx

_WORD = (("name", "text"), ("body", "text"))
_FEW = 500  # texts that are asked for at once and remembered; more are an answer's own
Scope = Literal["params", "tags", "metrics", "facets"]


def find_word(tx: Tx, text: str) -> int | None:
    """The number of a text, or None when the record never held it."""
    return find_words(tx, (text,)).get(text)


def find_words(tx: Tx, texts: Iterable[str]) -> dict[str, int]:
    """The numbers of those texts that the record ever held."""
    names = {text: key_of(text) for text in texts}
    known = _find(tx, names.values())
    return {text: known[name] for text, name in names.items() if name in known}


def add_words(tx: Tx, texts: Iterable[str]) -> dict[str, int]:
    """The numbers of texts, given now to those that are new. Raises Invalid: a text holds a lone surrogate."""
    stored = {text: keep(text) for text in texts}
    names = {name_of(body): body for body in stored.values()}
    known = _find(tx, names)
    missing = [name for name in names if name not in known]
    if missing:
        # In one order, so that two writers never wait for each other in a ring.
        rows = [(name, None if names[name] == name else names[name]) for name in sorted(missing)]
        added: dict[str, int] = dict(insert_returning(tx, "word", _WORD, rows, ("name", "id")))
        tx.numbers.learn("", added)
        known |= added
        if others := [name for name in missing if name not in added]:  # another server was faster with these
            known |= _find(tx, others)
    return {text: known[name_of(body)] for text, body in stored.items()}


def get_words(tx: Tx, ids: Iterable[int]) -> dict[int, str]:
    """The texts that numbers mean."""
    wanted = list(set(ids))
    if not wanted:
        return {}

    def ask(missing: list[int]) -> list[tuple[int, str]]:
        rows = tx.rows(
            f"SELECT id, COALESCE(body, name) FROM word WHERE id IN ({each(tx, 'ids')})", ids=missing
        )
        return [(id, give(text)) for id, text in rows]

    return dict(ask(wanted)) if len(wanted) > _FEW else tx.numbers.texts(wanted, ask)


def in_order(rows: list[Row], words: Mapping[int, str]) -> list[Row]:
    """The rows in byte order of the texts that their second column means."""
    keys = {row[1] for row in rows}
    place = {word: n for n, word in enumerate(sorted(keys, key=lambda word: words[word].encode()))}
    return sorted(rows, key=lambda row: place[row[1]])


def find_field(tx: Tx, scope: Scope, key: str) -> int | None:
    """The number of a parameter's, tag's or metric's key, or None when no run ever had it."""
    name = name_of(keep(key))
    return _find_keys(tx, scope, [name]).get(name)


def add_fields(tx: Tx, scope: Scope, keys: Iterable[str]) -> dict[str, int]:
    """The numbers of keys, given now to those that are new."""
    named = {key: key_of(key) for key in keys}
    names = set(named.values())
    known = _find_keys(tx, scope, names)
    if len(known) < len(names):  # rarely: mostly all of them are known
        words = sorted(add_words(tx, named).values())
        insert(tx, "field", (("scope", "text"), ("name", "bigint")), [(scope, word) for word in words])
        known = _find_keys(tx, scope, names)
    return {key: known[name] for key, name in named.items()}


def _find_keys(tx: Tx, scope: Scope, names: Iterable[str]) -> dict[str, int]:
    def ask(missing: list[str]) -> list[Row]:
        return tx.rows(
            "SELECT w.name, f.id FROM word w JOIN field f ON f.name = w.id AND f.scope = :scope "
            f"WHERE w.name IN ({each(tx, 'names', 'text')})",
            scope=scope,
            names=missing,
        )

    return tx.numbers.find(scope, names, ask)


def _find(tx: Tx, names: Iterable[str]) -> dict[str, int]:
    def ask(missing: list[str]) -> list[Row]:
        return tx.rows(
            f"SELECT name, id FROM word WHERE name IN ({each(tx, 'names', 'text')})", names=missing
        )

    return tx.numbers.find("", names, ask)
