"""The lineage explorer: what it draws, and every action of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.page.conftest import Tab

CHAMPION = "/lineage?ref=churn%40champion"


def card(page: Any, text: str) -> Any:
    return page.locator(".react-flow__node").filter(has_text=text).first


def opened(tab: Tab, place: str = CHAMPION) -> Any:
    page = tab.open(place)
    page.locator(".react-flow__node").first.wait_for()
    return page


def test_it_opens_on_the_focus_with_its_ways_lit_and_its_facts_beside_it(tab: Tab) -> None:
    page = opened(tab)
    inspector = page.get_by_role("complementary", name="Inspector")
    inspector.get_by_text("What changed from v1").wait_for()
    assert card(page, "v2 champion").locator(".lc.focus.chosen").count() == 1
    assert page.locator(".line.on").count() > 5


def test_a_click_chooses_a_card_and_the_address_keeps_it(tab: Tab) -> None:
    page = opened(tab)
    card(page, "features.py").click()
    page.get_by_role("complementary").get_by_role("heading", name="features.py").wait_for()
    assert "sel=" in page.url
    page.reload()
    tab.settled()
    page.get_by_role("complementary").get_by_role("heading", name="features.py").wait_for()


def test_hidden_neighbours_are_drawn_and_taken_away_again(tab: Tab) -> None:
    page = opened(tab)
    before = page.locator(".react-flow__node").count()
    more = card(page, "data/features.csv").locator(".more.right")
    assert more.inner_text() == "+1"
    more.click()
    page.wait_for_url(re.compile("open="))
    page.locator(".react-flow__node").nth(before).wait_for()
    page.go_back() if page.locator(".more.right").count() == 0 else None
    card(page, "data/features.csv").click()
    page.keyboard.press("]")
    page.locator(".react-flow__node").nth(before).wait_for(state="detached")


def test_a_folded_chain_is_expanded_in_place_and_folded_again(tab: Tab) -> None:
    page = opened(tab)
    card(page, "3 steps").click()
    page.get_by_role("button", name="Expand").click()
    card(page, "clean.py").wait_for()
    assert card(page, "3 steps").count() == 0
    page.go_back() if "expand=" not in page.url else None
    assert "expand=" in page.url


@pytest.mark.parametrize(("lens", "fewer"), [("Logical", True), ("Overview", True)])
def test_lenses_draw_the_same_graph_with_fewer_cards(tab: Tab, lens: str, fewer: bool) -> None:
    page = opened(tab)
    before = page.locator(".react-flow__node").count()
    page.get_by_role("button", name=lens, exact=True).click()
    page.locator(".react-flow__node").nth(before - 1).wait_for(state="detached")
    assert 1 < page.locator(".react-flow__node").count() < before


def test_ancestry_and_impact_are_looked_at_alone(tab: Tab) -> None:
    page = opened(tab)
    page.get_by_role("button", name="Ancestry").click()
    card(page, "evaluate.py").wait_for(state="detached")
    page.get_by_role("button", name="Impact").click()
    card(page, "evaluate.py").wait_for()
    card(page, "extract.py").wait_for(state="detached")


def test_cards_are_found_by_a_part_of_their_name(tab: Tab) -> None:
    page = opened(tab)
    page.keyboard.press("/")
    page.keyboard.type("regions")
    page.keyboard.press("Enter")
    page.get_by_role("complementary").get_by_text("May come from").wait_for()


def test_the_keyboard_alone_walks_chooses_and_focuses(tab: Tab) -> None:
    page = opened(tab)
    page.locator(".stage").focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("complementary").get_by_role("heading", name="train.py").wait_for()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("complementary").get_by_role(
        "heading", name=re.compile("features.csv|train.toml")
    ).wait_for()
    page.keyboard.press("f")
    page.wait_for_url(re.compile(r"ref=(data%2Ffeatures|train\.toml)"))


def test_two_cards_become_one_difference_in_four_colours(tab: Tab) -> None:
    page = opened(tab, "/lineage?ref=churn%401")
    page.get_by_role("button", name="Compare with…").click()
    page.goto(page.url.replace("churn%401", "churn%402&compare=churn%403"))
    page.get_by_text("only second").wait_for()
    for side in ("same", "changed", "left", "right"):
        page.locator(f".lc.side-{side}").first.wait_for()


def test_an_edge_says_how_it_is_known(tab: Tab) -> None:
    page = opened(tab)
    page.locator(".react-flow__edge").first.dispatch_event("click")
    page.get_by_role("complementary").get_by_text("How it is known").wait_for()
    page.get_by_role("complementary").get_by_text(
        re.compile("observed|inferred|declared|imported")
    ).first.wait_for()


def test_the_bar_of_time_goes_back_and_returns(tab: Tab) -> None:
    page = opened(tab)
    page.get_by_role("slider", name="As of").focus()
    for _ in range(6):
        page.keyboard.press("PageDown")
    page.wait_for_url(re.compile("as_of="))
    page.get_by_text("As of ", exact=False).first.wait_for()
    card(page, "v1").wait_for()
    page.get_by_role("button", name="Now", exact=True).click()
    card(page, "v2 champion").wait_for()
    assert "as_of" not in page.url


def test_a_moment_before_anything_was_recorded_is_said_and_left_again(tab: Tab) -> None:
    page = tab.open(f"{CHAMPION}&as_of=1000000")
    page.get_by_role("alert").wait_for()
    page.get_by_role("button", name="Now", exact=True).first.click()
    card(page, "v2 champion").wait_for()


def test_the_table_has_the_same_cards_and_edges(tab: Tab) -> None:
    page = opened(tab)
    cards = page.locator(".react-flow__node").count()
    page.get_by_role("button", name="Table").click()
    twin = page.get_by_role("region", name="Table")
    twin.get_by_role("heading", name=f"Cards: {cards}").wait_for()
    assert twin.locator("table").first.locator("tbody tr").count() == cards


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("Drawing (SVG)", b"<svg"),
        ("Picture (PNG)", b"\x89PNG"),
        ("Data (JSON)", b"{"),
        ("Text (Mermaid)", b"flowchart LR"),
    ],
)
def test_it_is_exported(tab: Tab, name: str, begins: bytes) -> None:
    page = opened(tab)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name).click()
    content = waiting.value.path().read_bytes()
    assert content.startswith(begins)
    if begins == b"{":
        assert len(json.loads(content)["nodes"]) == page.locator(".react-flow__node").count()


def test_the_exact_view_is_in_the_address(tab: Tab) -> None:
    page = opened(tab)
    page.mouse.move(600, 500)
    page.mouse.wheel(0, -400)
    page.wait_for_url(re.compile(r"v=-?\d+%2C-?\d+%2C"))
    seen = page.locator(".react-flow__viewport").get_attribute("style")
    page.reload()
    tab.settled()
    page.locator(".react-flow__node").first.wait_for()
    again = page.locator(".react-flow__viewport").get_attribute("style")
    scale = [float(re.search(r"scale\(([\d.]+)\)", text or "")[1]) for text in (seen, again)]
    assert scale[0] == pytest.approx(scale[1], abs=0.01)
