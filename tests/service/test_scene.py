"""The scene around something: what is drawn, what is grouped, and what is counted instead."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from lineal.core import events as ev
from lineal.core.errors import Invalid, NotFound
from tests.service.conftest import Desk, ended, made, run_id, started, used


def sweep(desk: Desk, size: int = 20) -> None:
    """raw -> clean -> a sweep of training runs, of which run 107 made the registered model."""
    desk.ingest(
        started(1, "clean.py", 10),
        used(1, "raw.csv", "raw", 11),
        made(1, "clean.csv", "clean", 12),
        ended(1, 13),
    )
    desk.ingest(started(50, "sweep.py", 20))
    for number in range(100, 100 + size):
        desk.ingest(
            started(number, "train.py", number, parent=run_id(50)),
            used(number, "clean.csv", "clean", number),
            made(number, f"models/{number}.pkl", f"m{number}", number + 1, kind="model"),
            ended(number, number + 2),
        )
    if size > 7:
        desk.call("register", ref="models/107.pkl", name="churn")
        desk.call("alias", name="churn", alias="champion", version="1")


def test_a_sweep_is_one_card_that_names_the_member_leading_on(desk: Desk) -> None:
    sweep(desk)
    reply = desk.call("scene", ref="clean.csv")
    cards = {node.label: node for node in reply.nodes}
    runs = cards["train.py"]
    assert (runs.shape, runs.count, runs.states) == ("group", 20, {"finished": 20})
    assert runs.lead == [f"run:{run_id(107)}"]
    assert cards["models/#.pkl"].count == 19
    assert cards["models/107.pkl"].aliases == ["churn@champion"]
    assert cards["clean.csv"].focus
    assert cards["raw.csv"].origin_unknown
    assert not reply.cut
    assert reply.drawn == 43


def test_expanding_draws_the_members_and_says_what_did_not_fit(desk: Desk) -> None:
    sweep(desk)
    group = next(node.id for node in desk.call("scene", ref="clean.csv").nodes if node.label == "train.py")
    opened = desk.call("scene", ref="clean.csv", expand=[group])
    assert sum(node.label == "train.py" for node in opened.nodes) == 20
    small = desk.call("scene", ref="clean.csv", expand=[group], budget=10)
    assert len(small.nodes) == 10
    assert small.drawn + small.hidden == 43
    assert small.cut
    assert "did not fit into 10 cards" in small.cut_reason


def test_what_lies_beyond_the_depth_is_counted_on_the_cards(desk: Desk) -> None:
    sweep(desk)
    reply = desk.call("scene", ref="churn@champion", direction="up", depth=2)
    cards = {node.label: node for node in reply.nodes}
    assert set(cards) == {"models/107.pkl", "train.py", "clean.csv"}
    assert (cards["clean.csv"].up.count, cards["clean.csv"].down.count) == (1, 19)
    assert reply.cut


def test_the_layers_follow_the_data(desk: Desk) -> None:
    sweep(desk, 1)
    reply = desk.call("scene", ref="raw.csv", fold=False)
    assert {node.label: node.layer for node in reply.nodes if node.type == "version"} == {
        "raw.csv": 0,
        "clean.csv": 2,
        "models/100.pkl": 4,
    }


def test_two_models_are_compared_in_four_colours(desk: Desk) -> None:
    desk.ingest(started(1, "clean.py", 10), used(1, "raw.csv", "raw", 11), made(1, "a.csv", "a1", 12))
    desk.ingest(started(2, "train.py", 20), used(2, "a.csv", "a1", 21), made(2, "m.pkl", "m1", 22))
    desk.ingest(started(3, "clean.py", 30), used(3, "raw.csv", "raw", 31), made(3, "a.csv", "a2", 32))
    desk.ingest(
        started(4, "train.py", 40),
        used(4, "a.csv", "a2", 41),
        used(4, "more.csv", "x", 41),
        made(4, "m.pkl", "m2", 42),
    )
    reply = desk.call("scene", ref="m.pkl@1", compare="m.pkl@2", fold=False)
    sides = {node.ref: node.side for node in reply.nodes}
    assert sides["raw.csv@1"] == "same"
    assert sides["a.csv@1"] == sides["a.csv@2"] == "changed"
    assert sides["more.csv@1"] == "right"


def test_a_scene_of_the_past_shows_what_was_recorded_then(desk: Desk) -> None:
    desk.ingest(started(1, "clean.py", 10), used(1, "raw.csv", "raw", 11), made(1, "a.csv", "a1", 12))
    then = desk.at
    desk.ingest(started(2, "train.py", 20), used(2, "a.csv", "a1", 21), made(2, "m.pkl", "m1", 22))
    assert len(desk.call("scene", ref="a.csv", as_of=then).nodes) == 3
    assert len(desk.call("scene", ref="a.csv").nodes) == 5
    happened = desk.call("scene", ref="a.csv", valid_at=21)
    assert {node.label for node in happened.nodes} == {"raw.csv", "clean.py", "a.csv", "train.py"}
    assert [len(happened.edges), happened.cut] == [3, False]
    assert len(desk.call("scene", ref="a.csv", to="m.pkl", valid_at=21).edges) == 0
    for lens, ref in (("logical", "a.csv"), ("overview", "")):
        reply = desk.call("scene", ref=ref, lens=lens, valid_at=21)
        assert {node.label for node in reply.nodes} == {"raw.csv", "clean.py", "a.csv", "train.py"}
        assert [len(reply.edges), reply.cut, reply.valid_at] == [3, False, 21]
    assert len(desk.call("scene", ref="a.csv", to="m.pkl", lens="logical", valid_at=21).edges) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"budget": 0},
        {"budget": 5000},
        {"depth": 0},
        {"direction": "sideways"},
    ],
)
def test_what_cannot_be_drawn_is_refused(desk: Desk, fields: dict[str, object]) -> None:
    sweep(desk, 1)
    with pytest.raises(Invalid):
        desk.call("scene", ref="raw.csv", **fields)


def test_the_logical_lens_shows_jobs_and_artifacts_with_their_counts(desk: Desk) -> None:
    sweep(desk)
    reply = desk.call("scene", ref="models/107.pkl", lens="logical")
    cards = {node.label: node for node in reply.nodes}
    assert {label: (node.type, node.count) for label, node in cards.items()} == {
        "raw.csv": ("artifact", 1),
        "clean.py": ("job", 1),
        "clean.csv": ("artifact", 1),
        "train.py": ("job", 20),
        "models/107.pkl": ("artifact", 1),
    }
    assert cards["train.py"].states == {"finished": 20}
    assert (cards["train.py"].down.count, reply.cut) == (19, True)
    assert [(edge.kind, edge.count) for edge in reply.edges if edge.dst == cards["train.py"].id] == [
        ("used", 20)
    ]
    around = desk.call("scene", ref="clean.csv", lens="logical")
    assert {node.label: node.count for node in around.nodes}["models/#.pkl"] == 20


def test_the_overview_shows_the_whole_record_also_what_is_not_connected(desk: Desk) -> None:
    sweep(desk, 8)
    desk.ingest(started(5, "alone.py", 1), made(5, "alone.csv", "a", 2))
    reply = desk.call("scene", lens="overview")
    assert {node.label for node in reply.nodes} >= {
        "raw.csv",
        "train.py",
        "alone.py",
        "alone.csv",
        "models/#.pkl",
    }
    assert not reply.cut
    then = desk.at
    desk.ingest(started(6, "late.py", 1), made(6, "late.csv", "a", 2))
    assert "late.py" not in {node.label for node in desk.call("scene", lens="overview", as_of=then).nodes}
    small = desk.call("scene", lens="overview", budget=3, fold=False)
    assert (len(small.nodes), small.cut) == (3, True)


def test_a_table_that_its_own_job_rewrites_is_drawn_as_a_cycle(desk: Desk) -> None:
    desk.ingest(started(1, "append.py", 1), used(1, "log.csv", "a", 1), made(1, "log.csv", "b", 2))
    desk.ingest(started(2, "train.py", 3), used(2, "log.csv", "b", 3), made(2, "m.pkl", "m", 4))
    reply = desk.call("scene", ref="m.pkl", lens="logical")
    (cycle,) = [node for node in reply.nodes if node.shape == "cycle"]
    assert sorted(cycle.members) == ["job:append.py", "log.csv"]
    opened = desk.call("scene", ref="m.pkl", lens="logical", expand=[cycle.id])
    assert [edge.loop for edge in opened.edges].count(True) == 1


def test_a_run_whose_job_comes_later_stands_with_that_job(desk: Desk) -> None:
    desk.ingest(used(1, "raw.csv", "raw", 1), made(1, "m.pkl", "m", 2))
    desk.ingest(started(1, "train.py", 1))
    reply = desk.call("scene", ref="m.pkl", lens="logical")
    assert [node.label for node in reply.nodes if node.type == "job"] == ["train.py"]
    assert len(reply.edges) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"lens": "x-ray", "ref": "raw.csv"},
        {"lens": "logical"},
        {},
        {"lens": "logical", "ref": "raw.csv", "governing": True},
        {"ref": "raw.csv", "compare": "raw.csv", "to": "raw.csv"},
        {"lens": "overview", "compare": "raw.csv"},
        {"ref": "raw.csv", "open": ["up:1:99"]},
        {"ref": "raw.csv", "open": ["up:group:1"]},
        {"ref": "raw.csv", "hide": ["x"] * 60},
    ],
)
def test_a_lens_that_does_not_fit_is_refused(desk: Desk, fields: dict[str, str]) -> None:
    sweep(desk, 1)
    with pytest.raises(Invalid):
        desk.call("scene", **fields)


def marked(reply: Any) -> set[tuple[str, str, str]]:
    return {(node.label, mark.kind, mark.said) for node in reply.nodes for mark in node.marks}


def test_gaps_and_contradictions_are_marked_on_what_they_concern(desk: Desk) -> None:
    desk.ingest(started(1, "features", 1), used(1, "raw.csv", "v1", 1), made(1, "f.csv", "f", 2), ended(1, 2))
    desk.ingest(
        started(2, "train", 3), used(2, "f.csv", "f", 3), used(2, "raw.csv", "v2", 3), made(2, "m", "m", 4)
    )
    reply = desk.call("scene", ref="m", fold=False)
    mixed = "train mixes two versions of raw.csv, neither made from the other"
    assert marked(reply) >= {
        ("raw.csv", "gap", "nobody is known to have produced it"),
        ("train", "gap", "train: no end was recorded"),
        ("train", "conflict", mixed),
    }
    by_id = {node.id: node.ref for node in reply.nodes}
    lines = {by_id[edge.src] for edge in reply.edges for mark in edge.marks if mark.kind == "conflict"}
    assert lines == {"f.csv@1", "raw.csv@2"}
    (conflict,) = desk.call("conflicts", ref="m").conflicts
    assert {mark.id for node in reply.nodes for mark in node.marks if mark.kind == "conflict"} == {
        conflict.id
    }
    desk.call("resolve", id=conflict.id, choice="meant so")
    assert "conflict" not in {kind for _, kind, _ in marked(desk.call("scene", ref="m", fold=False))}


def test_what_was_made_from_an_old_version_is_stale_until_it_is_made_again(desk: Desk) -> None:
    sweep(desk, 1)
    assert not {kind for _, kind, _ in marked(desk.call("scene", ref="models/100.pkl"))} & {"stale"}
    desk.ingest(started(2, "clean.py", 500), used(2, "raw.csv", "raw2", 501), made(2, "clean.csv", "c2", 502))
    then = desk.at
    reply = desk.call("scene", ref="models/100.pkl", direction="up", fold=False)
    said = "made from clean.csv@1; there is clean.csv@2"
    assert ("models/100.pkl", "stale", said) in marked(reply)
    assert [mark.ref for edge in reply.edges for mark in edge.marks if mark.kind == "stale"] == [
        "clean.csv@2"
    ]
    desk.ingest(
        started(101, "train.py", 600),
        used(101, "clean.csv", "c2", 601),
        made(101, "models/100.pkl", "new", 602),
    )
    now = marked(desk.call("scene", ref="models/100.pkl@1", fold=False))
    assert "stale" not in {kind for _, kind, _ in now}
    desk.call("register", ref="models/100.pkl@1", name="churn")
    desk.call("alias", name="churn", alias="live", version="1")
    assert ("models/100.pkl", "stale", said) in marked(desk.call("scene", ref="churn@live", fold=False))
    assert ("models/100.pkl", "stale", said) in marked(
        desk.call("scene", ref="models/100.pkl", fold=False, as_of=then)
    )


def test_a_return_to_earlier_bytes_makes_nothing_stale(desk: Desk) -> None:
    for number, content in ((1, "a"), (2, "b"), (3, "a")):
        desk.ingest(started(number, "load", number * 10), made(number, "t.csv", content, number * 10 + 1))
    desk.ingest(started(4, "train", 50), used(4, "t.csv", "a", 51), made(4, "m", "m", 52))
    assert "stale" not in {kind for _, kind, _ in marked(desk.call("scene", ref="m", fold=False))}


def test_what_was_made_from_deleted_data_is_marked_with_the_cause(desk: Desk) -> None:
    sweep(desk, 1)
    desk.call("delete", ref="raw.csv", reason="consent withdrawn")
    reply = desk.call("scene", ref="clean.csv", fold=False)
    said = {(label, words) for label, kind, words in marked(reply) if kind == "withdrawn"}
    assert said == {
        ("raw.csv", "it was deleted"),
        ("clean.py", "made from raw.csv@1, which was deleted"),
        ("clean.csv", "made from raw.csv@1, which was deleted"),
        ("train.py", "made from raw.csv@1, which was deleted"),
        ("models/100.pkl", "made from raw.csv@1, which was deleted"),
    }


def test_a_line_names_its_messages_and_each_is_given_back_as_received(desk: Desk) -> None:
    sweep(desk, 5)
    reply = desk.call("scene", ref="clean.csv")
    line = next(edge for edge in reply.edges if edge.count == 5)
    assert (line.evidences, len(line.messages)) == ({"observed": 5}, 5)
    told = desk.call("message", number=line.messages[0])
    assert (told.door, told.source, told.cut) == ("test", "test", False)
    assert "train.py" in told.text
    with pytest.raises(NotFound):
        desk.call("message", number=10**9)
    with pytest.raises(Invalid):
        desk.call("message", number=2**70)


def points(number: int, **values: float) -> list[ev.Event]:
    keys = sorted(values)
    column = struct.Struct(f"<{len(keys)}d").pack(*(values[key] for key in keys))
    whole = struct.Struct(f"<{len(keys)}q")
    return [
        ev.MetricPoints(
            run=run_id(number),
            keys=keys,
            key=struct.Struct(f"<{len(keys)}I").pack(*range(len(keys))),
            step=whole.pack(*[0] * len(keys)),
            at=whole.pack(*[1] * len(keys)),
            value=column,
        )
    ]


def test_a_group_says_how_its_runs_came_out_and_which_was_least_and_greatest(desk: Desk) -> None:
    sweep(desk)
    for number in range(100, 120):
        desk.ingest(*points(number, auc=number / 1000, loss=float("nan") if number == 100 else 1.0))
    cards = {node.label: node for node in desk.call("scene", ref="clean.csv").nodes}
    auc, loss = cards["train.py"].metrics
    assert (auc.key, auc.count, auc.minimum, auc.median, auc.maximum) == ("auc", 20, 0.1, 0.1095, 0.119)
    assert (auc.least, auc.greatest) == (f"run:{run_id(100)}", f"run:{run_id(119)}")
    assert (loss.key, loss.count) == ("loss", 19)
    of_models = cards["models/#.pkl"].metrics[0]
    assert (of_models.count, of_models.greatest) == (19, "models/119.pkl@1")
    single = cards["models/107.pkl"].metrics[0]
    assert (single.key, single.minimum, single.maximum) == ("auc", 0.107, 0.107)


def test_runs_of_another_commit_are_another_group(desk: Desk) -> None:
    sweep(desk)
    for number in range(100, 120):
        commit = "a" * 40 if number < 110 else "b" * 40
        code = ev.VersionState(namespace="project", name="git", kind="code", digest=f"git:{commit}")
        desk.ingest(ev.VersionUsed(run=run_id(number), version=code, at=number, role="code"))
    reply = desk.call("scene", ref="clean.csv")
    groups = {(node.commit[:1], node.count) for node in reply.nodes if node.label == "train.py"}
    assert groups == {("a", 10), ("b", 10)}


def test_what_leads_to_something_live_and_what_all_came_through_is_told(desk: Desk) -> None:
    sweep(desk)
    desk.call("deploy", ref="churn@champion", target="shop")
    up = {"direction": "up", "fold": False}
    live = desk.call("runs", where="kind = deployment").runs[0].run_id
    cards = {node.label: node for node in desk.call("scene", ref=f"run:{live}", **up).nodes}
    assert {label for label, node in cards.items() if node.serves} == {
        "raw.csv", "clean.py", "clean.csv", "train.py", "models/107.pkl", "shop",
    }  # fmt: skip
    assert {label for label, node in cards.items() if node.essential} == {
        "raw.csv", "clean.py", "clean.csv", "train.py", "models/107.pkl",
    }  # fmt: skip
    desk.ingest(used(107, "more.csv", "more", 107))
    more = {node.label: node for node in desk.call("scene", ref="churn@champion", **up).nodes}
    assert {label for label, node in more.items() if node.essential} == {"train.py"}
    logical = {n.label: n for n in desk.call("scene", ref="churn@champion", lens="logical").nodes}
    assert (logical["raw.csv"].serves, logical["raw.csv"].essential) == (True, False)
    assert (logical["train.py"].serves, logical["train.py"].essential) == (True, True)


@pytest.mark.parametrize("lens", ["versions", "logical"])
def test_hidden_kinds_are_led_through_with_the_evidence_of_what_lies_between(desk: Desk, lens: str) -> None:
    sweep(desk, 1)
    reply = desk.call("scene", ref="models/100.pkl", lens=lens, hide=["run"])
    names = {node.id: node.label for node in reply.nodes}
    assert set(names.values()) == {"raw.csv", "clean.csv", "models/100.pkl"}
    assert {(names[edge.src], names[edge.dst], edge.over, edge.count) for edge in reply.edges} == {
        ("raw.csv", "clean.csv", 1, 2),
        ("clean.csv", "models/100.pkl", 1, 2),
    }
    assert not reply.cut
    if lens == "versions":
        assert all(len(edge.messages) in (1, 2) and edge.evidence == "observed" for edge in reply.edges)
    focus = desk.call("scene", ref=f"run:{run_id(100)}", lens=lens, hide=["run"])
    assert "train.py" in {node.label for node in focus.nodes}


@pytest.mark.parametrize("lens", ["versions", "logical"])
def test_a_card_is_opened_by_as_many_hops_as_were_asked_for(desk: Desk, lens: str) -> None:
    for step in range(8):
        desk.ingest(
            started(step, f"step{'abcdefgh'[step]}.py", step),
            used(step, f"d{'abcdefghi'[step]}.csv", f"x{step}", step),
            made(step, f"d{'abcdefghi'[step + 1]}.csv", f"x{step + 1}", step),
            ended(step, step),
        )
    narrow = desk.call("scene", ref="da.csv", lens=lens, depth=2, fold=False)
    last = next(node for node in narrow.nodes if node.label == "db.csv")
    assert (len(narrow.nodes), last.down.count) == (3, 1)
    wide = desk.call("scene", ref="da.csv", lens=lens, depth=2, fold=False, open=[f"down:{last.id}:4"])
    assert {n.label for n in wide.nodes} - {n.label for n in narrow.nodes} == {
        "stepb.py", "dc.csv", "stepc.py", "dd.csv",
    }  # fmt: skip


@pytest.mark.parametrize("lens", ["versions", "logical"])
def test_only_what_lies_between_two_is_drawn_and_the_shortest_way_is_told(desk: Desk, lens: str) -> None:
    sweep(desk)
    desk.ingest(used(107, "raw.csv", "raw", 107))
    for ends in ({"ref": "raw.csv", "to": "models/107.pkl"}, {"ref": "models/107.pkl", "to": "raw.csv"}):
        reply = desk.call("scene", lens=lens, fold=False, **ends)
        assert {node.label: node.way for node in reply.nodes} == {
            "raw.csv": True,
            "clean.py": False,
            "clean.csv": False,
            "train.py": True,
            "models/107.pkl": True,
        }
        assert sum(edge.way for edge in reply.edges) == 2
    none = desk.call("scene", ref="models/101.pkl", to="models/107.pkl", lens=lens, fold=False)
    assert (none.cut_reason.startswith("no way leads from one to the other"), len(none.nodes)) == (True, 2)


def test_ancestries_are_compared_without_their_versions_too(desk: Desk) -> None:
    desk.ingest(started(1, "clean.py", 10), used(1, "raw.csv", "raw", 11), made(1, "a.csv", "a1", 12))
    desk.ingest(started(2, "train.py", 20), used(2, "a.csv", "a1", 21), made(2, "m.pkl", "m1", 22))
    desk.ingest(started(3, "clean.py", 30), used(3, "raw.csv", "raw", 31), made(3, "a.csv", "a2", 32))
    desk.ingest(started(4, "tune.py", 40), used(4, "a.csv", "a2", 41), made(4, "n.pkl", "n", 42))
    for lens, more in (("logical", {}), ("overview", {})):
        reply = desk.call("scene", ref="m.pkl", compare="n.pkl", lens=lens, fold=False, **more)
        assert {node.label: node.side for node in reply.nodes} == {
            "raw.csv": "same",
            "clean.py": "changed",
            "a.csv": "changed",
            "train.py": "left",
            "m.pkl": "left",
            "tune.py": "right",
            "n.pkl": "right",
        }
