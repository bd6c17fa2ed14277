"""The explorer's view: the address that holds it, time, exports that are opened again, the keyboard, narrow and dark screens."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest

from lineal.core import events as ev
from tests.page.conftest import Tab
from tests.page.exploring import CHAMPION, at_rest, card, opened
from tests.page.seeding import T, project, record, table
from tests.server.serving import Serving

PIXELS = """async text => { const picture = new Image(); picture.src = 'data:image/png;base64,' + text; await picture.decode();
  const c = document.createElement('canvas'); c.width = picture.width; c.height = picture.height;
  const pen = c.getContext('2d'); pen.drawImage(picture, 0, 0);
  const data = new Uint32Array(pen.getImageData(0, 0, c.width, c.height).data.buffer);
  const counts = new Map(); for (const one of data) counts.set(one, (counts.get(one) ?? 0) + 1);
  return [c.width, c.height, 1 - Math.max(...counts.values()) / data.length, counts.size]; }"""
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    'x"] --> z["',
    "]]></text><script>alert(1)</script>",
    "\u202egpj.exe",
    "\U0001f469\u200d\U0001f52c \u0645\u0631\u062d\u0628\u0627",
    "y" * 10_000,
    "end; subgraph",
]


def exported(page: Any, name: str) -> bytes:
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name).click()
    return bytes(waiting.value.path().read_bytes())


def test_a_reload_of_the_address_gives_the_same_picture(tab: Tab) -> None:
    page = opened(tab)
    card(page, "data/features.csv").click()
    page.keyboard.press("c")
    page.locator(".columns").wait_for()
    page.keyboard.press("]")
    page.wait_for_url(re.compile("open="))
    page.keyboard.press("p")
    card(page, "v2 champion").click()
    page.mouse.move(600, 500)
    page.mouse.wheel(0, -240)
    page.wait_for_url(re.compile(r"v=-?\d+%2C-?\d+%2C"))
    before = at_rest(page)
    page.reload()
    tab.settled()
    page.locator(".columns").wait_for()
    page.get_by_role("complementary").get_by_role("heading", level=2).wait_for()
    after = at_rest(page)
    number = re.compile(r"-?[\d.]+")
    views = [[float(n) for n in number.findall(seen.pop("view"))] for seen in (before, after)]
    assert views[0] == pytest.approx(views[1], abs=1)
    drawn = {one[0]: one for one in before["cards"]}  # a card at the rim may be in or out by a pixel
    for one in after["cards"]:
        assert drawn.get(one[0], one) == one
    assert abs(len(before["cards"]) - len(after["cards"])) <= 1
    assert (before["signs"], before["beside"]) == (after["signs"], after["beside"])
    assert {tuple(line) for line in before["lines"]} == {tuple(line) for line in after["lines"]}


def test_a_drawing_is_opened_again_with_all_its_cards_and_lines(tab: Tab) -> None:
    page = opened(tab, f"{CHAMPION}&v=10,150,0.5")
    page.locator(".react-flow__node").nth(15).wait_for()
    data = json.loads(exported(page, "Data (JSON)"))
    drawing = ET.fromstring(exported(page, "Drawing (SVG)"))
    space = "{http://www.w3.org/2000/svg}"
    cards = [group for group in drawing.iter(f"{space}g") if group.get("class") == "card"]
    assert len(cards) == len(data["nodes"]) == page.locator(".react-flow__node").count() == 16
    assert sum(path.get("class") == "edge" for path in drawing.iter(f"{space}path")) == len(data["edges"])
    assert {"churn", "v2 champion"} <= {"".join(text.itertext()) for text in drawing.iter(f"{space}text")}
    assert {title.text for title in drawing.iter(f"{space}title")} == {
        "conflict",
        "stale",
        "gap",
        "essential",
    }


def test_a_picture_is_opened_again_and_is_not_blank(tab: Tab) -> None:
    page = opened(tab)
    picture = exported(page, "Picture (PNG)")
    width, height, share, colours = page.evaluate(PIXELS, base64.b64encode(picture).decode())
    assert width > 1000
    assert height > 200
    assert 0.05 < share < 0.95
    assert colours > 50


def test_the_text_of_mermaid_has_every_card_and_line(tab: Tab) -> None:
    page = opened(tab)
    first, *rest = exported(page, "Text (Mermaid)").decode().splitlines()
    data = json.loads(exported(page, "Data (JSON)"))
    assert first == "flowchart LR"
    cards = [line for line in rest if re.fullmatch(r'  n\d+(\(\(".*"\)\)|\["[^"]*"\]|\(\["[^"]*"\]\))', line)]
    lines = [line for line in rest if re.fullmatch(r"  n\d+ (-->|-\.->) n\d+", line)]
    assert [len(cards), len(lines)] == [len(data["nodes"]), len(data["edges"])]
    assert len(cards) + len(lines) == len(rest)


def test_the_bar_of_time_goes_back_by_keys_and_returns(tab: Tab) -> None:
    page = opened(tab)
    card(page, "v2 champion").locator(".sign-stale").wait_for()
    bar = page.get_by_role("slider", name="As of")
    bar.focus()
    seen = []
    for _ in range(8):
        address = page.url
        page.keyboard.press(",")  # the change before
        page.wait_for_url(lambda url, known=address: url != known)
        seen.append(int(parse_qs(page.url.partition("?")[2])["as_of"][0]))
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 8
    page.get_by_text("As of ", exact=False).first.wait_for()
    page.keyboard.press("PageDown")
    page.locator(".stage [role=alert], .stage:not(:has(.sign-stale))").first.wait_for()
    page.get_by_role("button", name="Now", exact=True).last.click()
    card(page, "v2 champion").locator(".sign-stale").wait_for()
    assert "as_of" not in page.url


def test_time_is_that_of_recording_or_that_of_happening(tmp_path: Path, chromium: Any) -> None:
    """What was recorded late: long ago it had happened, but was not known."""
    served = Serving(project(tmp_path / "shop")).start()
    tab = Tab(chromium, served.url)
    try:
        run = [f"{n:032x}" for n in range(4)]
        record(
            served,
            ev.RunStarted(run=run[1], namespace="shop", job="first.py", at=T),
            ev.VersionUsed(run=run[1], version=table("raw.csv", 1), at=T + 1),
            ev.VersionGenerated(run=run[1], version=table("clean.csv", 2), at=T + 2),
            ev.RunStarted(run=run[2], namespace="shop", job="second.py", at=T + 10**12),
            ev.VersionUsed(run=run[2], version=table("clean.csv", 2), at=T + 10**12 + 1),
        )
        between = T + 5 * 10**11
        page = tab.open(f"/lineage?ref=clean.csv%401&valid_at={between}")
        card(page, "first.py").wait_for()
        assert card(page, "second.py").count() == 0
        page.get_by_role("button", name="Recorded").click()
        page.wait_for_url(re.compile("as_of="))
        page.get_by_role("alert").wait_for()  # nothing was recorded by then
        page.get_by_role("button", name="Now", exact=True).first.click()
        card(page, "second.py").wait_for()
        page.get_by_role("button", name="Happened").click()
        page.get_by_role("slider", name="As of").focus()
        page.keyboard.press(",")
        page.wait_for_url(re.compile(f"valid_at={T + 10**12}"))
        card(page, "second.py").wait_for(state="detached")
        assert tab.troubles == []
    finally:
        tab.context.close()
        served.close()


def test_a_tour_by_keys_alone(tab: Tab) -> None:
    page = opened(tab)
    facts = page.get_by_role("complementary", name="Inspector")
    page.locator(".stage").focus()
    page.keyboard.press("ArrowLeft")
    facts.get_by_role("heading", name="train.py").wait_for()
    page.keyboard.press("l")  # its lines
    facts.get_by_text("How it is known").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")  # what the graph is about
    facts.get_by_role("heading", name="churn").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("/")
    page.keyboard.type("features.csv")
    page.keyboard.press("Enter")
    facts.get_by_role("heading", name="features.csv").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className").startswith("stage")
    for key, mark in (("c", "columns="), ("]", "open="), ("p", "pin="), ("o", "only=1")):
        page.keyboard.press(key)
        page.wait_for_url(re.compile(mark))
    page.keyboard.press("t")
    page.keyboard.press(",")
    page.wait_for_url(re.compile("as_of="))
    page.keyboard.press("End")
    page.wait_for_url(re.compile(r"^((?!as_of).)*$"))
    page.locator(".stage").focus()
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_text("its lines, one after another").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.wait_for_url(re.compile("ref=data%2Ffeatures"))


def test_the_small_map_shows_every_card_and_moves_the_view(tab: Tab) -> None:
    page = opened(tab, f"{CHAMPION}&v=-300,150,1")
    small = page.locator(".react-flow__minimap")
    assert small.locator(".react-flow__minimap-node").count() == 16
    before = page.locator(".react-flow__viewport").get_attribute("style")
    box = small.bounding_box() or {}
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5, steps=5)
    page.mouse.up()
    assert page.locator(".react-flow__viewport").get_attribute("style") != before


def test_names_from_outside_are_text_in_every_export(tmp_path: Path, chromium: Any) -> None:
    served = Serving(project(tmp_path / "shop")).start()
    tab = Tab(chromium, served.url)
    try:
        events: list[ev.Event] = []
        for n, name in enumerate(HOSTILE, 1):
            events += [
                ev.RunStarted(run=f"{n:032x}", namespace="shop", job=name, at=T + n),
                ev.VersionUsed(run=f"{n:032x}", version=table("root.csv", 1), at=T + n),
                ev.VersionGenerated(run=f"{n:032x}", version=table(f"{name}.csv", 10 + n), at=T + n + 1),
            ]
        record(served, *events)
        page = tab.open("/lineage?ref=root.csv%401&fold=0&v=20,200,0.4")
        page.locator(".react-flow__node").nth(2 * len(HOSTILE)).wait_for()
        assert page.locator("main script, main img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        drawing = ET.fromstring(exported(page, "Drawing (SVG)"))
        assert sum(group.get("class") == "card" for group in drawing.iter()) == 2 * len(HOSTILE) + 1
        assert not list(drawing.iter("{http://www.w3.org/2000/svg}script"))
        text = exported(page, "Text (Mermaid)").decode()
        assert len(text.splitlines()) == 1 + (2 * len(HOSTILE) + 1) + 2 * len(HOSTILE)
        assert "<" not in text.replace("-->", "").replace("-.->", "")
        assert exported(page, "Picture (PNG)").startswith(b"\x89PNG")
        page.get_by_role("button", name="Table").click()
        page.get_by_role("heading", name=f"Cards: {2 * len(HOSTILE) + 1}").wait_for()
        assert tab.troubles == []
    finally:
        tab.context.close()
        served.close()


def test_a_server_that_restarts_leaves_the_graph_standing(tmp_path: Path, chromium: Any) -> None:
    served = Serving(project(tmp_path / "shop")).start()
    tab = Tab(chromium, served.url)
    try:
        record(
            served,
            ev.RunStarted(run=f"{1:032x}", namespace="shop", job="a.py", at=T),
            ev.VersionGenerated(run=f"{1:032x}", version=table("x.csv", 1), at=T + 1),
            source="a",
        )
        page = tab.open("/lineage?ref=x.csv%401")
        card(page, "a.py").wait_for()
        served.stop()
        page.get_by_text("The server does not answer; what you see is as of the last answer").wait_for(
            timeout=40_000
        )
        assert card(page, "a.py").is_visible()
        served.start(served.port)
        record(
            served,
            ev.RunStarted(run=f"{2:032x}", namespace="shop", job="b.py", at=T + 5),
            ev.VersionUsed(run=f"{2:032x}", version=table("x.csv", 1), at=T + 6),
            source="b",
        )
        card(page, "b.py").wait_for(timeout=40_000)
    finally:
        tab.context.close()
        served.close()


def test_every_state_is_accessible_light_dark_and_narrow(served: Serving, chromium: Any) -> None:
    tab = Tab(chromium, served.url, bypass_csp=True)
    found: dict[str, list[str]] = {}
    for place in (
        CHAMPION,
        "/lineage?ref=churn%402&compare=churn%403",
        f"{CHAMPION}&table=1",
        "/lineage?lens=overview",
        "/lineage",
    ):
        page = tab.open(place)
        if "table" not in place and "?" in place:
            page.locator(".react-flow__node").first.wait_for()
        found |= tab.faults(place, narrow=390)
    tab.context.close()
    assert found == {}
    assert tab.troubles == []
