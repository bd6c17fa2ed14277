"""The page while things happen: runs that go on, servers that restart, tokens, odd names, large graphs, proxies."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lineal.core import events as ev
from tests.e2e.cli import LINEAL, environment
from tests.page.conftest import Tab
from tests.page.seeding import T, fan, opened, points, project, record, started, table
from tests.server.serving import Serving


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Serving]:
    """A server on an empty project of its own."""
    server = Serving(project(tmp_path / "shop")).start()
    yield server
    server.close()


@pytest.fixture
def fresh(chromium: Any, empty: Serving) -> Iterator[Tab]:
    """A tab on the empty server."""
    tab = Tab(chromium, empty.url)
    yield tab
    tab.context.close()
    assert tab.troubles == []
    assert tab.foreign == []


def test_an_empty_screen_says_what_to_do_next(fresh: Tab) -> None:
    for place, said in {
        "/": "Nothing is recorded yet",
        "/runs": "lineal run python train.py",
        "/models": "lineal register",
        "/datasets": "Nothing fits",
        "/jobs": "No job ran yet",
        "/deployments": "lineal deploy",
    }.items():
        fresh.open(place).get_by_text(said).first.wait_for()


def test_a_running_run_is_followed_until_it_ends(fresh: Tab, empty: Serving) -> None:
    record(empty, started(1), points(1, "loss", [3.0, 2.0]), source="a")
    page = fresh.open(f"/run?id={1:032x}")
    page.get_by_text("Live: updates by itself").wait_for()
    page.get_by_role("cell", name="2", exact=True).first.wait_for()
    record(empty, points(1, "loss", [0.125], first=2), source="b")
    page.get_by_role("cell", name="0.125").first.wait_for()
    record(empty, ev.RunEnded(run=f"{1:032x}", state=ev.State.FINISHED, at=T + 9_000_000), source="c")
    page.get_by_text("Live: updates by itself").wait_for(state="detached")
    page.locator(".page-head").get_by_text("finished").wait_for()


def test_a_new_run_appears_in_the_table_without_a_reload(fresh: Tab, empty: Serving) -> None:
    record(empty, started(1, "first.py"), source="a")
    page = fresh.open("/runs")
    page.get_by_role("link", name="first.py").wait_for()
    record(empty, started(2, "second.py"), source="b")
    page.get_by_role("link", name="second.py").wait_for()


def test_what_comes_into_an_open_graph_is_drawn_and_told(fresh: Tab, empty: Serving) -> None:
    fan(empty, 2)
    page = fresh.open("/lineage?ref=root.csv%401&fold=0")
    page.locator(".react-flow__node").nth(4).wait_for()
    assert page.locator(".newsnote").count() == 0
    record(
        empty, started(3, "late.py"), ev.VersionUsed(run=f"{3:032x}", version=table("root.csv", 1), at=T + 9)
    )
    page.locator(".newsnote").get_by_text("1 new card, 1 new line").wait_for()
    page.locator(".lc.fresh").filter(has_text="late.py").wait_for()
    page.get_by_role("button", name="Show", exact=True).last.click()
    page.get_by_role("complementary").get_by_role("heading", name=re.compile("late.py")).wait_for()
    page.locator(".newsnote").get_by_role("button", name="Close").click()
    page.locator(".lc.fresh").wait_for(state="detached")


def test_a_server_that_restarts_is_waited_for(fresh: Tab, empty: Serving) -> None:
    record(empty, started(1, "first.py"), source="a")
    page = fresh.open("/")
    page.get_by_role("link", name="first.py").first.wait_for()
    empty.stop()
    page.get_by_text("The server does not answer; what you see is as of the last answer").wait_for(
        timeout=60_000
    )
    assert page.get_by_role("link", name="first.py").first.is_visible()
    empty.start(empty.port)
    record(empty, started(2, "second.py"), source="b")
    page.get_by_role("link", name="second.py").first.wait_for()
    page.get_by_text("The server does not answer").wait_for(state="detached")
    fresh.troubles.clear()


def test_who_has_no_token_is_asked_for_one_and_let_in_with_it(fresh: Tab, empty: Serving) -> None:
    record(empty, started(1, "secret.py"), source="a")
    made = subprocess.run(
        [LINEAL, "token", "create", "eva", "--scope", "viewer", "--json"],
        cwd=empty.folder,
        env=environment(),
        capture_output=True,
        check=True,
    )
    token = json.loads(made.stdout)["token"]
    fresh.page.goto(fresh.base)
    field = fresh.page.get_by_label("Token", exact=True)
    field.fill("lin_000000000000_wrongwrongwrongwrongwrong")
    fresh.page.get_by_role("button", name="Sign in").click()
    fresh.page.get_by_text("does not know this token").wait_for()
    assert "secret.py" not in fresh.page.content()
    field.fill(token)
    fresh.page.keyboard.press("Enter")
    fresh.page.get_by_role("link", name="secret.py").first.wait_for()
    fresh.open("/settings").get_by_text("You need the permission store:admin").wait_for()
    fresh.page.get_by_role("button", name="Sign out").click()
    fresh.page.get_by_label("Token", exact=True).wait_for()


def test_a_token_is_made_in_the_page_used_and_taken_back(chromium: Any, fresh: Tab, empty: Serving) -> None:
    record(empty, started(1, "secret.py"), source="a")
    page = fresh.open("/settings")
    page.get_by_text("No token was made yet").wait_for()

    def made(name: str, role: str) -> str:
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Role").select_option(role)
        page.get_by_role("button", name="Create").click()
        page.get_by_role("row", name=re.compile(f"^{name} .* valid")).wait_for()
        return str(page.get_by_role("status").locator("code").inner_text())

    first = made("ada", "admin")
    assert re.fullmatch(r"lin_[0-9a-f]{12}_[\w-]{43}", first)
    token = made("bob", "viewer")  # this browser keeps the first one, or it would be locked out by it
    assert token != first
    other = Tab(chromium, empty.url)
    other.page.goto(other.base)
    other.page.get_by_label("Token", exact=True).fill(token)
    other.page.keyboard.press("Enter")
    other.page.get_by_role("link", name="secret.py").first.wait_for()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("row", name=re.compile("^bob ")).get_by_role("button", name="Revoke").click()
    page.get_by_role("row", name=re.compile("^bob .* revoked")).wait_for()
    other.page.reload()
    other.page.get_by_label("Token", exact=True).wait_for()
    other.context.close()


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "javascript:alert(1)",
    "\u202egpj.exe",
    "\U0001f469\u200d\U0001f52c \u0645\u0631\u062d\u0628\u0627 \u4f60\u597d",
    "x" * 10_000,
    "__proto__",
    "a b\tc 'd' \"e\" `f` & < > %20 #/../",
]


def test_names_from_outside_are_text_and_nothing_else(fresh: Tab, empty: Serving) -> None:
    events: list[ev.Event] = []
    for n, name in enumerate(HOSTILE, 1):
        run = f"{n:032x}"
        events += [
            ev.RunStarted(run=run, namespace="shop", job=name, at=T + n, actor=name[:200]),
            ev.ParamSet(run=run, key=name, value=name, at=T + n),
            ev.TagSet(
                run=run, key="mlflow.note.content", value=f"# {name}\n[x](javascript:alert(1))", at=T + n
            ),
            ev.VersionGenerated(run=run, version=table(name, n, kind="model"), at=T + n),
            points(n, name, [float("nan"), float("inf"), 1e300]),
        ]
    record(empty, *events)
    dialogs: list[str] = []
    fresh.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for place in ("/", "/runs", "/jobs", "/datasets"):
        page = fresh.open(place)
        page.locator("main a, main td").get_by_text("__proto__").first.wait_for()
        assert page.locator("main img[src=x], main script").count() == 0, place
    for n in range(1, len(HOSTILE) + 1):
        page = fresh.open(f"/run?id={n:032x}")
        page.get_by_role("heading", level=1).wait_for()
        assert page.locator("a[href^='javascript:']").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page = fresh.open(f"/lineage?ref=run:{n:032x}")
        page.locator(".react-flow__node").first.wait_for()
    assert "\u202e" not in fresh.open("/jobs").locator("main").inner_text()
    page = fresh.open("/runs")
    page.get_by_role("combobox", name="Filter").fill("job = ")
    page.get_by_role("listbox").get_by_role("option", name="__proto__").wait_for()
    page = fresh.open(f"/lineage?ref=run:{4:032x}&table=1")
    assert "\u202e" not in page.locator("main").inner_text()
    assert dialogs == []


def test_two_thousand_cards_are_drawn_on_a_canvas_and_walked_with_the_keyboard(
    fresh: Tab, empty: Serving
) -> None:
    fan(empty, 1100)
    page = fresh.open("/lineage?ref=root.csv%401&budget=2000&fold=0")
    page.locator("canvas.lineage-canvas").wait_for()
    page.get_by_role("button", name=re.compile("^2,000")).wait_for()
    page.locator(".stage").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("complementary").get_by_role("heading", name=re.compile(r"\.py")).wait_for()
    painted = page.evaluate(
        """() => { const c = document.querySelector('canvas.lineage-canvas');
        const data = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 3; i < data.length; i += 4) if (data[i]) n += 1; return n; }"""
    )
    assert painted > 1000
    page.get_by_role("button", name="Table").click()
    page.get_by_role("heading", name="Cards: 2000").wait_for()


class _Prefixed(BaseHTTPRequestHandler):
    """A proxy that takes `/tools/lineal` away and passes the rest on."""

    port = 0

    def do_GET(self) -> None:
        if not self.path.startswith("/tools/lineal/"):
            self.send_error(404)
            return
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else None
        with (
            closing(http.client.HTTPConnection("127.0.0.1", self.port)) as upstream,
            suppress(OSError, http.client.HTTPException),
        ):
            upstream.request(self.command, self.path.removeprefix("/tools/lineal"), body, dict(self.headers))
            with upstream.getresponse() as answer:
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                while part := answer.read1():  # a stream is passed on as it comes
                    self.wfile.write(part)

    do_POST = do_GET  # noqa: N815 - the name that is looked for

    def log_message(self, *_: Any) -> None:
        pass


def test_the_page_works_below_a_path_of_a_proxy(chromium: Any, served: Serving) -> None:
    handler = type("Handler", (_Prefixed,), {"port": served.port})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        tab = Tab(chromium, f"http://127.0.0.1:{proxy.server_port}/tools/lineal")
        tab.open("/model?name=churn").get_by_text("AUC 0.861 instead of 0.812").wait_for()
        tab.open("/lineage?ref=churn%40champion").locator(".react-flow__node").first.wait_for()
        tab.context.close()
        proxy.shutdown()
    assert tab.troubles == []
    assert tab.foreign == []


def test_runs_are_tagged_and_deleted_together_and_what_is_refused_is_named(
    fresh: Tab, empty: Serving
) -> None:
    model = table("m.bin", 5, kind="model")
    record(
        empty,
        started(1, "keep.py"),
        ev.VersionGenerated(run=f"{1:032x}", version=model, at=T + 2),
        started(2, "drop.py"),
    )
    with opened(empty) as remote:
        from lineal.service.registry import RegisterRequest

        remote.call("register", RegisterRequest(ref="m.bin@1", name="m"))
    page = fresh.open("/runs")
    for box in page.get_by_role("grid").get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_label("Key").fill("team")
    page.get_by_label("Value").fill("growth")
    page.get_by_role("dialog").get_by_role("button", name="Tag").click()
    page.get_by_text("2 runs tagged").wait_for()
    for box in page.get_by_role("grid").get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Delete", exact=True).click()
    told = page.get_by_role("dialog").locator(".dependants")
    told.get_by_text("On 1 of 2 runs something living depends").wait_for()
    assert re.search(r"keep\.py\s+registered m@1", told.inner_text())
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("alert").get_by_text("keep.py").wait_for()
    page.get_by_role("alert").get_by_text("m@1").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("link", name="drop.py").wait_for(state="detached")
    assert page.get_by_role("link", name="keep.py").is_visible()
