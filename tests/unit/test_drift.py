"""Drift between two profiles of a column, measured on the first one's bins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lineal.core.drift import ColumnDrift, drifts, withheld


def numbers(values: Any, nulls: int = 0) -> dict[str, Any]:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, 21)))
    place = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1).tolist()
    column = {"name": "x", "type": "f", "nulls": nulls, "edges": edges.tolist(), "counts": counts}
    return {"rows": len(values) + nulls, "columns": [column]}


def words(**top: int) -> dict[str, Any]:
    other = top.pop("other", 0)
    column = {"name": "x", "type": "s", "nulls": 0, "top": [[k, v] for k, v in top.items()], "other": other}
    return {"rows": sum(top.values()) + other, "columns": [column]}


def one(a: dict[str, Any], b: dict[str, Any]) -> ColumnDrift:
    found = drifts(a, b)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("n", [200, 1000, 10_000])
def test_another_sample_of_the_same_is_no_drift_however_small(n: int) -> None:
    random = np.random.default_rng(n)
    reference = numbers(random.normal(size=100_000))
    alarms = sum(one(reference, numbers(random.normal(size=n))).drifted for _ in range(200))
    assert alarms <= 2


@pytest.mark.parametrize(("shift", "n"), [(0.5, 1000), (1.0, 200), (-0.5, 10_000)])
def test_a_shift_that_matters_is_drift(shift: float, n: int) -> None:
    random = np.random.default_rng(7)
    reference = numbers(random.normal(size=100_000))
    assert all(one(reference, numbers(random.normal(shift, size=n))).drifted for _ in range(50))


def test_a_tiny_shift_of_very_many_rows_is_none() -> None:
    random = np.random.default_rng(8)
    found = one(numbers(random.normal(size=100_000)), numbers(random.normal(0.02, size=100_000)))
    assert not found.drifted
    assert found.ks == pytest.approx(0.008, abs=0.01)


def test_ks_from_bins_is_near_the_exact_one() -> None:
    random = np.random.default_rng(9)
    found = one(numbers(random.normal(size=50_000)), numbers(random.normal(0.5, size=50_000)))
    assert found.ks == pytest.approx(0.1974, abs=0.02)  # 2 F(0.25) - 1 of the standard normal distribution
    assert found.basis == "20 quantile bins of the first, 50,000 and 50,000 rows"


def test_equal_profiles_have_no_differences() -> None:
    profile = numbers(np.arange(100.0))
    assert drifts(profile, profile) == []
    assert drifts({}, profile) == []


def test_values_that_came_and_went_are_named() -> None:
    found = one(words(a=500, b=500), words(a=500, c=500))
    assert (found.new, found.gone, found.drifted) == (["c"], ["b"], True)


def test_a_value_that_may_be_among_the_others_is_neither_new_nor_gone() -> None:
    found = one(words(a=500, b=10, other=490), words(a=505, c=11, other=484))
    assert (found.new, found.gone, found.drifted) == ([], [], False)


def test_nulls_that_appear_are_drift() -> None:
    found = one(numbers(np.arange(1000.0)), numbers(np.arange(900.0) / 0.9, nulls=100))
    assert (found.nulls_a, found.nulls_b, found.drifted) == (0.0, 0.1, True)


def test_one_value_and_all_of_them_equal_are_no_division_by_zero() -> None:
    assert one(words(a=5), words(b=5)).new == ["b"]
    column = {"name": "x", "type": "f", "edges": [1.0, 2.0], "counts": [1]}
    drifts({"rows": 1, "columns": [column]}, {"rows": 1, "columns": [{**column, "edges": [2.0, 3.0]}]})
    drifts({"rows": 0, "columns": [{"name": "x"}]}, {"rows": 0, "columns": [{"name": "x", "nulls": 1}]})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("user_id", "identifier"),
        ("customerId", "identifier"),
        ("E-Mail", "identifier"),
        ("first_name", "identifier"),
        ("PhoneNumber", "identifier"),
        ("ip", "identifier"),
        ("carrier_name", ""),
        ("valid", ""),
        ("width", ""),
        ("amount", ""),
    ],
)
def test_columns_that_name_somebody_are_known_by_their_names(name: str, expected: str) -> None:
    assert withheld({"name": name}) == expected


def test_a_text_that_is_different_in_nearly_every_row_is_withheld() -> None:
    column = {"name": "note", "top": [["a", 1], ["b", 1]], "other": 400, "length_max": 9}
    assert withheld(column) == "identifier"
    assert withheld({**column, "top": [["a", 300], ["b", 1]]}) == ""


@pytest.mark.parametrize(
    "profile",
    [
        {"columns": 5},
        {"columns": [5]},
        {"columns": [{}]},
        {"columns": [{"name": []}]},
        {"columns": [{"name": "x", "edges": [3, 1], "counts": []}]},
        {"columns": [{"name": "x", "edges": "ab", "counts": "cd"}]},
        {"columns": [{"name": "x", "top": [1, 2]}]},
        {"columns": [{"name": "x", "nulls": "many"}], "rows": "all"},
        {"rows": {}, "columns": [{"name": "x", "top": [[{}, "a"]], "other": []}]},
    ],
)
def test_what_only_looks_like_a_profile_says_nothing(profile: dict[str, Any]) -> None:
    reference = numbers(np.arange(100.0))
    for a, b in ((profile, reference), (reference, profile), (profile, profile)):
        assert all(isinstance(found, ColumnDrift) for found in drifts(a, b))
