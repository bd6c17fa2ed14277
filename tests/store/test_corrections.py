from __future__ import annotations

import pytest

from lineal.core.errors import Conflict, NotFound
from lineal.core.model import Attribute
from lineal.store.conditions import Order
from lineal.store.open import Store
from tests.store.making import add_run


def test_tombstones_are_put_and_lifted_again(store: Store) -> None:
    with store.write() as tx:
        one, two = add_run(store, tx, 1), add_run(store, tx, 2)
        assert store.corrections.add_tombstones(tx, [one, two], actor="ada", reason="old", at=2005) == 2
        assert store.corrections.add_tombstones(tx, [one], actor="ada", reason="old", at=2006) == 0
        assert store.runs.get_runs(tx, [one])[one].deleted_at == 2005
        assert store.corrections.lift_tombstones(tx, [one], at=2007) == 1
        assert store.corrections.lift_tombstones(tx, [one], at=2008) == 0
        assert store.runs.get_runs(tx, [one])[one].deleted_at is None
        assert store.search.search_runs(tx, [], order=Order(), limit=9) == [one]
        assert store.runs.get_runs(tx, [one], as_of=2006)[one].deleted_at == 2005
        assert store.corrections.add_tombstones(tx, [one], actor="ada", reason="", at=2009) == 1


def test_a_retracted_tag_may_be_set_again(store: Store) -> None:
    with store.write() as tx:
        run = add_run(store, tx)
        store.attributes.set_tags(tx, run, [Attribute(key="a", value="1")], at=5)
        assert store.corrections.retract_tag(tx, run, "a", at=6)
        assert not store.corrections.retract_tag(tx, run, "a", at=7)
        assert not store.corrections.retract_tag(tx, run, "never", at=7)
        assert store.attributes.get_tags(tx, [run]) == {}
        store.attributes.set_tags(tx, run, [Attribute(key="a", value="1")], at=8)
        assert [tag.value for tag in store.attributes.get_tags(tx, [run])[run]] == ["1"]
        assert store.attributes.get_tags(tx, [run], as_of=6) == {}


def test_runs_and_groups_take_other_names(store: Store) -> None:
    with store.write() as tx:
        run = add_run(store, tx, name="a")
        store.corrections.rename_run(tx, run, "b")
        assert store.runs.get_runs(tx, [run])[run].name == "b"
        one, _ = (store.groups.add_group(tx, name, "experiment", parent=None, at=1) for name in ("x", "y"))
        with pytest.raises(Conflict):
            store.corrections.rename_group(tx, one, "y")
        store.corrections.rename_group(tx, one, "z")
        assert store.groups.add_group(tx, "z", "experiment", parent=None, at=1) == one
        for wrong in (store.corrections.rename_run, store.corrections.rename_group):
            with pytest.raises(NotFound):
                wrong(tx, 99, "q")
