"""ML Metadata's events are the same whether they are read or known, and a question sees its own state of the store."""

from __future__ import annotations

import random

import pytest

from lineal.core.mlmd import Event
from lineal.store import mlmd_events
from lineal.store.base import Tx
from lineal.store.mlmd_events import Near
from lineal.store.open import Store, open_store


def _put(store: Store, first: int, count: int) -> None:
    chance = random.Random(first)
    events = [
        Event(
            id=first + n,
            artifact=chance.randint(1, 300),
            execution=1000 + first + n,
            type=chance.randint(1, 7),
            at=chance.randint(0, 2**41),
            path=["in", n] if n % 3 else None,
        )
        for n in range(count)
    ]
    with store.write() as tx:
        store.mlmd.add_events(tx, events)


def _told(near: Near, side: str, ids: list[int], types: frozenset[int] | None) -> list[tuple[int, ...]]:
    met = near.hop(side, ids, types)
    rows = mlmd_events.in_order([met])
    assert sorted(met.far.tolist()) == sorted(
        (rows.execution if side == "artifact" else rows.artifact).tolist()
    )
    return list(zip(*(column.tolist() for column in rows), strict=True))


def _asked(near: Near) -> list[list[tuple[int, ...]]]:
    return [
        _told(near, side, ids, types)
        for side, ids in (
            ("artifact", [1, 2, 3, 250, 9999]),
            ("artifact", []),
            ("execution", list(range(1001, 1600, 7))),
        )
        for types in (None, frozenset({3}), frozenset({1, 4, 6, 7}))
    ]


def _rows(store: Store, tx: Tx) -> Near:
    return Near(store.mlmd_events, tx, None, -1)


def test_events_are_the_same_out_of_memory_and_out_of_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlmd_events, "_TAIL", 100)
    events = store.mlmd_events
    for first, count in ((1, 400), (401, 30), (431, 300), (731, 1)):
        _put(store, first, count)
        with store.read() as tx:
            near = events.near(tx)
            assert near.remembers
            assert _asked(near) == _asked(_rows(store, tx))


def test_an_older_question_sees_no_newer_event(store: Store, place: str) -> None:
    _put(store, 1, 50)
    other = open_store(place)
    try:
        with store.read() as tx:
            before = _asked(store.mlmd_events.near(tx))
            _put(other, 51, 20)
            with other.read() as newer:
                assert _asked(other.mlmd_events.near(newer)) == _asked(_rows(other, newer)) != before
            near = store.mlmd_events.near(tx)  # of the same memory, which holds more by now
            assert near.remembers
            assert _asked(near) == before == _asked(_rows(store, tx))
    finally:
        other.close()


def test_a_store_with_more_events_than_there_is_room_for_is_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlmd_events, "MOST", 60)
    _put(store, 1, 50)
    with store.read() as tx:
        assert store.mlmd_events.near(tx).remembers
    _put(store, 51, 50)
    with store.read() as tx:
        near = store.mlmd_events.near(tx)
        assert not near.remembers
        assert len(_told(near, "execution", list(range(1000, 2000)), None)) == 100
