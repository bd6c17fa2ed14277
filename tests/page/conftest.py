"""The built page in a real browser, against a real server on a store that the demo seeded."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.ui import STATIC
from tests.e2e.cli import LINEAL, environment
from tests.server.serving import Serving

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def absent() -> str:
    """What is missing to look at the page; empty when nothing is."""
    if not (STATIC / "index.html").exists():
        return "the page is not built (make ui, which needs Node 20)"
    return "" if CHROMIUM.exists() else "Chromium is not installed"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if reason := absent():
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if reason := absent():
        terminalreporter.write_line(f"SKIPPED PEERS: the page in a browser: {reason}", yellow=True)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's project."""
    folder = tmp_path_factory.mktemp("page") / "demo"
    subprocess.run([LINEAL, "demo", folder], check=True, capture_output=True, env=environment())
    return folder


@pytest.fixture(scope="session")
def served(seeded: Path) -> Iterator[Serving]:
    """A server of the demo's project, which no test changes in a way that others see."""
    server = Serving(seeded).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for the tests of a file. While it is open its driver's event loop runs in this thread, so it must not
    outlive the file: other tests start loops of their own."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


class Tab:
    """A tab of the browser. troubles: what the page or the browser complained of."""

    def __init__(self, browser: Any, base: str, **how: Any) -> None:
        self.base = base
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"} | how
        )
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("console", self._heard)
        self.page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.troubles.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.base, "blob:", "data:", "about:")):
            self.foreign.append(request.url)

    def open(self, place: str) -> Any:
        """Go to a screen and wait until nothing loads any more; the page."""
        self.page.goto(f"{self.base}/#{place}")
        self.settled()
        return self.page

    def settled(self) -> None:
        self.page.locator("#crumbs li").first.wait_for()
        self.page.locator(".skeleton").first.wait_for(state="hidden")

    def faults(self, place: str, *, narrow: int = 0) -> dict[str, list[str]]:
        """What is not accessible on the screen that is open, in light and dark; and whether it is wider than a narrow window. By
        the place and how it was looked at."""
        found: dict[str, list[str]] = {}
        self.page.emulate_media(color_scheme="light")
        if violations := self.axe():
            found[f"{place} light"] = violations
        self.page.emulate_media(color_scheme="dark")
        if violations := self.axe("color-contrast"):
            found[f"{place} dark"] = violations
        if narrow:
            self.page.set_viewport_size({"width": narrow, "height": 800})
            self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
            if violations := self.axe("target-size", "scrollable-region-focusable"):
                found[f"{place} narrow"] = violations
            if (wide := self.page.evaluate("document.documentElement.scrollWidth")) > narrow:
                found[f"{place} narrow"] = [f"{wide} pixels wide"]
            self.page.set_viewport_size({"width": 1280, "height": 800})
        return found

    def axe(self, *rules: str) -> list[str]:
        """What is not accessible, by the rules of WCAG 2.2 AA, or by some of them: those that another look can change."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found = self.page.evaluate(
            "only => axe.run(document, {runOnly: only})",
            list(rules) or ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
        )
        return [
            f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]
        ]


@pytest.fixture
def tab(chromium: Any, served: Serving) -> Iterator[Tab]:
    """A fresh tab, which must not have complained at the end nor asked any other server."""
    opened = Tab(chromium, served.url)
    yield opened
    opened.context.close()
    assert opened.troubles == []
    assert opened.foreign == []
