from __future__ import annotations

import pytest

from lineal.core.errors import Conflict, NotFound
from lineal.store.open import Store
from tests.store.making import add_run, add_version


def test_registering_counts_per_name_and_twice_gives_the_same_number(store: Store) -> None:
    with store.write() as tx:
        one, two = (add_version(store, tx, name)[0] for name in ("a", "b"))
        assert store.registry.register(tx, "churn", one, actor="ada", at=5).number == 1
        assert store.registry.register(tx, "churn", two, actor="bob", at=6).number == 2
        again = store.registry.register(tx, "churn", one, actor="eve", at=7)
        assert store.registry.register(tx, "Zeta", one, actor="ada", at=8).number == 1
        with pytest.raises(NotFound):
            store.registry.register(tx, "churn", add_run(store, tx), actor="ada", at=9)
    assert (again.number, again.actor, again.recorded_at, again.node) == (1, "ada", 5, one)
    with store.read() as tx:
        named = store.registry.list_named(tx, None)
        assert [(v.name, v.number) for v in named] == [("Zeta", 1), ("churn", 1), ("churn", 2)]
        assert store.registry.list_named(tx, "churn") == named[1:]
        assert store.registry.list_named(tx, "churn", limit=1) == named[1:2]
        assert store.registry.list_named(tx, "unknown") == store.registry.list_names_of(tx, []) == []
        assert [(v.name, v.number) for v in store.registry.list_names_of(tx, [two, one])] == [
            ("churn", 1),
            ("Zeta", 1),
            ("churn", 2),
        ]


def test_moving_an_alias_is_recorded_with_actor_reason_and_revision(store: Store) -> None:
    with store.write() as tx:
        for name in ("a", "b"):
            store.registry.register(tx, "churn", add_version(store, tx, name)[0], actor="ada", at=5)

        def move(number: int, at: int) -> int:
            return store.registry.move_alias(
                tx, "churn", "champion", number, expect=None, actor="ada", reason=f"try {number}", at=at
            ).revision

        assert [move(1, 10), move(2, 20), move(1, 30)] == [1, 2, 3]
    with store.read() as tx:
        got = store.registry.list_aliases(tx, "churn", history=True)
        assert [(a.revision, a.number, a.reason, a.recorded_at, a.retracted_at) for a in got] == [
            (1, 1, "try 1", 10, 20),
            (2, 2, "try 2", 20, 30),
            (3, 1, "try 1", 30, None),
        ]
        assert (
            store.registry.list_aliases(tx, None)
            == [store.registry.get_alias(tx, "churn", "champion")]
            == got[2:]
        )
        then = [store.registry.get_alias(tx, "churn", "champion", as_of=at) for at in (9, 10, 20, 29, 30)]
        assert [alias and alias.number for alias in then] == [None, 1, 2, 2, 1]
        assert store.registry.get_alias(tx, "churn", "unknown") is None
        assert store.registry.list_aliases(tx, "unknown") == []


def test_a_lost_race_is_a_conflict_not_a_silent_overwrite(store: Store) -> None:
    with store.write() as tx:
        store.registry.register(tx, "churn", add_version(store, tx)[0], actor="ada", at=5)

        def move(expect: int) -> None:
            store.registry.move_alias(tx, "churn", "champion", 1, expect=expect, actor="a", reason="", at=9)

        with pytest.raises(Conflict, match="revision 0, not 1"):
            move(1)
        move(0)
        with pytest.raises(Conflict, match="revision 1, not 0"):
            move(0)
        move(1)


def test_an_alias_of_a_number_that_is_not_there_is_refused(store: Store) -> None:
    with store.write() as tx:
        store.registry.register(tx, "churn", add_version(store, tx)[0], actor="ada", at=5)
        for name, number in (("churn", 2), ("unknown", 1)):
            with pytest.raises(NotFound, match=f"{name}@{number}"):
                store.registry.move_alias(tx, name, "x", number, expect=None, actor="", reason="", at=9)


def test_a_retracted_alias_is_gone_and_its_revisions_go_on(store: Store) -> None:
    with store.write() as tx:
        store.registry.register(tx, "churn", add_version(store, tx)[0], actor="ada", at=5)
        with pytest.raises(NotFound):
            store.registry.retract_alias(tx, "churn", "champion", at=9, actor="ada", reason="")
        moved = {"actor": "ada", "reason": ""}
        store.registry.move_alias(tx, "churn", "champion", 1, expect=0, at=10, **moved)
        store.registry.retract_alias(tx, "churn", "champion", at=20, actor="bob", reason="bad data")
        assert store.registry.get_alias(tx, "churn", "champion") is None
        assert store.registry.get_alias(tx, "churn", "champion", as_of=19) is not None
        with pytest.raises(Conflict, match="revision 0, not 1"):
            store.registry.move_alias(tx, "churn", "champion", 1, expect=1, at=30, **moved)
        assert store.registry.move_alias(tx, "churn", "champion", 1, expect=0, at=30, **moved).revision == 2
        assert tx.value("SELECT retract_reason FROM alias WHERE revision = 1") == "bad data"
