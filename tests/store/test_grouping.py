"""Runs counted by a field, and views that have a name, on both engines."""

from __future__ import annotations

import struct

import pytest

from lineal.core import events as ev
from lineal.core.errors import Invalid
from lineal.core.model import Attribute
from lineal.store.open import Store


def filled(store: Store) -> list[int]:
    """Six runs: three with lr 0.1, two with 0.2, one with none; the last of each failed."""
    nodes = []
    with store.write() as tx:
        for n, rate in enumerate(("0.1", "0.1", "0.1", "0.2", "0.2", None)):
            node = store.runs.add_run(
                tx, f"{n:032x}", namespace="shop", job=f"job {n % 2}", name="", kind="run",
                parent=None, actor="ana", started_at=n, recorded_at=n,
            )  # fmt: skip
            if rate:
                store.attributes.add_params(tx, node, [Attribute(key="lr", value=rate)], at=n)
            value = float("nan") if n == 1 else n / 10
            store.metrics.add_points(
                tx, node, ["auc"], bytes(4), bytes(8), bytes(8), struct.pack("<d", value)
            )
            state = ev.State.FAILED if n in (2, 4, 5) else ev.State.FINISHED
            store.runs.set_state(tx, node, state, at=n, recorded_at=n)
            nodes.append(node)
    return nodes


def test_runs_are_counted_by_a_parameter_with_what_a_metric_did(store: Store) -> None:
    nodes = filled(store)
    with store.read() as tx:
        rows = store.grouping.count_runs(tx, nodes, by="params.lr", metric="auc", limit=10)
        assert [(row.value, row.runs, row.failed) for row in rows] == [
            ("0.1", 3, 1),
            ("0.2", 2, 1),
            (None, 1, 1),
        ]
        first = rows[0]
        assert (first.numbers, first.minimum, first.maximum) == (2, 0.0, 0.2), (
            "a value that is no number is left out"
        )
        assert first.mean == pytest.approx(0.1)
        assert [
            row.value for row in store.grouping.count_runs(tx, nodes, by="params.lr", metric="", limit=1)
        ] == ["0.1"]
        assert (
            store.grouping.count_runs(tx, nodes[:1], by="params.lr", metric="nothing", limit=10)[0].mean
            is None
        )


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("job", {"job 0": 3, "job 1": 3}),
        ("state", {"failed": 3, "finished": 3}),
        ("actor", {"ana": 6}),
        ("tags.team", {None: 6}),
        ("group", {"sweep": 2, "best": 1, None: 4}),
    ],
)
def test_each_field_groups(store: Store, by: str, wanted: dict[str | None, int]) -> None:
    nodes = filled(store)
    with store.write() as tx:
        for name, members in (("sweep", nodes[:2]), ("best", nodes[1:2])):
            group = store.groups.add_group(tx, name, "experiment", parent=None, at=1)
            for node in members:
                store.groups.add_member(tx, group, node, at=1)
    with store.read() as tx:
        rows = store.grouping.count_runs(tx, nodes, by=by, metric="", limit=10)
    assert {row.value: row.runs for row in rows} == wanted


@pytest.mark.parametrize("by", ["", "started_at", "metrics.auc", "params.", "state; DROP TABLE run"])
def test_other_fields_do_not_group(store: Store, by: str) -> None:
    with store.read() as tx, pytest.raises(Invalid, match="cannot be grouped"):
        store.grouping.count_runs(tx, [], by=by, metric="", limit=10)


def test_a_view_is_kept_replaced_and_taken_away_in_its_own_workspace(store: Store) -> None:
    with store.write() as tx:
        store.views.set_view(tx, "shop", "broken", "/runs?where=a", actor="ana", at=1)
        store.views.set_view(tx, "shop", "best", "/runs?order=b", actor="ben", at=2)
        store.views.set_view(tx, "shop", "broken", "/runs?where=c", actor="ben", at=3)
    with store.read() as tx:
        kept = store.views.list_views(tx, "shop", limit=10)
        assert [(view.name, view.address, view.actor) for view in kept] == [
            ("broken", "/runs?where=c", "ben"),
            ("best", "/runs?order=b", "ben"),
        ]
        assert store.views.list_views(tx, "other", limit=10) == []
    with store.write() as tx:
        assert store.views.drop_view(tx, "shop", "best", at=4)
        assert not store.views.drop_view(tx, "shop", "best", at=5)
        assert tx.value("SELECT count(*) FROM saved_view") == 3, "history stays"
