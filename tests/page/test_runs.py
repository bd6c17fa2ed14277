"""The table of runs: filter, order, selection, comparison, columns, export."""

from __future__ import annotations

import csv
import io

from tests.page.conftest import Tab


def test_a_filter_is_completed_applied_and_kept_in_the_address(tab: Tab) -> None:
    page = tab.open("/runs")
    page.keyboard.press("/")
    page.keyboard.type("metrics.a")
    page.get_by_role("option", name="metrics.auc").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type("> 0.86")
    page.get_by_text("4 runs", exact=True).wait_for()
    page.reload()
    tab.settled()
    page.get_by_text("4 runs", exact=True).wait_for()


def test_a_filter_that_cannot_be_read_is_marked_at_its_character(tab: Tab) -> None:
    page = tab.open("/runs")
    page.get_by_role("combobox", name="Filter").fill("state = finished foo = 1")
    page.locator(".filter-error mark").wait_for()
    assert page.locator(".filter-error mark").inner_text().startswith("foo")
    assert page.get_by_role("grid").is_visible()


def test_a_click_on_a_head_sorts_on_the_server(tab: Tab) -> None:
    page = tab.open("/runs?where=metrics.auc%3E0")
    page.get_by_role("button", name="auc", exact=True).click()
    head = page.get_by_role("columnheader", name="auc")
    page.locator("[aria-sort=descending]").wait_for()
    column = head.get_attribute("aria-colindex")
    cells = page.locator(f"[role=gridcell][aria-colindex='{column}']")
    values = [float(text) for text in cells.all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert len(values) == 6


def test_chosen_runs_are_compared(tab: Tab) -> None:
    page = tab.open("/runs?where=job%3D'train.py'")
    boxes = page.get_by_role("checkbox")
    boxes.nth(0).check()
    assert page.get_by_role("button", name="Compare", exact=True).is_disabled()
    boxes.nth(3).check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("heading", name="Parameters").wait_for()
    tab.settled()
    page.get_by_text("depth", exact=True).first.wait_for()


def test_many_runs_stand_side_by_side_with_what_differs(tab: Tab) -> None:
    page = tab.open("/runs?where=job%3D'train.py'%20AND%20state%3Dfinished")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("heading", name="Compare: 3").wait_for()
    table = page.get_by_role("region", name="Compare")
    table.get_by_text("depth").wait_for()
    assert table.get_by_text("seed").count() == 0
    page.get_by_label("Only differences").uncheck()
    table.get_by_text("seed").wait_for()


def test_columns_are_chosen_and_kept_in_the_address(tab: Tab) -> None:
    page = tab.open("/runs")
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("checkbox", name="brier").uncheck()
    page.get_by_role("columnheader", name="brier").wait_for(state="detached")
    assert "cols=" in page.url
    page.reload()
    tab.settled()
    assert page.get_by_role("columnheader", name="brier").count() == 0


def test_an_export_holds_every_run_of_the_filter(tab: Tab) -> None:
    page = tab.open("/runs?where=job%3D'train.py'")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    text = waiting.value.path().read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 4
    assert {row["job"] for row in rows} == {"train.py"}
    assert {row["params.depth"] for row in rows} == {"4", "6"}


def test_a_view_is_saved_by_name(tab: Tab) -> None:
    page = tab.open("/runs?where=state%3Dfailed")
    page.get_by_role("button", name="Saved views").click()
    page.get_by_label("Name of the view").fill("broken")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="broken").wait_for()
    page.keyboard.press("Escape")
    tab.open("/runs")
    page.get_by_role("button", name="Saved views").click()
    page.get_by_role("link", name="broken").click()
    page.get_by_text("1 run", exact=True).wait_for()
