"""The table of runs: filter, order, selection, comparison, columns, export."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from tests.page.conftest import Tab
from tests.server.serving import Serving


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
    boxes = page.get_by_role("grid").get_by_role("checkbox")
    boxes.nth(0).check()
    assert page.get_by_role("button", name="Compare", exact=True).is_disabled()
    boxes.nth(3).check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("heading", name="Parameters").wait_for()
    tab.settled()
    page.get_by_text("depth", exact=True).first.wait_for()


def test_many_runs_stand_side_by_side_with_what_differs(tab: Tab) -> None:
    page = tab.open("/runs?where=job%3D'train.py'%20AND%20state%3Dfinished")
    for box in page.get_by_role("grid").get_by_role("checkbox").all():
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


def test_a_view_is_saved_on_the_server_by_name(tab: Tab, chromium: Any, served: Serving) -> None:
    page = tab.open("/runs?where=state%3Dfailed")
    page.get_by_role("button", name="Saved views").click()
    page.get_by_label("Name of the view").fill("broken <b>")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="broken <b>").wait_for()
    other = Tab(chromium, served.url)
    page = other.open("/runs")
    page.get_by_role("button", name="Saved views").click()
    page.get_by_role("link", name="broken <b>").click()
    page.get_by_text("1 run", exact=True).wait_for()
    other.open("/runs?view=broken%20%3Cb%3E").get_by_text("1 run", exact=True).wait_for()
    page.get_by_role("button", name="Saved views").click()
    page.get_by_role("button", name="Take the view broken <b> away").click()
    page.get_by_text("No view is saved yet").wait_for()
    other.context.close()


def test_runs_are_grouped_by_a_parameter_and_a_group_opens_to_its_runs(tab: Tab) -> None:
    page = tab.open("/runs?where=job%3D'train.py'")
    page.get_by_label("Group by").select_option("params.depth")
    page.wait_for_url("**by=params.depth*")
    page.get_by_label("Metric").select_option("auc")
    groups = page.get_by_role("region", name="Group by")
    deep = groups.get_by_role("row").filter(has=page.get_by_role("button", name="Runs with 6"))
    deep.get_by_text("1 failed").wait_for()
    assert deep.get_by_role("cell").nth(1).inner_text() == "3"
    assert deep.get_by_role("cell").nth(3).inner_text() == "0.874", "the best of them"
    assert deep.get_by_role("cell").nth(4).inner_text() == "0.8675", "their mean"
    page.get_by_role("button", name="Runs with 6").click()
    page.get_by_role("region", name="Runs").get_by_role("link", name="train.py").nth(2).wait_for()
    page.get_by_role("link", name="Show all 3 as a filter").click()
    page.get_by_text("3 runs", exact=True).wait_for()
    page.reload()
    tab.settled()
    page.get_by_text("3 runs", exact=True).wait_for()


def test_only_columns_that_differ_are_left_on_demand(tab: Tab) -> None:
    page = tab.open("/runs?where=job%3D'train.py'")
    heads = page.locator(".gt-head")
    heads.get_by_text("lr", exact=True).wait_for()
    page.get_by_label("Only differences").check()
    heads.get_by_text("lr", exact=True).wait_for(state="detached")
    heads.get_by_text("depth", exact=True).wait_for()


def test_runs_are_grouped_by_a_metric(tab: Tab) -> None:
    page = tab.open("/runs")
    page.get_by_label("Group by").select_option("metrics.auc")
    groups = page.get_by_role("region", name="Group by")
    groups.get_by_role("button", name="Runs with 0.861").wait_for()
    assert groups.get_by_text("(none)").count() == 1


def test_curves_are_smoothed_and_laid_over_other_axes(tab: Tab) -> None:
    page = tab.open("/runs?where=job%20%3D%20'train.py'")
    page.get_by_text("train.py").first.wait_for()
    page.get_by_role("link", name="train.py").first.click()
    page.get_by_text(re.compile("^Charts")).first.click()
    drawing = "() => document.querySelector('.charts canvas').toDataURL()"
    page.locator(".charts canvas").first.wait_for()
    seen = {page.evaluate(drawing)}
    smoothing = page.get_by_label("Smoothing")
    for change in (
        lambda: smoothing.fill("0.9"),
        lambda: page.get_by_label("Logarithmic").check(),
        lambda: page.get_by_label("Horizontal axis").select_option("time"),
    ):
        change()
        page.wait_for_function(
            "seen => !seen.includes(document.querySelector('.charts canvas')?.toDataURL() ?? seen[0])",
            arg=list(seen),
        )
        seen.add(page.evaluate(drawing))


def test_what_is_shown_is_drawn_as_points_and_lines_on_demand(tab: Tab) -> None:
    page = tab.open("/runs?where=job%20%3D%20'train.py'")
    page.get_by_role("button", name="Plot").click()
    points = page.get_by_role("img", name="params.depth / metrics.auc, 3")
    points.wait_for()
    assert points.locator("circle").count() == 3
    page.locator("label").filter(has_text=re.compile("^y")).get_by_role("combobox").select_option(
        "metrics.loss"
    )
    page.get_by_role("img", name="params.depth / metrics.loss, 3").wait_for()
    assert page.get_by_text("Parallel coordinates").count() == 1
