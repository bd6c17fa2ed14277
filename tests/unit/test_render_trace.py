"""A trace as people read it."""

from __future__ import annotations

from lineal.render import tree
from lineal.render.page import Page
from lineal.service.lineage import TraceReply
from tests.unit.graphs import NOW, Graph, pipeline


def drawn(reply: TraceReply, **fields: object) -> str:
    options = {name: fields.pop(name) for name in ("aliases", "siblings") if name in fields}
    page = Page(now=NOW, **fields)  # type: ignore[arg-type]
    return page.text(tree.render(reply, page, **options))  # type: ignore[arg-type]


def test_the_tree_begins_at_the_root_and_ends_at_the_sources() -> None:
    assert drawn(pipeline().reply(), aliases={"churn@2": ["champion"]}).splitlines()[:6] == [
        "model.pkl@2  churn@2 (champion)  model  sha256:000000000000  1.0 kB",
        "└─ ← train.py  finished  1 h ago  run:000000000000",
        "    └─ ← features.csv@1  sha256:000000000000  3.0 kB",
        "        └─ ← prepare.py  failed  1 h ago  run:000000000000",
        "            └─ ← raw.csv@1  sha256:000000000000  5.0 kB",
        "                ├─ ? origin unknown",
    ]


def test_an_unknown_origin_is_a_leaf_of_its_own_with_its_candidates() -> None:
    lines = drawn(pipeline().reply()).splitlines()
    assert lines[5].strip("│├└─ ") == "? origin unknown"
    assert lines[6].strip("│├└─ ") == "? perhaps a copy of copy.csv@1"
    assert "1 source of unknown origin" in lines[-1]


def test_what_was_not_observed_says_how_it_is_known() -> None:
    graph = pipeline()
    copy = graph.version("copy.csv")
    graph.edges.append(graph.edge(copy, 5, "derived", evidence="inferred", rule="same-bytes", role="copy"))
    declared = graph.version("notes.txt")
    graph.used(declared, 2, evidence="declared", role="config")
    text = drawn(graph.reply())
    assert "copy.csv@1  sha256:000000000000  6.0 kB  inferred: same-bytes" in text
    assert "notes.txt@1  sha256:000000000000  7.0 kB  as config  declared" in text
    assert "1 link inferred" in text


def test_what_comes_again_is_drawn_once_and_counted() -> None:
    graph = pipeline()
    graph.used(5, 2)
    graph.used(5, 4, role="config")
    text = drawn(graph.reply())
    assert text.count("? origin unknown") == 1
    assert text.count("(shown above)") == 3
    assert "folded: 2 repeats (shown above)" in text


def test_many_alike_are_one_line_that_says_how_many_and_how_large() -> None:
    graph = pipeline()
    for number in range(220):
        graph.used(graph.version(f"parts/{number:03}.csv", origin_unknown=True), 2)
    text = drawn(graph.reply())
    assert "… and 215 more files in parts/ (25.4 MB, origin unknown)" in text
    assert "folded: 215 alike in 1 line (--all draws them)" in text
    assert "223 versions, 2 runs, 221 sources of unknown origin" in text
    assert len(text.splitlines()) < 25
    everything = drawn(graph.reply(), siblings=0)
    assert "parts/219.csv@1" in everything
    assert "more files" not in everything


def test_neighbours_with_another_story_behind_them_are_not_folded_away() -> None:
    graph = pipeline()
    for number in range(30):
        graph.used(graph.version(f"parts/{number:03}.csv"), 2)
    odd = graph.version("parts/odd.csv")
    graph.made(graph.run("by_hand.py"), odd)
    graph.used(odd, 2)
    text = drawn(graph.reply())
    assert "parts/odd.csv@1" in text
    assert "by_hand.py" in text


def test_runs_of_one_job_are_folded_with_their_states() -> None:
    graph = Graph()
    raw = graph.version("raw.csv")
    for number in range(100):
        graph.used(raw, graph.run("report.py", state="failed" if number % 4 == 0 else "finished"))
    text = drawn(graph.reply(direction="down"))
    assert "… and 95 more runs of report.py (72 finished, 23 failed)" in text
    assert "→ report.py" in text


def test_another_producer_is_named_beside_the_one_followed() -> None:
    graph = pipeline()
    again = graph.run("again.py")
    graph.also.append(graph.edge(again, 3, "generated", again=True))
    assert "← also produced by again.py  finished  1 h ago" in drawn(graph.reply())


def test_several_other_runs_of_one_job_are_one_line_unless_all_are_asked_for() -> None:
    graph = Graph()
    version = graph.version("clean.csv")
    graph.made(graph.run("clean.py"), version)
    for _ in range(5):
        graph.also.append(graph.edge(graph.run("clean.py"), version, "generated", again=True))
    assert "also produced by 5 other runs of clean.py" in drawn(graph.reply())
    assert drawn(graph.reply(), siblings=0).count("also produced by clean.py") == 5


def test_a_cut_answer_says_so_where_it_was_cut_and_at_the_end() -> None:
    graph = Graph()
    graph.made(graph.run("train.py", further=True) if graph.version("model.pkl") else 0, 1)
    text = drawn(graph.reply(cut=True, cut_reason="stopped at depth 1"))
    assert "… cut here, there is more" in text
    assert text.rstrip().endswith("cut: stopped at depth 1")


def test_a_very_deep_branch_goes_on_below_and_nothing_of_it_is_lost() -> None:
    graph = Graph()
    version = graph.version("model-0.pkl")
    for number in range(1, 300):
        run = graph.run(f"train-{number}.py")
        graph.made(run, version)
        version = graph.version(f"model-{number}.pkl")
        graph.used(version, run)
    text = drawn(graph.reply(), width=100)
    for number in range(1, 300):
        assert text.count(f" train-{number}.py ") >= 1
    assert "goes on at [1]" in text
    assert "\n[1]\n" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_times_that_contradict_each_other_are_told() -> None:
    graph = pipeline()
    graph.loops.append(graph.edge(1, 4, "used"))
    assert "1 link whose times contradict each other: model.pkl -> prepare.py" in drawn(graph.reply())


def test_ascii_is_enough_where_the_encoding_can_do_no_better() -> None:
    graph = pipeline()
    for number in range(20):
        graph.used(graph.version(f"parts/{number}.csv", origin_unknown=True), 2)
    text = drawn(graph.reply(), ascii=True)
    assert text.isascii()
    assert "`- <- train.py" in text


def test_colours_are_there_only_when_asked_for() -> None:
    assert "\x1b[" not in drawn(pipeline().reply())
    assert "\x1b[" in drawn(pipeline().reply(), colour=True)


def test_on_a_narrow_page_long_lines_go_on_below_themselves() -> None:
    text = drawn(pipeline().reply(), width=50)
    assert max(len(line) for line in text.splitlines()) <= 50
    assert "run:000000000000" in text
