"""The page in headless Chromium without a graphics card: how soon something is seen, and how smoothly it moves."""

from __future__ import annotations

import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import bench_lineage, servers
from bench.figures import Figure, report_parts
from lineal.core import events as ev
from lineal.core.model import Attribute
from lineal.store.open import Store, open_store
from lineal.ui import STATIC
from tests.page.conftest import CHROMIUM, FLAGS, absent

RUNS = int(os.environ.get("LINEAL_RUNS", "100000"))
POINTS = int(os.environ.get("LINEAL_POINTS", "1000000"))
METRICS = 50
_FRAMES = """async ms => { const gaps = []; let last = performance.now(); const end = last + ms;
  return new Promise(done => requestAnimationFrame(function tick(now) { gaps.push(now - last); last = now;
    now < end ? requestAnimationFrame(tick) : done(gaps.slice(1)); })); }"""

# Until something has a place on the screen, looked at in each frame.
_SEEN = """async selector => { while (!document.querySelector(selector)?.getClientRects().length)
  await new Promise(requestAnimationFrame); }"""
# Milliseconds from going to an address until the text that was there before is gone, looked at in each frame: waiting from
# outside looks at intervals that are longer than what is measured.
_ANSWERED = """async ([hash, before]) => { const begun = performance.now(); location.hash = hash;
  do await new Promise(requestAnimationFrame); while (document.querySelector("main").textContent.includes(before));
  return performance.now() - begun; }"""


def store_of(folder: Path) -> Store:
    """The store that a server started in the folder serves."""
    (folder / ".lineal").mkdir(parents=True, exist_ok=True)
    return open_store(str(folder / ".lineal" / "lineal.db"))


def seen(page: Any, url: str, selector: str) -> float:
    """Seconds from asking for an address until the selector is on the screen."""
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.evaluate(_SEEN, selector)
    page.locator(selector).first.wait_for()
    return time.perf_counter() - begun


def moved(page: Any) -> list[float]:
    """Milliseconds between frames while the graph is dragged for two seconds."""
    page.evaluate(f"window.frames_ = ({_FRAMES})(2000)")
    page.mouse.move(700, 400)
    page.mouse.down()
    end = time.perf_counter() + 2
    step = 0
    while time.perf_counter() < end:
        step += 1
        page.mouse.move(700 + 120 * ((step // 20) % 2 * 2 - 1) * (step % 20) / 20, 400 + step % 40)
    page.mouse.up()
    return list(page.evaluate("window.frames_"))


def zoomed(page: Any) -> list[float]:
    """Milliseconds between frames while the graph is made larger and smaller for two seconds."""
    page.evaluate(f"window.frames_ = ({_FRAMES})(2000)")
    page.mouse.move(700, 400)
    end = time.perf_counter() + 2
    step = 0
    while time.perf_counter() < end:
        step += 1
        page.mouse.wheel(0, -60 if (step // 15) % 2 else 60)
    return list(page.evaluate("window.frames_"))


def rate(gaps: list[float]) -> float:
    """Frames per second."""
    return 1000 * len(gaps) / sum(gaps)


def load(folder: Path, browser: Any) -> list[Figure]:
    """What a first visit downloads."""
    store_of(folder).close()
    with servers.lineal(folder) as server:
        page = browser.new_page()
        seen(page, f"http://127.0.0.1:{server.port}/", "#crumbs li")
        page.wait_for_timeout(2000)  # the stream of changes stays open, so the network is never idle
        sent = page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".reduce((sum, one) => sum + (one.name.includes('/api/') ? 0 : one.encodedBodySize), 0)"
        )
        page.close()
    built = sum(path.stat().st_size for path in STATIC.rglob("*") if path.suffix not in {".gz", ".br"})
    return [
        Figure("first load of the page, as sent", sent / 1024, "KB", 350),
        Figure("all parts of the page, unpacked", built / 1024, "KB", 2048),
    ]


def explorer(folder: Path, browser: Any) -> list[Figure]:
    """A scene of 150 cards from a large graph, then 300 and 2,000 cards in motion."""
    store = store_of(folder)
    vertices, edges = bench_lineage.fill(store)
    refs = []
    dice = random.Random(3)
    while len(refs) < 6:
        with store.read() as tx:
            found = store.artifacts.get_versions(tx, [dice.randrange(vertices) + 1])
        refs += [f"{version.name}@{version.number}" for version in found.values()]
    store.close()
    with servers.lineal(folder) as server:
        url = f"http://127.0.0.1:{server.port}/#/lineage?budget="
        cold, warm, layouts = [], [], {}
        for ref in refs[:3]:
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            cold.append(seen(page, f"{url}150&ref={ref}", ".react-flow__node"))
            page.evaluate("location.hash = '#/runs'")
            page.locator(".react-flow").wait_for(state="detached")
            warm.append(seen(page, f"{url}150&ref={ref}", ".react-flow__node"))
            context.close()
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        dragged, turned = {}, {}
        for budget, selector in (
            (150, ".react-flow__node"),
            (300, ".react-flow__node"),
            (2000, "canvas.lineage-canvas"),
        ):
            page.goto("about:blank")
            seen(page, f"{url}{budget}&fold=0&ref=table-0%400&sel=-", selector)
            page.wait_for_timeout(2500)
            layouts[budget] = page.evaluate("performance.getEntriesByName('layout')[0].duration")
            page.get_by_role("button", name="Fit to screen").click()
            page.wait_for_timeout(500)
            dragged[budget], turned[budget] = moved(page), zoomed(page)
        page.close()
    among = f"explorer, 150 cards of a graph of {edges:,} edges"
    return [
        Figure(f"{among}: open to drawn, cold", statistics.median(cold), "s", 1.5),
        Figure(f"{among}: again, warm", statistics.median(warm), "s", 0.4),
        Figure("layout in the worker, 150 cards", layouts[150], "ms", 300),
        Figure("layout in the worker, 2,000 cards", layouts[2000], "ms", 500),
        Figure("dragging 300 cards (elements)", rate(dragged[300]), "frames/s", 30, higher=True),
        Figure("zooming 300 cards (elements)", rate(turned[300]), "frames/s", 30, higher=True),
        Figure("dragging 2,000 cards (canvas)", rate(dragged[2000]), "frames/s", 30, higher=True),
        Figure("zooming 2,000 cards (canvas)", rate(turned[2000]), "frames/s", 30, higher=True),
    ]


def table(folder: Path, browser: Any) -> list[Figure]:
    """The table of many runs."""
    store = store_of(folder)
    dice = random.Random(13)
    for first in range(0, RUNS, 1000):
        with store.write() as tx:
            for number in range(first, first + 1000):
                node = store.runs.add_run(
                    tx, f"{number:032x}", namespace="bench", job=f"job {number % 20}", name="", kind="run",
                    parent=None, actor="bench", started_at=number, recorded_at=number,
                )  # fmt: skip
                params = [Attribute(key=f"p{i}", value=str(dice.randrange(8))) for i in range(5)]
                store.attributes.add_params(tx, node, params, at=number)
                value = np.array([dice.random()], "<f8").tobytes()
                store.metrics.add_points(tx, node, ["acc"], bytes(4), bytes(8), bytes(8), value)
                store.runs.set_state(tx, node, ev.State.FINISHED, at=number, recorded_at=number)
    store.close()
    with servers.lineal(folder) as server:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        first_rows = seen(page, f"http://127.0.0.1:{server.port}/#/runs", "[role=row] a")
        page.get_by_text(f"{RUNS:,} runs").first.wait_for()
        page.evaluate(f"window.frames_ = ({_FRAMES})(3000)")
        for part in range(1, 30):
            page.evaluate(f"document.querySelector('[role=grid]').scrollTop = {RUNS * 38 * part // 30}")
            page.wait_for_timeout(60)
        gaps = page.evaluate("window.frames_")
        before, answers = f"{RUNS:,} runs", []
        for least in (0.99, 0.98, 0.97):  # so that each answer has another count
            where = f"metrics.acc%20%3E%20{least}%20AND%20params.p0%20%3D%203"
            answers.append(page.evaluate(_ANSWERED, [f"#/runs?where={where}", before]) / 1e3)
            before = page.get_by_text(re.compile(r"^[\d,]+ runs$")).first.inner_text()
        page.close()
    return [
        Figure(f"runs table, {RUNS:,} runs: open to first rows", first_rows, "s", 1),
        Figure("runs table: longest frame while scrolling through all of it", max(gaps), "ms", 100),
        Figure(
            "runs table: a filter's answer on the screen, median of 3", statistics.median(answers), "s", 0.3
        ),
    ]


def curves(folder: Path, browser: Any) -> list[Figure]:
    """A run with very many points."""
    store = store_of(folder)
    step = np.arange(POINTS, dtype="<i8")
    with store.write() as tx:
        node = store.runs.add_run(
            tx, f"{1:032x}", namespace="bench", job="train.py", name="", kind="run", parent=None,
            actor="bench", started_at=1, recorded_at=1,
        )  # fmt: skip
    for n in range(METRICS):
        value = np.random.default_rng(n).normal(size=POINTS).cumsum().astype("<f8").tobytes()
        with store.write() as tx:
            keys = [f"metric {n:02d}"]
            store.metrics.add_points(
                tx, node, keys, bytes(4 * POINTS), step.tobytes(), (step * 1000).tobytes(), value
            )
            store.metrics.seal(tx, node)
    with store.write() as tx:
        store.runs.set_state(tx, node, ev.State.FINISHED, at=2, recorded_at=2)
    store.close()
    with servers.lineal(folder) as server:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        address = f"http://127.0.0.1:{server.port}/#/run?id={1:032x}&tab=charts"
        spent = seen(page, address, f".charts > :nth-child({METRICS}) canvas")
        page.close()
    return [Figure(f"run with {METRICS} metrics of {POINTS:,} points: open to all charts", spent, "s", 1.5)]


def main() -> int:
    if reason := absent():
        print(f"The page was not measured: {reason}.")
        return 0
    from playwright.sync_api import sync_playwright

    wanted = sys.argv[1:]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="lineal-bench-") as name:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        parts: list[tuple[str, Callable[[], list[Figure]]]] = [
            (measure.__name__, partial(measure, Path(name) / measure.__name__, browser))
            for measure in (load, explorer, table, curves)
            if not wanted or measure.__name__ in wanted
        ]
        failed = report_parts("the page", parts)
        browser.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
