"""A table's page: how its values are spread, how they drifted, where its columns come from, what depends on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from lineal.core import events as ev
from tests.page.conftest import Tab
from tests.page.seeding import T, project, record, started
from tests.server.serving import Serving


def body(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def profile(low: float, shares: list[int]) -> dict[str, Any]:
    """A profile of a table with a column of numbers and one of names."""
    plans = [[name, number] for name, number in zip(("basic", "pro"), shares, strict=True)]
    return {
        "rows": 1000,
        "rows_read": 1000,
        "by": "test",
        "columns": [
            {"name": "age", "type": "Float64", "nulls": 20, "distinct": 60, "min": low, "max": low + 10, "mean": low + 5,
             "edges": [low + n for n in range(11)], "counts": [98] * 10},
            {"name": "plan", "type": "String", "nulls": 0, "distinct": 2, "min": "basic", "max": "pro",
             "top": plans, "other": 0},
            {"name": "email", "type": "String", "nulls": 0, "distinct": 1000, "withheld": "identifier"},
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Two versions of a table whose ages moved, and a run that reads the second."""
    server = Serving(project(tmp_path_factory.mktemp("data") / "shop")).start()
    schema = {
        "rows": 1000,
        "columns": [{"name": name, "type": "string"} for name in ("age", "plan", "email")],
    }
    lineage = {
        "fields": {"age": {"inputFields": [{"namespace": "shop", "name": "raw.csv", "field": "born",
                   "transformations": [{"type": "DIRECT", "subtype": "TRANSFORMATION", "description": "years"}]}]}}
    }  # fmt: skip
    events: list[ev.Event] = []
    for number, (low, shares) in enumerate(((20.0, [500, 500]), (26.0, [505, 495])), 1):
        state = ev.VersionState(
            namespace="shop",
            name="rows.csv",
            kind="dataset",
            digest=f"sha256:{number:064x}",
            size=number,
            facets={
                "lineal.profile/1": body(profile(low, shares)),
                "lineal.schema/1": body(schema),
                "columnLineage": body(lineage),
            },
        )
        events += [
            started(number, "make.py"),
            ev.VersionUsed(
                run=f"{number:032x}",
                version=ev.VersionState(
                    namespace="shop", name="raw.csv", kind="dataset", digest=f"sha256:{99:064x}"
                ),
                at=T + number,
            ),
            ev.VersionGenerated(run=f"{number:032x}", version=state, at=T + number),
        ]
    events += [started(3, "train.py"), ev.VersionUsed(run=f"{3:032x}", version=state, at=T + 9)]
    record(server, *events)
    yield server
    server.close()


@pytest.fixture
def fresh(chromium: Any, shop: Serving) -> Iterator[Tab]:
    tab = Tab(chromium, shop.url)
    yield tab
    tab.context.close()
    assert tab.troubles == []


def test_drift_is_told_in_words_and_measures_with_how_many_rows(fresh: Tab) -> None:
    page = fresh.open("/dataset?ref=rows.csv%402")
    panel = page.locator("#profile")
    panel.get_by_role("status").get_by_text("Values moved in 1 of 3 columns: age").wait_for()
    row = panel.get_by_role("row").filter(has_text="age").first
    assert "drifted" in row.inner_text()
    for measure in ("PSI", "JS", "KS", "n = 980 → 980"):
        assert measure in row.inner_text()
    assert row.get_by_role("img", name="Histogram from 20 to 36").count() == 1
    assert "moved a little" in panel.get_by_role("row").filter(has_text="basic").inner_text()
    assert "kept back" in panel.get_by_role("row").filter(has_text="email").inner_text()


def test_the_first_version_has_nothing_to_be_held_against_until_one_is_chosen(fresh: Tab) -> None:
    page = fresh.open("/dataset?ref=rows.csv%401")
    panel = page.locator("#profile")
    panel.get_by_text("1,000 rows").wait_for()
    assert panel.get_by_text("drifted").count() == 0
    panel.get_by_label("Against").select_option("Version 2")
    panel.get_by_text("Values moved in 1 of 3 columns").wait_for()


def test_a_column_opens_to_what_it_was_made_from(fresh: Tab) -> None:
    page = fresh.open("/dataset?ref=rows.csv%402")
    page.get_by_role("button", name="age").click()
    page.get_by_role("heading", name="Made from").wait_for()
    page.get_by_text("born").wait_for()
    page.get_by_text("declared").first.wait_for()


def test_what_depends_on_it_is_counted_and_named(fresh: Tab) -> None:
    page = fresh.open("/dataset?ref=rows.csv%402")
    page.get_by_text("1 thing depends on it").wait_for()
    page.locator(".s4").get_by_role("link", name="train.py").wait_for()


def test_a_runs_page_shows_the_values_of_what_it_read(fresh: Tab) -> None:
    page = fresh.open(f"/run?id={3:032x}&tab=data")
    page.locator("summary").get_by_text("rows.csv@2").click()
    page.get_by_text("Values moved in 1 of 3 columns").wait_for()


def test_it_is_accessible_in_light_and_dark(chromium: Any, shop: Serving) -> None:
    tab = Tab(chromium, shop.url, bypass_csp=True)
    tab.open("/dataset?ref=rows.csv%402").get_by_text("Values moved").first.wait_for()
    found = tab.faults("dataset")
    tab.context.close()
    assert found == {}
