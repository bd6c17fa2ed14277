"""What the explorer tells beyond the drawing: marks, evidence and messages, columns, differences, sweeps, ways."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineal.core import events as ev
from tests.e2e.cli import LINEAL, environment
from tests.page.conftest import Tab
from tests.page.exploring import CHAMPION, at_rest, card, opened
from tests.page.kept import raw
from tests.page.seeding import T, project, record, started, table
from tests.server.serving import Serving


def inspector(page: Any) -> Any:
    return page.get_by_role("complementary", name="Inspector")


def test_what_deserves_a_second_look_is_marked_with_a_sign_and_said_in_words(tab: Tab) -> None:
    page = opened(tab)
    assert card(page, "v2 champion").locator(".sign-stale").count() == 1
    inspector(page).get_by_text("made from data/features.csv@2; there is data/features.csv@3").wait_for()
    assert page.locator(".react-flow__edge .sign-stale").count() > 0
    assert card(page, "features.py").locator(".sign-conflict").count() == 1
    assert "stale" in (
        page.locator(".react-flow__node[data-id]").filter(has_text="v2 champion").get_attribute("aria-label")
        or ""
    )
    page.get_by_role("button", name="1 conflict").click()
    inspector(page).get_by_text(re.compile("mixes .* versions of public.customers")).wait_for()
    page.get_by_role("button", name="Key", exact=True).click()
    for word in ("conflict", "withdrawn", "stale", "gap"):
        page.locator(".keybox").get_by_text(word, exact=True).wait_for()


def test_withdrawn_data_is_marked_on_everything_made_from_it_and_a_line_tells_its_facets(
    tmp_path: Path, chromium: Any
) -> None:
    served = Serving(project(tmp_path / "shop")).start()
    tab = Tab(chromium, served.url)
    try:
        record(
            served,
            started(1, "train.py"),
            ev.VersionUsed(run=f"{1:032x}", version=table("people.csv", 1), at=T + 1),
            ev.VersionGenerated(run=f"{1:032x}", version=table("m.bin", 2, kind="model"), at=T + 2),
            ev.FacetSet(
                run=f"{1:032x}", name="inputs.shop/people.csv.licence", body=raw({"terms": "CC-BY"}), at=T + 2
            ),
        )
        subprocess.run(
            [LINEAL, "delete", "people.csv@1", "--reason", "asked for by a customer", "--force"],
            cwd=served.folder,
            env=environment(),
            check=True,
            capture_output=True,
        )
        page = tab.open("/lineage?ref=m.bin@1")
        card(page, "people.csv").locator(".sign-withdrawn").wait_for()
        assert card(page, "people.csv").locator(".lc.gone").count() == 1
        assert card(page, "m.bin").locator(".sign-withdrawn").count() == 1
        inspector(page).get_by_text("made from people.csv@1, which was deleted").wait_for()
        assert page.locator(".react-flow__edge .sign-withdrawn").count() == 2
        page.locator(".react-flow__edge").first.dispatch_event("click")
        inspector(page).get_by_text("licence", exact=True).click()
        inspector(page).get_by_text('"terms": "CC-BY"').wait_for()
        assert tab.troubles == []
    finally:
        tab.context.close()
        served.close()


def test_an_edge_opens_the_message_that_it_came_from(tab: Tab) -> None:
    page = opened(tab)
    page.locator(".react-flow__edge").first.dispatch_event("click")
    inspector(page).get_by_text("How it is known").wait_for()
    inspector(page).get_by_text(re.compile("observed|inferred|declared|imported")).first.wait_for()
    inspector(page).get_by_role("button", name=re.compile("^Message ")).first.click()
    body = page.get_by_label("As it was received")
    assert '"type": "run_started"' in body.inner_text()
    assert tab.axe() == []
    page.keyboard.press("Escape")
    body.wait_for(state="detached")


def test_cards_are_opened_to_their_columns_and_lines_lead_from_column_to_column(tab: Tab) -> None:
    page = opened(tab)
    features = card(page, "data/features.csv")
    features.click()
    page.keyboard.press("c")
    features.locator(".columns").get_by_text("logins").wait_for()
    page.locator(".line.column").first.wait_for(state="attached")
    alone = page.locator(".line.column").count()
    events = card(page, "data/raw/events")
    events.hover()
    events.get_by_role("button", name="Show columns").click()
    at_rest(page)
    events.locator(".columns").get_by_text("logins").click()
    page.wait_for_url(re.compile("column=%5B"))
    page.locator(".line.column.on").first.wait_for(state="attached")
    assert features.locator("button.bright").inner_text() == "logins"
    assert page.locator(".line.column").count() >= alone >= 1
    assert "columns=" in page.url
    assert "column=" in page.url
    page.get_by_role("button", name="Table").click()
    page.get_by_role("heading", name=re.compile("Lines between columns: ")).wait_for()


def test_kinds_are_hidden_and_lines_lead_through_them(tab: Tab) -> None:
    page = opened(tab)
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("checkbox", name="run").uncheck()
    card(page, "train.py").wait_for(state="detached")
    page.keyboard.press("Escape")
    card(page, "v2 champion").click()
    inspector(page).get_by_text(re.compile(r"^\d+ lines?$")).click()
    inspector(page).get_by_role("button", name="features.csv").first.click()
    inspector(page).get_by_text("It leads through 1 card of hidden kinds.").wait_for()
    page.reload()
    tab.settled()
    card(page, "v2 champion").wait_for()
    assert card(page, "train.py").count() == 0


@pytest.mark.parametrize(("by", "group"), [("kind", "3 × dataset"), ("namespace", "warehouse.acme")])
def test_cards_are_grouped_and_opened_again(tab: Tab, by: str, group: str) -> None:
    page = opened(tab, f"{CHAMPION}&v=20,200,0.5")
    before = page.locator(".react-flow__node").count()
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("radio", name=by).check()
    page.keyboard.press("Escape")
    page.locator(".react-flow__node").nth(before - 1).wait_for(state="detached")
    one = card(page, group)
    one.click()
    page.get_by_role("button", name="Expand").click()
    one.wait_for(state="detached")
    assert page.locator(".line.loop").count() == 0


@pytest.mark.parametrize("lens", ["versions", "logical", "overview"])
def test_two_are_one_difference_in_four_colours_in_every_lens(tab: Tab, lens: str) -> None:
    page = opened(tab, f"/lineage?ref=churn%402&compare=churn%403&lens={lens}")
    legend = page.get_by_role("list", name="Difference graph")
    assert [text.strip() for text in legend.locator("li").all_inner_texts()][:4] == [
        "the same",
        "changed",
        "only first",
        "only second",
    ]
    for side in ("same", "changed", "left", "right"):
        page.locator(f".lc.side-{side}").first.wait_for()
    models = page.locator(".react-flow__node").filter(has_text="churn").filter(has=page.locator(".lc.focus"))
    assert models.count() == (2 if lens == "versions" else 1)


def test_two_pinned_cards_show_the_way_between_them(tab: Tab) -> None:
    page = opened(tab)
    card(page, "data/features.csv").click()
    page.keyboard.press("p")
    card(page, "v2 champion").click()
    inspector(page).get_by_text("A way of 2 hops:").wait_for()
    inspector(page).get_by_text("features.csv → train.py → churn").wait_for()
    assert page.locator(".line.on").count() == 2
    page.keyboard.press("d")
    page.wait_for_url(re.compile("compare=churn%402"))


def test_opening_goes_on_hop_by_hop(tab: Tab) -> None:
    page = opened(tab, "/lineage?ref=data%2Fregions.csv%401&depth=1&fold=0")
    for _ in range(3):
        before = page.locator(".react-flow__node").count()
        page.locator(".more.right").first.dispatch_event("click")
        page.locator(".react-flow__node").nth(before).wait_for()
    assert page.url.count("down%3A") == 3
    whole = page.locator(".react-flow__node").count()
    page.reload()
    tab.settled()
    page.locator(".react-flow__node").nth(whole - 1).wait_for()
    page.locator(".less.right").first.dispatch_event("click")
    page.locator(".react-flow__node").nth(whole - 1).wait_for(state="detached")
    page = opened(tab, "/lineage?ref=data%2Fregions.csv%401&depth=1&fold=0")
    page.locator(".stage").focus()
    page.keyboard.press("}")  # three hops at once
    page.wait_for_url(re.compile(r"open=.*down%3A\d+%3A3"))
    page.locator(".react-flow__node").nth(whole - 1).wait_for()
    page.get_by_role("complementary").get_by_role("button", name="Close what is behind it").click()
    page.wait_for_url(lambda url: "open=" not in url)


def test_what_all_came_through_and_what_serves_is_told_and_lit(tab: Tab) -> None:
    page = opened(tab, CHAMPION)
    through = page.locator(".lc:has(.trait)")
    through.first.wait_for()
    assert through.count() == page.locator(".trait").count() >= 1
    assert "train.py" in through.all_inner_texts()[0]
    page.get_by_role("button", name=re.compile("behind what is live")).click()
    page.wait_for_url(re.compile("light=serves"))
    page.locator(".lc.faint").first.wait_for()
    lit = page.locator(".lc:not(.faint)")
    assert 3 < lit.count() < page.locator(".lc").count()
    card(page, "train.py").click()
    page.get_by_role("complementary").get_by_text("essential", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "light=" not in url)
    page.goto("about:blank")  # the address may still be about to take in where the view came to rest
    tab.open("/lineage?ref=data%2Fregions.csv%401&to=churn%402")
    page.locator(".line.way").first.wait_for(state="attached")
    page.locator(".lc.way").nth(2).wait_for()
    assert page.locator(".lc.way").count() == 3, "what lies between is folded"


TRAIN = """
import json, sys, pathlib, lineal
lr = float(sys.argv[1])
rows = pathlib.Path("data.csv").read_text()
lineal.param("lr", lr)
lineal.log({"auc": 0.9 - (lr - 0.3) ** 2})
pathlib.Path("models").mkdir(exist_ok=True)
pathlib.Path(f"models/{sys.argv[2]}.json").write_text(json.dumps({"lr": lr}))
"""


def test_a_sweep_is_one_card_with_its_runs_as_dots_and_the_one_that_won(
    tmp_path: Path, chromium: Any
) -> None:
    folder = project(tmp_path / "sweep")
    (folder / "data.csv").write_text("a,b\n1,2\n" * 40)
    (folder / "train.py").write_text(TRAIN)
    for number in range(8):
        subprocess.run(
            [LINEAL, "run", sys.executable, "train.py", str(number / 10), str(number)],
            cwd=folder,
            env=environment(),
            check=True,
            capture_output=True,
        )
    subprocess.run(
        [LINEAL, "register", "models/3.json", "best"],
        cwd=folder,
        env=environment(),
        check=True,
        capture_output=True,
    )
    served = Serving(folder).start()
    tab = Tab(chromium, served.url)
    try:
        page = opened(tab, "/lineage?ref=best%401")
        more = card(page, "data.csv").locator(".more.right")
        assert more.inner_text() == "+7"
        more.click()
        sweep = page.locator(".lc.sweep").filter(has_text="train.py")
        sweep.locator(".strip circle").nth(7).wait_for()
        assert sweep.locator(".times").inner_text() == "×8"
        assert sweep.locator(".strip .won").count() == 1
        assert re.search(r"auc 0\.74\s+0\.9", sweep.locator(".strip").inner_text())
        assert re.search(r"[0-9a-f]{8} became best v1", sweep.locator(".winner").inner_text())
        assert tab.axe() == []
        assert tab.troubles == []
    finally:
        tab.context.close()
        served.close()
