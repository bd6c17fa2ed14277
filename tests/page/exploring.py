"""What tests of the explorer do: open it, wait until it stands, find a card."""

from __future__ import annotations

from typing import Any

from tests.page.conftest import Tab

CHAMPION = "/lineage?ref=churn%40champion"
SEEN = """() => new Promise(done => requestIdleCallback(() => requestAnimationFrame(() => done({
  cards: [...document.querySelectorAll('.react-flow__node')].map(n => [n.dataset.id, n.style.transform, n.innerText, n.querySelector('.lc').className]),
  lines: [...document.querySelectorAll('.react-flow__edge path.line')].map(p => [p.getAttribute('d'), p.getAttribute('class')]),
  signs: document.querySelectorAll('.sign').length,
  view: document.querySelector('.react-flow__viewport').style.transform,
  beside: document.querySelector('.inspector h2')?.innerText,
})), { timeout: 3000 }))"""


def at_rest(page: Any) -> Any:
    """What is drawn, once neither it nor the address changes between idle moments of the page."""
    calm, seen = 0, None
    for _ in range(600):
        before, seen = seen, (page.evaluate(SEEN), page.url)
        calm = calm + 1 if seen == before else 0
        if calm == 4:
            return seen[0]
        page.wait_for_timeout(100)
    raise AssertionError("the drawing does not come to rest")


def card(page: Any, text: str) -> Any:
    return page.locator(".react-flow__node").filter(has_text=text).first


def opened(tab: Tab, place: str = CHAMPION) -> Any:
    """The explorer with all of its graph in sight."""
    page = tab.open(place)
    page.locator(".react-flow__node").first.wait_for()
    if "v=" not in place:
        page.get_by_role("button", name="Fit to screen").click()
    at_rest(page)
    return page
