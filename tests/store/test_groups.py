from __future__ import annotations

import pytest

from lineal.core.errors import NotFound
from lineal.store.open import Store
from tests.store.making import add_run, add_version


def test_a_group_is_its_name_kind_and_parent(store: Store) -> None:
    with store.write() as tx:
        top = store.groups.add_group(tx, "spring", "experiment", parent=None, at=1)
        assert store.groups.add_group(tx, "spring", "experiment", parent=None, at=2) == top
        other = store.groups.add_group(tx, "spring", "sweep", parent=None, at=2)
        below = store.groups.add_group(tx, "spring", "experiment", parent=top, at=2)
        with pytest.raises(NotFound):
            store.groups.add_group(tx, "x", "experiment", parent=99, at=2)
        assert store.groups.list_groups(tx, limit=9) == [
            (top, "spring", "experiment"),
            (other, "spring", "sweep"),
            (below, "spring", "experiment"),
        ]


def test_runs_and_versions_are_members_once(store: Store) -> None:
    with store.write() as tx:
        run, (version, _) = add_run(store, tx), add_version(store, tx)
        first, second = (store.groups.add_group(tx, name, "experiment", parent=None, at=1) for name in "ba")
        for node in (version, run, run):
            store.groups.add_member(tx, first, node, at=2)
        store.groups.add_member(tx, second, run, at=3)
        for group, node in ((99, run), (first, 99)):
            with pytest.raises(NotFound):
                store.groups.add_member(tx, group, node, at=4)
        assert store.groups.list_members(tx, first, limit=9) == [run, version]
        assert store.groups.list_members(tx, first, limit=1) == [run]
        assert store.groups.list_groups_of(tx, [run, version, 99]) == [(run, "b"), (run, "a"), (version, "b")]
        assert store.groups.list_groups_of(tx, []) == []
