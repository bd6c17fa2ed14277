from __future__ import annotations

import pytest

from lineal.core.errors import Conflict, NotFound
from lineal.store.migrations import MIGRATIONS
from lineal.store.open import Store, connect, open_store
from lineal.store.schema import migrate
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


def numbers(store: Store, name: str, **how: int) -> list[int]:
    with store.read() as tx:
        return [entry.number for entry in store.registry.list_named(tx, name, **how)]


def test_a_deleted_name_is_free_again_and_counts_from_one(store: Store) -> None:
    with store.write() as tx:
        one, two = (add_version(store, tx, name)[0] for name in ("a", "b"))
        for node in (one, two):
            store.registry.register(tx, "churn", node, actor="ada", at=5)
        store.registry.move_alias(tx, "churn", "live", 2, expect=None, actor="ada", reason="", at=6)
        with pytest.raises(Conflict, match="registered already"):
            store.registry.add_name(tx, "churn", actor="bob", at=7)
        store.registry.retract_named(tx, "churn", None, actor="bob", reason="old", at=8)
        with pytest.raises(NotFound):
            store.registry.retract_named(tx, "churn", None, actor="bob", reason="old", at=8)
    assert numbers(store, "churn") == []
    with store.write() as tx:
        assert store.registry.list_names(tx) == store.registry.list_names_of(tx, [one, two]) == []
        assert store.registry.get_alias(tx, "churn", "live") is None
        store.registry.add_name(tx, "churn", actor="eve", at=9)
        assert store.registry.list_names(tx) == ["churn"]
        assert store.registry.register(tx, "churn", two, actor="eve", at=10).number == 1
        moved = store.registry.move_alias(tx, "churn", "live", 1, expect=0, actor="eve", reason="", at=11)
        assert (moved.number, moved.revision) == (1, 1)
        history = store.registry.list_aliases(tx, "churn", history=True)
        assert [(a.number, a.node, a.retracted_at) for a in history] == [(2, two, 8), (1, two, None)]
        then = store.registry.get_alias(tx, "churn", "live", as_of=7)
        assert then is not None
        assert then.number == 2
    assert numbers(store, "churn", as_of=7) == [1, 2]
    assert numbers(store, "churn") == [1]


def test_a_deleted_version_takes_its_aliases_and_its_number_is_not_given_again(store: Store) -> None:
    with store.write() as tx:
        one, two = (add_version(store, tx, name)[0] for name in ("a", "b"))
        for node in (one, two):
            store.registry.register(tx, "churn", node, actor="ada", at=5)
        store.registry.move_alias(tx, "churn", "live", 2, expect=None, actor="ada", reason="", at=6)
        store.registry.retract_named(tx, "churn", 2, actor="ada", reason="bad", at=7)
        assert store.registry.list_aliases(tx, "churn") == []
        with pytest.raises(NotFound, match="churn@2"):
            store.registry.move_alias(tx, "churn", "live", 2, expect=None, actor="ada", reason="", at=8)
        with pytest.raises(NotFound, match="churn@2"):
            store.registry.retract_named(tx, "churn", 2, actor="ada", reason="", at=8)
        assert store.registry.register(tx, "churn", two, actor="ada", at=9).number == 3
    assert numbers(store, "churn") == [1, 3]


def test_a_renamed_name_keeps_its_versions_and_aliases(store: Store) -> None:
    with store.write() as tx:
        one = add_version(store, tx, "a")[0]
        store.registry.register(tx, "churn", one, actor="ada", at=5)
        store.registry.move_alias(tx, "churn", "live", 1, expect=None, actor="ada", reason="", at=6)
        store.registry.add_name(tx, "other", actor="ada", at=6)
        with pytest.raises(Conflict, match="registered already"):
            store.registry.rename(tx, "churn", "other", actor="ada", at=7)
        store.registry.rename(tx, "churn", "leavers", actor="ada", at=7)
        with pytest.raises(NotFound):
            store.registry.rename(tx, "churn", "x", actor="ada", at=8)
        assert [(v.name, v.number) for v in store.registry.list_names_of(tx, [one])] == [("leavers", 1)]
        found = store.registry.get_alias(tx, "leavers", "live")
        assert found is not None
        assert (found.name, found.number) == ("leavers", 1)
        assert store.registry.get_alias(tx, "churn", "live") is None
        assert store.registry.list_names(tx) == ["leavers", "other"]
        assert store.registry.list_names(tx, after="leavers") == ["other"]
    assert numbers(store, "churn", as_of=6) == [1]
    assert numbers(store, "churn") == []


def test_a_version_gets_a_second_number_only_when_asked(store: Store) -> None:
    with store.write() as tx:
        one = add_version(store, tx, "a")[0]
        given = [
            store.registry.register(tx, "churn", one, actor="ada", at=5, again=again).number
            for again in (False, False, True, False)
        ]
    assert given == [1, 1, 2, 1]


def test_names_aliases_and_their_history_of_an_older_store_are_kept(place: str) -> None:
    engine = connect(place)
    migrate(engine, MIGRATIONS[:3])
    with engine.write() as tx:
        for id, text in enumerate(("", "churn", "ada", "live", "why", "shop", "a", "dataset"), 1):
            tx.run("INSERT INTO word (id, name) VALUES (:id, :text)", id=id, text=text)
        tx.run("INSERT INTO node (id, kind) VALUES (1, 2), (2, 2)")
        tx.run(
            "INSERT INTO artifact (id, namespace, name, kind, version_count, recorded_at) VALUES (1, 6, 7, 8, 2, 1)"
        )
        for node in (1, 2):
            tx.run(
                "INSERT INTO version (node, artifact, number, kind, level, reason, location, recorded_at) "
                "VALUES (:node, 1, :node, 8, 'none', '', '', 1)",
                node=node,
            )
        tx.run("INSERT INTO registered (name, version_count) VALUES (2, 2)")
        tx.run(
            "INSERT INTO named_version (name, number, node, recorded_at, actor) VALUES (2, 1, 1, 5, 3), (2, 2, 2, 6, 3)"
        )
        tx.run(
            "INSERT INTO alias (name, alias, revision, number, actor, reason, recorded_at, retracted_at) "
            "VALUES (2, 4, 1, 1, 3, 'why', 7, 8), (2, 4, 2, 2, 3, 'why', 8, NULL)"
        )
    engine.close()
    store = open_store(place)
    with store.read() as tx:
        named = store.registry.list_named(tx, None)
        assert [(v.name, v.number, v.node, v.recorded_at, v.actor) for v in named] == [
            ("churn", 1, 1, 5, "ada"),
            ("churn", 2, 2, 6, "ada"),
        ]
        then = [store.registry.get_alias(tx, "churn", "live", as_of=at) for at in (7, None)]
        assert [alias and (alias.number, alias.revision) for alias in then] == [(1, 1), (2, 2)]
    store.close()
