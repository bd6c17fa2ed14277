"""The scene around something: what is drawn, what is grouped, and what is counted instead."""

from __future__ import annotations

from typing import Any

import pytest

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


@pytest.mark.parametrize("fields", [{"budget": 0}, {"budget": 5000}, {"depth": 0}, {"direction": "sideways"}])
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
        {"lens": "logical", "ref": "raw.csv", "compare": "raw.csv"},
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
    mixed = "train was made from two versions of raw.csv, none of them made from another"
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
