"""No name, whatever is in it, breaks a line, forges one, colours it, or breaks out of a format."""

from __future__ import annotations

import html.parser
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.diff import Change
from lineal.core.health import Check
from lineal.export.dot import to_dot
from lineal.export.mermaid import to_mermaid
from lineal.render import diff, health, run, table, tree
from lineal.render.html import pre
from lineal.render.page import Page, clean, digest, duration, short, size, value
from lineal.service.compare import DiffReply, InputChange, MetricChange, RunChange, Side, UpstreamChange
from lineal.service.health import HealthReply
from lineal.service.runs import RunSummary
from lineal.service.show import MetricOut, ParamOut, ReferenceOut, RunDetail, RunFile
from tests.unit.graphs import NOW, Graph

names = st.text(min_size=1, max_size=40) | st.sampled_from(
    [
        "a\nb", "a\r\nb", "\x1b[31mred\x1b[0m", "\x1b]8;;http://x\x07link", "\u202egnp.exe", "a\u2028b", "a\x85b", "\ud800",
        '"];x -> y;"', '"]]-->|x|', "<script>alert(1)</script>", "[bold]x[/bold]", ":smile:", "a\tb", "\x00", "\u200b",
        "end", "%%", "click n1 x", "\\", '\\"', "日本語" * 8, "é" * 30,
    ]
)  # fmt: skip
widths = st.sampled_from([None, 20, 40, 80, 200])
quick = settings(max_examples=150, deadline=None)


def printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def graph_of(name: str) -> Graph:
    graph = Graph()
    model = graph.version(name, names=[f"{name}@1"], kind=name, reason=name, digest=None)
    job = graph.run(name, state=name)
    raw = graph.version(f"{name}/x", origin_unknown=True, candidates=[name])
    graph.made(job, model, role=name)
    graph.used(raw, job, role=name, evidence="inferred", rule=name)
    graph.also.append(graph.edge(job, raw, "generated"))
    return graph


def summary(name: str) -> RunSummary:
    return RunSummary(
        run_id="0" * 32, job=name, name=name, namespace=name, kind="run", state=name, started_at=NOW, ended_at=NOW,
        actor=name, parent=None, exit_code=1, metrics={name: "NaN"}, params={name: name}, tags={name: name},
        groups=[name],
    )  # fmt: skip


def detail(name: str) -> RunDetail:
    file = RunFile(
        path=name, uri=name, version=name, kind=name, role=name, evidence=name, via=[f"a.{name}"], at=NOW, digest=None,
        level="none", reason=name, size=3, references=[ReferenceOut(scheme=name, value=name, level=name)],
        names=[name], origin_unknown=True,
    )  # fmt: skip
    return RunDetail(
        summary=summary(name), run_id="0" * 32, job=name, state=name, started_at=NOW, ended_at=None, exit_code=None,
        signal=None, error=None, params=[ParamOut(key=name, value=name, source=name)],
        metrics=[MetricOut(key=name, count=2, last="NaN", last_step=1, minimum=0.0, maximum=1.0)], tags={name: name},
        inputs=[file], outputs=[file], children=[summary(name)], environment={"python": name, "lock": name},
        code={"commit": name, "branch": name, "remote": name}, facets={"lineal.notes/1": {"gaps": [name]}},
        deleted_at=NOW,
    )  # fmt: skip


def difference(name: str) -> DiffReply:
    change = RunChange(
        params=[Change(key=name, a=name, b=None)],
        metrics=[MetricChange(key=name, a="NaN", b=1.0, delta=None)],
        code=[Change(key=name, a=name, b=name + "x")],
        environment=[],
        inputs=[
            InputChange(
                name=name, role=name, status="changed", a=name, b=f"{name}@2",
                columns=[Change(key=name, a=name, b=name)], files=[Change(key=name, a=None, b=name)],
            )
        ],
        same={"environment": 3},
    )  # fmt: skip
    side = Side(ref=name, label=name, run="run:00", job=name, digest=None)
    upstream = [UpstreamChange(job=name, a="run:00", b="run:01", change=change)]
    return DiffReply(a=side, b=side, identical=False, change=change, upstream=upstream, upstream_same=1)


@quick
@given(names, widths, st.booleans())
def test_every_rendering_keeps_its_lines_whatever_the_names(
    name: str, width: int | None, ascii: bool
) -> None:
    page = Page(now=NOW, width=width, ascii=ascii)
    checks = HealthReply(
        ref=name, percent=50.0, checks=[Check(name=name, means=name, known=1, total=2, missing=[name])],
        runs=1, versions=1, cut=True,
    )  # fmt: skip
    for parts in (
        tree.render(graph_of(name).reply(), page, aliases={f"{name}@1": [name]}),
        run.render(detail(name), page),
        diff.render(difference(name), page),
        health.render(checks, page),
        table.runs([summary(name)], page),
    ):
        assert printable(page.text(parts))


@quick
@given(names)
def test_the_number_of_lines_does_not_depend_on_the_names(name: str) -> None:
    page = Page(now=NOW)
    plain = page.text(tree.render(graph_of("x").reply(), page))
    drawn = page.text(tree.render(graph_of(name).reply(), page))
    assert len(drawn.split("\n")) == len(plain.split("\n"))


@quick
@given(names)
def test_mermaid_has_one_line_per_vertex_and_edge_and_no_name_escapes_its_quotes(name: str) -> None:
    text = to_mermaid(graph_of(name).reply())
    lines = text.splitlines()
    assert len(lines) == 1 + 3 + 3 + 4
    assert printable(text)
    for line in lines[1:4]:
        assert re.fullmatch(r"""  n\d+(\(\[|\[)"[^"'<>`\\|]*(<br>[^"'<>`\\|]*)*"(\]\)|\]):::\w+""", line), (
            line
        )


@quick
@given(names)
def test_dot_has_one_line_per_vertex_and_edge_and_no_name_escapes_its_quotes(name: str) -> None:
    text = to_dot(graph_of(name).reply())
    lines = text.splitlines()
    assert len(lines) == 4 + 3 + 3 + 1
    assert printable(text)
    for line in lines[4:7]:
        assert re.fullmatch(r'  n\d+ \[label="([^"\\]|\\.)*", shape=.*\];', line), line


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


@quick
@given(names)
def test_no_name_becomes_html_in_a_notebook(name: str) -> None:
    parser = _Tags()
    parser.feed(pre(tree.render(graph_of(name).reply(), Page(now=NOW, width=140))))
    assert parser.tags <= {"pre", "span"}


@given(st.text())
def test_cleaning_gives_what_prints_and_leaves_what_printed(text: str) -> None:
    assert clean(text).isprintable()
    assert clean(text) == text or not text.isprintable()


@given(st.text(), st.integers(2, 60))
def test_a_shortened_text_is_short(text: str, most: int) -> None:
    assert len(short(text, most)) <= most


@given(st.integers(0, 2**63))
def test_a_size_is_a_number_and_a_unit(count: int) -> None:
    assert re.fullmatch(r"\d[\d.]* (B|kB|MB|GB|TB)", size(count))


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1, max_value=1e12))
def test_a_duration_names_its_units(seconds: float) -> None:
    assert re.fullmatch(r"[\d.]+ (s|min|h|d)( \d+ (s|min|h))?", duration(seconds))


@given(st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text()))
def test_any_value_is_one_line(item: object) -> None:
    assert value(item).isprintable()


def test_a_digest_is_told_by_its_first_digits() -> None:
    assert digest("sha256:" + "ab" * 32) == "sha256:abababababab"
    assert digest(None) == ""
