"""Pictures of every screen, light and dark, into docs/screens: `tools/screens.py [NAME ...]`.

Starts a real server on a demo of its own and looks at it with the distribution's Chromium.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "screens"
LINEAL = Path(sys.executable).with_name("lineal")
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE: Any = {"width": 1440, "height": 900}
PHONE: Any = {"width": 390, "height": 844}
SCREENS = {
    "home": "/",
    "runs": "/runs",
    "runs-plots": "/runs?plots=1&where=job%20%3D%20'train.py'",
    "run": "/run?id={run}",
    "run-data": "/run?id={run}&tab=data",
    "lineage": "/lineage?ref=churn%40champion",
    "lineage-difference": "/lineage?ref=churn%402&compare=churn%403",
    "lineage-table": "/lineage?ref=churn%40champion&table=1",
    "models": "/models",
    "model": "/model?name=churn",
    "version": "/version?ref=churn%402",
    "compare": "/compare?a=churn%401&b=churn%402",
    "datasets": "/datasets",
    "dataset": "/dataset?ref=data%2Ffeatures.csv%402",
    "jobs": "/jobs",
    "deployments": "/deployments",
    "settings": "/settings",
}


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A server of a fresh demo, and its address."""
    subprocess.run([LINEAL, "demo", folder], check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen(
        [LINEAL, "server", "--port", "0"],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"at (http://\S+)", line):
            return server, found[1]
    raise SystemExit("the server did not start")


def shoot(page: Any, url: str, path: Path) -> None:
    """One picture, taken when nothing loads any more."""
    page.goto("about:blank")
    page.goto(url)
    page.locator("#crumbs li").first.wait_for()
    page.locator(".skeleton").first.wait_for(state="hidden")
    page.evaluate("document.fonts.ready")
    time.sleep(0.6)
    page.screenshot(path=path)
    print(path.relative_to(ROOT), flush=True)


def take(browser: Any, url: str, wanted: dict[str, str]) -> None:
    """All wanted pictures: light and dark, and some as a phone shows them."""
    for scheme in ("light", "dark"):
        context = browser.new_context(
            viewport=WIDE, color_scheme=scheme, timezone_id="Europe/Berlin", reduced_motion="reduce"
        )
        page = context.new_page()
        page.on("pageerror", lambda error: print("page error:", error, file=sys.stderr))
        query = "where=job%3D'train.py'&limit=1"
        run = page.request.get(f"{url}/api/lineal/v1/runs?{query}").json()["runs"][0]["run_id"]
        for name, place in wanted.items():
            shoot(page, f"{url}/#{place.format(run=run)}", OUT / f"{name}-{scheme}.png")
        if scheme == "light":
            page.set_viewport_size(PHONE)
            for name in ("home", "model", "lineage"):
                if name in wanted:
                    shoot(page, f"{url}/#{SCREENS[name]}", OUT / f"{name}-phone.png")
        context.close()


def main() -> int:
    """Take the pictures named on the command line, or all; the exit code."""
    OUT.mkdir(exist_ok=True, parents=True)
    wanted = {name: SCREENS[name] for name in sys.argv[1:]} or SCREENS
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server, url = serve(Path(folder) / "lineal-demo")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            take(browser, url, wanted)
        finally:
            browser.close()
            server.terminate()
            server.wait(30)
    return 0


if __name__ == "__main__":
    sys.exit(main())
