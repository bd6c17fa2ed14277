"""Models: the page of a name with its versions and history, and why two versions differ, down to columns and lines of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from lineal.core import events as ev
from lineal.service.registry import AliasRequest, DeployRequest, RegisterRequest, TagRequest
from tests.page.conftest import Tab
from tests.page.kept import put, raw
from tests.page.seeding import T, opened, points, project, record
from tests.server.serving import Serving

PATCH = """diff --git a/train.py b/train.py
index 1..2 100644
--- a/train.py
+++ b/train.py
@@ -1,2 +1,2 @@
 import model
{line}
"""


def generation(served: Serving, n: int, *, rate: str, kind: str, line: str, numpy: str) -> list[ev.Event]:
    """A table that is prepared and a model that is trained from it, for the n-th time."""
    prepare, train = f"{10 * n + 1:032x}", f"{10 * n + 2:032x}"
    at = T + n * 10**10

    def version(name: str, content: int, of: str, **facets: Any) -> ev.VersionState:
        return ev.VersionState(
            namespace="shop", name=name, kind=of, digest=f"sha256:{content:064x}", size=1000 + content,
            facets={f"lineal.{key}/1": raw(body) for key, body in facets.items()},
        )  # fmt: skip

    raws = version("raw.csv", 1, "dataset")
    columns = [{"name": "age", "type": "int64"}, {"name": "tenure", "type": kind}]
    rows = version("rows.csv", 20 + n, "dataset", schema={"rows": 1000 + n, "columns": columns})
    model = version("m.bin", 40 + n, "model")
    facts = {"vcs": "git", "commit": f"{n:040x}", "dirty": True, "diff": put(served, PATCH.format(line=line).encode())}  # fmt: skip
    code = version("code", 60 + n, "code", code=facts)
    packages = {"python": "3.11.7", "packages": {"numpy": numpy, "polars": "1.0"}}
    environment = version("environment", 80 + n, "environment", environment=packages)
    return [
        ev.RunStarted(run=prepare, namespace="shop", job="prepare.py", at=at, actor="ana"),
        ev.ParamSet(run=prepare, key="since", value=f"202{n}", at=at),
        ev.VersionUsed(run=prepare, version=raws, at=at + 1),
        ev.VersionGenerated(run=prepare, version=rows, at=at + 2),
        ev.RunEnded(run=prepare, state=ev.State.FINISHED, at=at + 3),
        ev.RunStarted(run=train, namespace="shop", job="train.py", at=at + 10, actor="ana"),
        ev.ParamSet(run=train, key="rate", value=rate, at=at + 11),
        ev.VersionUsed(run=train, version=rows, at=at + 11),
        ev.VersionUsed(run=train, version=code, at=at + 11, role="code"),
        ev.VersionUsed(run=train, version=environment, at=at + 11, role="environment"),
        points(10 * n + 2, "auc", [0.7, 0.75, 0.8 + n / 100]),
        ev.VersionGenerated(run=train, version=model, at=at + 20),
        ev.RunEnded(run=train, state=ev.State.FINISHED, at=at + 21),
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Two versions of a model; the first was champion before the second, which is live and has a description."""
    server = Serving(project(tmp_path_factory.mktemp("models") / "shop")).start()
    record(server, *generation(server, 1, rate="0.1", kind="int64", line="+lr = 0.1", numpy="1.26.0"))
    record(
        server,
        *generation(server, 2, rate="0.2", kind="double", line="+lr = 0.2", numpy="2.0.0"),
        source="second",
    )
    card = "# What it does\n\nPredicts **churn**.\n\n<script>window.hurt = 1</script>"
    with opened(server) as remote:
        for number in (1, 2):
            remote.call("register", RegisterRequest(ref=f"m.bin@{number}", name="churn"))
            reason = f"better than v{number - 1}" if number > 1 else "the first"
            remote.call("alias", AliasRequest(name="churn", alias="champion", version=str(number), reason=reason))  # fmt: skip
        remote.call("tag", TagRequest(ref="churn@2", key="description", value=card))
        remote.call("deploy", DeployRequest(ref="churn@2", target="prod"))
    yield server
    server.close()


@pytest.fixture
def fresh(chromium: Any, shop: Serving) -> Iterator[Tab]:
    tab = Tab(chromium, shop.url)
    yield tab
    tab.context.close()
    assert tab.troubles == []
    assert tab.foreign == []


def panel(page: Any, title: str) -> Any:
    return page.locator("section.card").filter(has=page.get_by_role("heading", name=title, exact=True))


def test_a_models_page_tells_its_whole_story(fresh: Tab) -> None:
    page = fresh.open("/model?name=churn")
    versions = panel(page, "Versions")
    second = versions.get_by_role("row").filter(has_text="v2")
    for word in ("champion", "prod", "0.82", "0000000", "+"):
        assert word in second.inner_text()
    assert "champion" not in versions.get_by_role("row").filter(has_text="v1").inner_text()
    history = panel(page, "Alias history").get_by_role("listitem")
    history.nth(1).wait_for()
    assert re.search(r"champion → v2[\s\S]*better than v1", history.nth(0).inner_text())
    assert "the first" in history.nth(1).inner_text()
    origin = panel(page, "Where v2 comes from")
    for word in ("1 source", "2 steps", "rows.csv@2", "churn@2", "1 deployment"):
        origin.get_by_text(word, exact=word != "2 steps").first.wait_for()
    page.locator("section.card, .card").filter(has_text="Training curves").locator("canvas").wait_for()
    against = panel(page, "v2 against v1")
    against.locator(".difflist > div").nth(4).wait_for()
    said = against.inner_text()
    for word in ("rate", "0.1", "0.2", "rows.csv", "double", "numpy", "2.0.0", "commit"):
        assert word in said
    panel(page, "Completeness of the record").get_by_text("data identified").wait_for()
    versions.get_by_role("button", name="v1").click()  # another version, and all around it with it
    panel(page, "Where v1 comes from").get_by_text("churn@1").wait_for()
    page.get_by_text("There is no earlier version to compare with").wait_for()


def test_a_models_card_is_shown_as_markdown_without_its_markup(fresh: Tab) -> None:
    page = fresh.open("/model?name=churn")
    page.get_by_role("link", name="Description").click()
    page.get_by_role("heading", name="What it does").wait_for()
    assert page.locator("main strong").get_by_text("churn", exact=True).count() == 1
    assert page.locator("main script").count() == 0
    assert page.evaluate("window.hurt") is None


def test_two_versions_are_chosen_and_compared_down_to_columns_and_lines_of_code(fresh: Tab) -> None:
    page = fresh.open("/model?name=churn")
    for number in (1, 2):
        page.get_by_role("checkbox", name=f"Select churn@{number}").check()
    page.get_by_role("button", name="Compare the selected").click()
    page.wait_for_url("**/compare?a=churn*1&b=churn*2")
    metrics = panel(page, "Metrics").get_by_role("row").filter(has_text="auc")
    metrics.wait_for()
    assert [metrics.get_by_role("cell").nth(n).inner_text() for n in (1, 2, 3)] == ["0.81", "0.82", "+0.01"]
    assert re.search(r"rate\s+0\.1\s+0\.2", panel(page, "Parameters").inner_text())
    data = panel(page, "Data")
    assert re.search(r"rows\.csv\s+changed", data.inner_text())
    assert re.search(r"tenure\s+int64\s+double", data.inner_text())
    assert "1,001 → 1,002" in data.inner_text()
    code = panel(page, "Code")
    code.locator(".del").get_by_text("+lr = 0.1").wait_for()
    code.locator(".add").get_by_text("+lr = 0.2").wait_for()
    code.get_by_text("git diff 000000000000").wait_for()
    assert re.search(r"numpy\s+1\.26\.0\s+2\.0\.0", panel(page, "Environment").inner_text())
    assert "2 the same" in panel(page, "Environment").inner_text()
    panel(page, "Curves").locator("canvas").wait_for()
    ancestry = panel(page, "Upstream").locator("details").filter(has_text="prepare.py")
    ancestry.locator("summary").click()
    assert re.search(r"since\s+2021\s+2022", ancestry.inner_text())
    page.get_by_role("button", name="Swap").click()
    page.wait_for_url("**/compare?a=churn*2&b=churn*1")
    panel(page, "Metrics").get_by_text("−0.01").wait_for()
    page.get_by_role("link", name="Difference in the lineage").click()
    page.get_by_role("list", name="Difference graph").wait_for()
    for side in ("same", "changed"):
        page.locator(f".lc.side-{side}").first.wait_for()


def test_a_models_pages_are_accessible_and_narrow(chromium: Any, shop: Serving) -> None:
    found: dict[str, list[str]] = {}
    tab = Tab(chromium, shop.url, bypass_csp=True)
    for place, text in (
        ("/model?name=churn", "data identified"),
        ("/model?name=churn&tab=card", "What it does"),
        ("/compare?a=churn%401&b=churn%402", "+lr = 0.2"),
    ):
        tab.open(place).get_by_text(text).first.wait_for()
        found |= tab.faults(place, narrow=360)
    tab.context.close()
    assert found == {}
