"""The lineage explorer: what it draws, and every action of it."""

from __future__ import annotations

import re

from tests.page.conftest import Tab
from tests.page.exploring import CHAMPION, card, opened


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
    card(page, "data/features.csv").click()
    page.keyboard.press("]")
    page.locator(".react-flow__node").nth(before).wait_for(state="detached")


def test_a_folded_chain_is_expanded_in_place_and_folded_again(tab: Tab) -> None:
    page = opened(tab)
    pill = page.locator(".lc.pill")
    assert pill.inner_text().split() == ["customers.csv", "→", "clean.py", "→", "customers.csv", "3"]
    pill.click()
    page.get_by_role("button", name="Expand").click()
    card(page, "clean.py").locator(".disc").wait_for()
    assert pill.count() == 0
    assert "expand=" in page.url
    page.goto(page.url.split("&expand=")[0])
    pill.wait_for()


def test_the_logical_lens_shows_jobs_and_artifacts_around_the_focus(tab: Tab) -> None:
    page = opened(tab)
    page.get_by_role("button", name="Logical", exact=True).click()
    card(page, "3 versions · model").wait_for()
    card(page, "train.py").filter(has_text="finished").click()
    facts = page.get_by_role("complementary", name="Inspector")
    facts.get_by_text("Runs", exact=True).wait_for()
    facts.get_by_role("button", name="Focus here").click()
    page.wait_for_url(re.compile("ref=run%3A"))


def test_the_overview_shows_the_whole_record_also_what_the_focus_is_not_connected_with(tab: Tab) -> None:
    page = opened(tab)
    assert card(page, "vendor/dow").count() == 0
    page.get_by_role("button", name="Overview", exact=True).click()
    card(page, "vendor/dow").wait_for()
    page = tab.open("/lineage")
    page.get_by_role("link", name="Overview of the whole record").click()
    card(page, "vendor/dow").wait_for()


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
