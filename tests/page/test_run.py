"""A run's page: what it printed, the notebooks it executed, its files, and how it differs from another run."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.core import events as ev
from tests.capture.frameworks import PYTHON, need
from tests.e2e.cli import LINEAL, environment
from tests.page.conftest import Tab
from tests.page.kept import notebook, png, printed, raw, wrote
from tests.page.seeding import T, project, record, started
from tests.server.serving import Serving


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server on a project of this file."""
    server = Serving(project(tmp_path_factory.mktemp("run") / "shop")).start()
    yield server
    server.close()


@pytest.fixture
def fresh(chromium: Any, shop: Serving) -> Iterator[Tab]:
    tab = Tab(chromium, shop.url)
    yield tab
    tab.context.close()
    assert tab.troubles == []
    assert tab.foreign == []


def place(run: int, side: str, more: str = "") -> str:
    return f"/run?id={run:032x}&tab={side}{more}"


def test_what_it_printed_is_shown_in_its_colours_and_searched(fresh: Tab, shop: Serving) -> None:
    lines = [f"epoch {n} \x1b[32mloss\x1b[0m {1 / (n + 1):.4f}" for n in range(20_000)]
    lines[15_000] = "\x1b[31mfound me\x1b[0m <img src=x onerror=alert(1)>"
    wrote(shop, 1, {}, facets={"lineal.console/1": printed(shop, "\n".join(lines) + "\n")})
    page = fresh.open(place(1, "console"))
    page.get_by_text("20,000 lines").wait_for()
    assert page.locator(".console-line").count() < 200, "only lines that are seen are drawn"
    assert page.locator(".ansi-green").first.inner_text() == "loss"
    page.get_by_label("Find in the output").fill("FOUND me")
    page.locator(".console-line mark").wait_for()
    assert page.locator(".console-line.current").inner_text().endswith("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0
    page.get_by_label("Find in the output").fill("epoch 1999")
    page.get_by_text("1 of 11 lines").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("2 of 11 lines").wait_for()


def test_a_real_program_is_followed_while_it_prints(fresh: Tab, shop: Serving) -> None:
    (shop.folder / "slow.py").write_text(
        "import pathlib, time\nn = 0\nwhile not pathlib.Path('enough').exists():\n"
        "    print('tick', n, flush=True)\n    n += 1\n    time.sleep(0.2)\nprint('the end')\n"
    )
    program = subprocess.Popen(
        [LINEAL, "run", sys.executable, "slow.py"],
        cwd=shop.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        page = fresh.open("/runs")
        page.get_by_role("link", name="slow.py").click()
        page.get_by_role("link", name="Console").click()
        console = page.get_by_role("log")
        console.get_by_text("tick 0").wait_for()
        assert page.get_by_label("Follow the end").is_checked()
        console.get_by_text("tick 25", exact=True).wait_for()
        (shop.folder / "enough").touch()
        console.get_by_text("the end").wait_for()
        page.get_by_text("stdout and stderr").wait_for()
    finally:
        (shop.folder / "enough").touch()
        program.wait(60)


def test_a_notebook_shows_text_and_pictures_and_no_markup(fresh: Tab, shop: Serving) -> None:
    from tests.page.kept import put

    digest = put(shop, notebook())
    about = {"path": "train.ipynb", "sha256": digest, "cells": 1, "failed": 1}
    wrote(shop, 2, {}, facets={"lineal.notebook/1": {"notebooks": [about]}})
    page = fresh.open(place(2, "notebook"))
    page.get_by_text("model.fit(x, y)").wait_for()
    page.get_by_text("1 cell failed").wait_for()
    page.get_by_role("img", name="Picture given by the cell").wait_for()
    assert page.locator(".ansi-red").inner_text() == "ValueError"
    assert page.get_by_text("Not shown, since it could hold scripts").count() == 2
    assert page.locator("main img").count() == 1
    assert page.evaluate("window.hurt") is None


def test_a_notebook_that_jupyter_executed_is_looked_at_with_what_it_printed(
    fresh: Tab, shop: Serving, tmp_path: Path
) -> None:
    need("nbclient", "ipykernel")
    cells = [
        {"id": f"cell-{n}", "cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": text}
        for n, text in enumerate(("rate = 0.5", "print('the rate is', rate)"))
    ]  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (shop.folder / "fit.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    )
    there = environment(HOME=str(tmp_path))
    there["PATH"] = f"{PYTHON.parent}:{there['PATH']}"
    subprocess.run(
        [LINEAL, "run", "jupyter", "execute", "fit.ipynb"],
        cwd=shop.folder,
        env=there,
        check=True,
        capture_output=True,
    )
    page = fresh.open("/runs")
    page.get_by_role("link", name="fit.ipynb").click()
    page.locator(".tabs").get_by_role("link", name="Notebook").click()
    page.get_by_text("print('the rate is', rate)").wait_for()
    page.locator(".cell-out").get_by_text("the rate is 0.5").wait_for()
    page.locator(".tabs").get_by_role("link", name="Console").click()
    page.get_by_role("log").get_by_text("fit.ipynb").first.wait_for()


def test_files_are_looked_at_as_what_they_are(fresh: Tab, shop: Serving) -> None:
    pl = pytest.importorskip("polars")
    table = io.BytesIO()
    pl.DataFrame({"n": range(3000), "who": [None, "<b>x</b>", "z"] * 1000}).write_parquet(table)
    files = {
        "plot.png": png(),
        "rows.csv": b'name,note\nanna,"one, two"\nbert,<i>x</i>\n',
        "rows.parquet": table.getvalue(),
        "broken.parquet": b"PAR1 and nothing that follows PAR1",
        "broken.png": b"no picture",
        "facts.json": b'{"a":[1,2]}',
    }
    wrote(shop, 3, files)
    page = fresh.open(place(3, "files"))
    shown = page.locator(".s8")
    page.get_by_role("button", name="plot.png").click()
    shown.get_by_role("img", name="plot.png").wait_for()
    page.get_by_role("button", name="rows.csv").click()
    shown.get_by_role("cell", name="one, two").wait_for()
    shown.get_by_role("cell", name="<i>x</i>").wait_for()
    page.get_by_role("button", name="rows.parquet").click()
    shown.get_by_text("first 100 of 3,000 rows").wait_for()
    shown.get_by_text("Int64").wait_for()
    shown.get_by_text("null", exact=True).first.wait_for()
    page.get_by_role("button", name="broken.parquet").click()
    shown.get_by_text("it cannot be read as Parquet").wait_for()
    page.get_by_role("button", name="broken.png").click()
    shown.get_by_text("The browser cannot show this as a picture").wait_for()
    page.get_by_role("button", name="facts.json").click()
    shown.get_by_text('"a": [').wait_for()
    assert page.locator("main b, main i:not(.share i)").count() == 0


def test_bytes_that_are_not_kept_are_said_to_be_known_by_their_digest(fresh: Tab, shop: Serving) -> None:
    wrote(shop, 4, {"large.bin": b"xy", "large.csv": b"xy"}, keep=False)
    page = fresh.open(place(4, "files"))
    for name in ("large.bin", "large.csv"):
        page.get_by_role("button", name=name).click()
        page.get_by_text("No copy of this file is kept").wait_for()


def code(shop: Serving, run: int, lines: str, commit: str) -> ev.VersionUsed:
    """That a run ran a commit with uncommitted changes."""
    from tests.page.kept import put

    patch = f"diff --git a/train.py b/train.py\nindex 1..2 100644\n--- a/train.py\n+++ b/train.py\n@@ -1,2 +1,2 @@\n same\n{lines}\n"
    facts = {"vcs": "git", "commit": commit, "dirty": True, "diff": put(shop, patch.encode())}
    state = ev.VersionState(
        namespace="shop",
        name="code",
        kind="code",
        digest=f"sha256:{run:064x}",
        facets={"lineal.code/1": raw(facts)},
    )
    return ev.VersionUsed(run=f"{run:032x}", version=state, at=T + run, role="code")


def test_it_is_held_against_another_run_of_its_job_down_to_lines_of_code(fresh: Tab, shop: Serving) -> None:
    for run, rate, line in ((21, "0.1", "+lr = 0.1"), (22, "0.2", "+lr = 0.2")):
        record(
            shop,
            started(run, "fit.py"),
            ev.ParamSet(run=f"{run:032x}", key="rate", value=rate, at=T + run),
            code(shop, run, line, f"{run:040x}"),
            ev.RunEnded(run=f"{run:032x}", state=ev.State.FINISHED, at=T + 100),
            source=f"fit {run}",
        )
    page = fresh.open(place(22, "difference"))
    page.locator(".difflist").get_by_text("rate").wait_for()
    page.locator(".code .del").get_by_text("+lr = 0.1").wait_for()
    page.locator(".code .add").get_by_text("+lr = 0.2").wait_for()
    page.get_by_text("They ran different commits").wait_for()
    wrote(shop, 23, {})
    page.get_by_label("Id of another run").fill(f"run:{23:032x}")
    page.keyboard.press("Enter")
    page.wait_for_url("**other=*")
    page.locator(".difflist").get_by_text("rate").wait_for()


def test_each_side_of_a_run_is_accessible(chromium: Any, shop: Serving) -> None:
    wrote(
        shop,
        30,
        {"a.csv": b"a,b\n1,2\n"},
        facets={"lineal.console/1": printed(shop, "one\n\x1b[31mtwo\x1b[0m\n")},
    )
    found: dict[str, list[str]] = {}
    tab = Tab(chromium, shop.url, bypass_csp=True)
    for side, text in (("console", "two"), ("files&file=a.csv%401", "1 row"), ("difference", "Against")):
        tab.open(place(30, side)).get_by_text(text).first.wait_for()
        found |= tab.faults(side)
    tab.context.close()
    assert found == {}


def test_a_narrow_screen_shows_each_side_of_a_run(chromium: Any, shop: Serving, tmp_path: Path) -> None:
    wrote(shop, 31, {"a.csv": b"a,b\n1,2\n"}, facets={"lineal.console/1": printed(shop, "x" * 5000 + "\n")})
    tab = Tab(chromium, shop.url, viewport={"width": 360, "height": 740})
    for side in ("overview", "data", "console", "files&file=a.csv%401", "difference"):
        page = tab.open(place(31, side))
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, side
    tab.context.close()
