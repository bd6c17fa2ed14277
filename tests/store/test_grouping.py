"""Runs counted by a field, and views that have a name, on both engines."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core import events as ev
from lineal.core.errors import Invalid
from lineal.core.model import Attribute
from lineal.store.grouping import bounds
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


def test_runs_are_grouped_by_few_values_of_a_metric_or_by_stretches_of_many(store: Store) -> None:
    nodes = filled(store)
    more = []
    with store.write() as tx:
        for n in range(30):
            node = store.runs.add_run(
                tx, f"{100 + n:032x}", namespace="shop", job="many", name="", kind="run",
                parent=None, actor="ana", started_at=n, recorded_at=n,
            )  # fmt: skip
            value = (math.inf, -math.inf, math.nan)[n] if n < 3 else 0.01 * n
            points = struct.pack("<d", value)
            store.metrics.add_points(tx, node, ["auc"], bytes(4), bytes(8), bytes(8), points)
            more.append(node)
    with store.read() as tx:
        few = store.grouping.count_runs(tx, nodes, by="metrics.auc", metric="", limit=20)
        assert {(row.value, row.runs, row.low, row.high) for row in few} == {
            ("NaN", 1, None, None),
            *((f"{n / 10:g}", 1, n / 10, n / 10) for n in (0, 2, 3, 4, 5)),
        }
        many = store.grouping.count_runs(tx, more, by="metrics.auc", metric="auc", limit=20)
        assert {row.value: row.runs for row in many if row.low is None} == {
            "Infinity": 1, "-Infinity": 1, "NaN": 1
        }  # fmt: skip
        stretches = sorted(
            (row.low, row.high, row.runs) for row in many if row.low is not None and row.high is not None
        )
        assert [low for low, _, _ in stretches] == pytest.approx([n / 20 for n in range(6)])
        assert [runs for _, _, runs in stretches] == [2, 5, 5, 5, 5, 5]
        assert store.grouping.count_runs(tx, nodes, by="metrics.none", metric="", limit=9)[0].value is None


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_stretches_hold_every_value_between_the_least_and_the_greatest(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    found = bounds(low, high)
    assert found == sorted(set(found))
    assert found[0] <= low
    assert found[-1] > high
    assert len(found) <= 20


@pytest.mark.parametrize("by", ["", "started_at", "metrics.", "params.", "state; DROP TABLE run"])
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
