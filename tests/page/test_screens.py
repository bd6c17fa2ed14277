"""Every screen shows what is recorded, in light and dark, on a phone, to a keyboard and to a screen reader."""

from __future__ import annotations

from typing import Any

from tests.page.conftest import Tab
from tests.server.serving import Serving

API = "/api/lineal/v1"
SCREENS = {
    "/": "there is data/features.csv@3",
    "/runs": "explore.py",
    "/runs?by=params.depth": "1 failed",
    "/models": "churn",
    "/model?name=churn": "AUC 0.861 instead of 0.812",
    "/version?ref=churn%402": "models/churn.json@2",
    "/compare?a=churn%401&b=churn%402": "tenure_months",
    "/compare?a=data%2Ffeatures.csv%401&b=data%2Ffeatures.csv%402": "What they hold",
    "/datasets": "data/features.csv",
    "/dataset?ref=data%2Ffeatures.csv%402": "other type",
    "/jobs": "legacy/export.py",
    "/deployments": "https://churn.acme.example/v1/score",
    "/settings": "store:admin",
    "/lineage": "Choose something to start from",
    "/lineage?ref=churn%40champion": "features.py",
    "/lineage?ref=churn%402&compare=churn%403": "only second",
    "/lineage?ref=churn%40champion&table=1": "origin unknown",
}


def test_every_screen_shows_the_record_to_everybody(chromium: Any, served: Serving) -> None:
    """In light and dark, on a phone, and to who cannot see it."""
    tab = Tab(chromium, served.url, bypass_csp=True)
    found: dict[str, list[str]] = {}
    for place, text in SCREENS.items():
        page = tab.open(place)
        page.get_by_text(text).first.wait_for()
        assert "Lineal" in page.title()
        found |= tab.faults(place, narrow=360)
    tab.context.close()
    assert found == {}
    assert tab.troubles == []
    assert tab.foreign == []


def run_of(served: Serving, where: str) -> str:
    return str(served.get(f"{API}/runs?limit=1&where={where}").json["runs"][0]["run_id"])


def test_a_run_shows_each_of_its_sides(tab: Tab, served: Serving) -> None:
    shown = {
        "Charts": "loss",
        "Data": "data/features.csv@1",
        "Code": "7d1e55aa7d1e55aa7d1e55aa7d1e55aa7d1e55aa",
        "Environment": "scikit-learn",
        "Files": "models/churn.json",
        "Overview": "rounds",
    }
    page = tab.open(f"/run?id={run_of(served, 'params.depth=4')}")
    for name, text in shown.items():
        page.locator(".tabs").get_by_role("link", name=name).click()
        page.locator(".tabs [aria-current=page]").get_by_text(name).wait_for()
        page.get_by_text(text).first.wait_for()


def test_a_failed_run_says_why(tab: Tab, served: Serving) -> None:
    page = tab.open(f"/run?id={run_of(served, 'state=failed')}&tab=error")
    page.locator("pre.code").wait_for()
    assert page.locator(".tabs [aria-current=page]").inner_text() == "Error"


def test_a_narrow_screen_is_walked_by_its_menu(chromium: Any, served: Serving) -> None:
    tab = Tab(chromium, served.url, viewport={"width": 360, "height": 740})
    page = tab.open("/")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Jobs").click()
    page.get_by_text("legacy/export.py").first.wait_for()
    tab.context.close()
    assert tab.troubles == []


def test_appearance_is_chosen_and_kept(tab: Tab) -> None:
    page = tab.open("/settings")
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    tab.settled()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_times_are_in_the_viewers_zone_with_utc_beside_them(chromium: Any, served: Serving) -> None:
    shown = set()
    for zone in ("UTC", "Asia/Tokyo"):
        tab = Tab(chromium, served.url, timezone_id=zone)
        time = tab.open("/deployments").locator("time").first
        assert time.get_attribute("title").endswith("UTC")
        shown.add(time.inner_text())
        tab.context.close()
    assert len(shown) == 2


def test_anything_is_found_with_the_keyboard_alone(tab: Tab) -> None:
    page = tab.open("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("features.csv")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="data/features.csv").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.get_by_role("heading", name="Models").wait_for()


def test_a_page_that_does_not_exist_says_so(tab: Tab) -> None:
    tab.open("/nothing").get_by_text("There is no such page").first.wait_for()


def test_what_is_not_recorded_is_said_in_the_servers_words(tab: Tab) -> None:
    page = tab.open("/model?name=chrun")
    page.get_by_role("alert").get_by_text("nothing is registered under").wait_for()
    assert page.get_by_role("button", name="Try again").is_visible()
