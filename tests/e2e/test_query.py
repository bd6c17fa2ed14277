"""The same questions from Python: answers that print well and convert to other libraries' values."""

from __future__ import annotations

import builtins
import importlib.util
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lineal.core.errors import Conflict, Invalid, NotFound, Unavailable
from lineal.sdk import query
from tests.e2e.cli import document, said


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other project than the one that a test names."""
    for name in ("LINEAL_DIR", "LINEAL_ROOT", "LINEAL_STORE"):
        monkeypatch.delenv(name, raising=False)


def ages(printed: str) -> str:
    """What was printed, with every age the same word at its width."""
    return re.sub(r"\b\d+ (?:s|min|h|d) ago", lambda found: "an age".ljust(len(found[0])), printed)


def test_answers_print_what_the_command_line_prints(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    place = str(told)
    for answer, words in (
        (query.trace("churn@champion", project=place), ["trace", "churn@champion"]),
        (query.diff("churn@1", "churn@2", project=place), ["diff", "churn@1", "churn@2"]),
        (query.health("churn@1", project=place), ["health", "churn@1"]),
        (query.runs(project=place), ["runs"]),
    ):
        # The two are asked one after the other: the age of a run may pass a whole day between them.
        assert ages(str(answer) + "\n") == ages(said(told, *words))
        assert repr(answer) == str(answer)
        assert json.loads(json.dumps(answer.to_dict())) == document(told, *words)


def test_answers_are_html_in_a_notebook(told: Path) -> None:
    place = str(told)
    assert "<pre" in query.trace("churn@1", project=place)._repr_html_()
    table = query.runs(project=place, limit=3)._repr_html_()
    assert table.startswith("<table>")
    assert table.count("<tr") == 4


def test_runs_are_a_sequence(told: Path) -> None:
    runs = query.runs("metrics.auc > 0.87", sort="metrics.auc desc", project=str(told))
    assert len(runs) == 2
    assert [run.metrics["auc"] for run in runs] == [0.874, 0.874]
    assert runs[0].job in {"train.py", "evaluate.py"}
    assert not runs.cut


def test_runs_become_a_data_frame(told: Path) -> None:
    pytest.importorskip("pandas")
    frame = query.runs("job = train.py", project=str(told)).to_pandas()
    assert frame.index.name == "run_id"
    assert list(frame["state"]) == ["finished", "finished", "failed", "finished"]
    assert frame["metrics.auc"].isna().sum() == 1
    assert str(frame["started_at"].dtype).startswith("datetime64")
    assert set(frame["params.depth"]) == {"4", "6"}
    everything = query.runs(project=str(told), limit=1000).to_pandas()
    assert everything["ended_at"].isna().sum() == 1


def test_an_empty_list_of_runs_becomes_an_empty_frame(told: Path) -> None:
    pytest.importorskip("pandas")
    assert len(query.runs("job = nothing", project=str(told)).to_pandas()) == 0


def test_a_trace_becomes_a_data_frame_of_edges(told: Path) -> None:
    pytest.importorskip("pandas")
    frame = query.trace("churn@1", project=str(told)).to_pandas()
    assert set(frame["kind"]) <= {"used", "generated", "derived"}
    assert "models/churn.json@1" in set(frame["dst"])


@pytest.mark.peer("networkx")
def test_a_trace_becomes_a_networkx_graph(told: Path) -> None:
    import networkx as nx

    graph = query.trace("churn@champion", project=str(told)).to_networkx()
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.graph["root"] == "models/churn.json@2"
    assert "data/raw/customers.csv@2" in nx.ancestors(graph, "models/churn.json@2")


@pytest.mark.parametrize(("library", "convert"), [("networkx", "to_networkx"), ("pandas", "to_pandas")])
def test_a_library_that_is_missing_is_named_with_its_install(
    told: Path, monkeypatch: pytest.MonkeyPatch, library: str, convert: str
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == library:
            raise ImportError(f"No module named {library!r}")
        return real(name, *rest, **more)

    trace = query.trace("churn@1", project=str(told))
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Unavailable, match=f"pip install {library}"):
        getattr(trace, convert)()


def test_a_difference_becomes_rows(told: Path) -> None:
    pytest.importorskip("pandas")
    frame = query.diff("churn@1", "churn@2", project=str(told)).to_pandas()
    depth = frame[(frame["where"] == "-") & (frame["key"] == "depth")]
    assert list(depth[["a", "b"]].iloc[0]) == ["4", "6"]
    assert "data/features.csv:tenure_months" in set(frame["key"])


def test_a_trace_knows_its_root_nodes_and_exports(told: Path) -> None:
    trace = query.trace("churn@champion", project=str(told))
    assert trace.root.ref == "models/churn.json@2"
    assert len(trace.nodes) > 10
    assert not trace.cut
    assert trace.to_mermaid() == said(told, "trace", "churn@champion", "--format", "mermaid")
    assert trace.to_dot() == said(told, "trace", "churn@champion", "--format", "dot")
    assert query.trace("churn@champion", depth=2, project=str(told)).cut


def test_an_earlier_time_is_a_text_or_a_datetime(told: Path) -> None:
    place = str(told)
    when = datetime.now(UTC) - timedelta(days=4)
    assert query.trace("churn@champion", as_of=when, project=place).root.ref == "models/churn.json@1"
    assert query.trace("churn@champion", as_of="4 days ago", project=place).root.ref == "models/churn.json@1"
    with pytest.raises(Invalid, match="is not a time"):
        query.trace("churn@champion", as_of="then", project=place)


def test_a_record_gives_its_fields(told: Path) -> None:
    shown = query.show("churn@champion", project=str(told))
    assert shown.ref == "models/churn.json@2"
    assert shown.made_by[0].job == "train.py"
    with pytest.raises(AttributeError):
        _ = shown.no_such_field


def test_a_metrics_history_has_every_point_or_a_charts_worth(told: Path) -> None:
    run = query.runs("job = train.py AND state = finished", project=str(told))[0]
    whole = query.metric(f"run:{run.run_id}", "loss", project=str(told))
    assert whole.step == list(range(60))
    assert len(query.metric(f"run:{run.run_id}", "loss", points=10, project=str(told)).step) < 40


def test_changes_are_made_and_refused_as_on_the_command_line(story: Path) -> None:
    place = str(story)
    assert query.register("data/features.csv@1", "features", project=place).number == 1
    assert query.alias("features", "stable", 1, expect=0, reason="first", project=place).revision == 1
    with pytest.raises(Conflict, match="revision 1, not 0"):
        query.alias("features", "stable", 1, expect=0, project=place)
    assert [entry.alias for entry in query.aliases("features", project=place)] == ["stable"]
    assert [tag.value for tag in query.tag("features@stable", owner="ana", project=place)] == ["ana"]
    assert query.deploy("churn@1", "test", project=place).target == "test"
    assert query.undeploy("churn@1", "test", project=place).ended_at is not None
    with pytest.raises(Conflict, match="living things depend on it"):
        query.delete("data/raw/events.csv", project=place)
    assert query.delete("reports/churn.json@1", reason="old", project=place).dependants == []
    assert query.sync(project=place).events == 0
    assert query.fsck(project=place).problems == []


def test_where_nothing_was_recorded_it_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no Lineal project"):
        query.runs(project=str(tmp_path))


def test_the_first_question_is_what_loads_the_answering_side() -> None:
    assert importlib.util.find_spec("lineal.service") is not None
    assert (
        re.search(
            r"^from lineal\.(service|store|core|deliver)", Path(query.__file__).read_text(), re.MULTILINE
        )
        is None
    )
