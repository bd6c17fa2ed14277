"""Questions to the graph: ways, what depends on something, what two have in common, why they differ, which tags reach it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineal.core import events as ev
from lineal.core.errors import Invalid
from lineal.service import impact
from tests.service.conftest import Desk, ended, made, run_id, started, used


@pytest.fixture
def story(desk: Desk) -> Desk:
    """raw -> clean.py -> clean -> train.py (two, on two states of labels) -> model 1 and 2; model 2 is live."""
    desk.ingest(
        started(1, "clean.py", 10), used(1, "raw.csv", "raw", 11), made(1, "clean.csv", "c", 12), ended(1, 13)
    )
    for number, labels in ((2, "l1"), (3, "l2")):
        at = number * 10
        desk.ingest(
            started(number + 10, "label.py", at - 5),
            made(number + 10, "labels.csv", labels, at - 4),
            started(number, "train.py", at, actor="ada"),
            used(number, "clean.csv", "c", at + 1),
            used(number, "labels.csv", labels, at + 1),
            made(number, "m.pkl", f"m{number}", at + 2, kind="model"),
            ended(number, at + 3),
        )
    desk.call("tag", ref="raw.csv", key="pii", value="true")
    desk.call("tag", ref="labels.csv@1", key="licence", value="GPL")
    desk.call("tag", ref="m.pkl@2", key="owner", value="risk team")
    desk.call("register", ref="m.pkl@2", name="churn")
    desk.call("deploy", ref="churn@1", target="prod")
    return desk


def test_the_way_from_data_to_model_is_found_from_either_end(story: Desk) -> None:
    for a, b, back in (("raw.csv", "m.pkl@1", False), ("m.pkl@1", "raw.csv", True)):
        reply = story.call("path", a=a, b=b)
        names = {node.id: node.label for node in reply.nodes}
        assert [[names[node] for node in way] for way in reply.paths] == [
            ["raw.csv", "clean.py", "clean.csv", "train.py", "m.pkl"]
        ]
        assert (reply.reversed, reply.cut) == (back, False)
    assert story.call("path", a="labels.csv@1", b="m.pkl@2").paths == []
    assert story.call("path", a="raw.csv", b="raw.csv").paths == [
        [story.call("path", a="raw.csv", b="raw.csv").a]
    ]


def test_impact_counts_all_and_lists_the_nearest_with_their_owners(story: Desk) -> None:
    reply = story.call("impact", ref="raw.csv")
    assert reply.counts == {"dataset": 1, "deployment": 1, "model": 2, "run": 3}
    assert (reply.total, reply.exact, reply.cut) == (7, True, False)
    assert [item.distance for item in reply.affected] == [1, 2, 3, 3, 4, 4, 5]
    assert [(item.label, item.distance) for item in reply.live] == [("prod", 5)]
    assert reply.owners["risk team"] == 1
    assert reply.owners["ada"] == 3
    few = story.call("impact", ref="raw.csv", kinds=["model", "deployment"], limit=2)
    assert [item.kind for item in few.affected] == ["model", "model"]
    assert (few.total, few.cut, few.cut_reason) == (3, True, "2 of 3 are listed")
    assert [item.label for item in few.live] == ["prod"]
    assert story.call("impact", ref="raw.csv", kinds=["model"]).live == []
    assert story.call("impact", ref="raw.csv", kinds=["prompt"]).total == 0
    for ref in ("raw.csv", "m.pkl@2"):
        with pytest.raises(Invalid, match="nothing is of the kind 'modell'") as refused:
            story.call("impact", ref=ref, kinds=["modell"])
        assert "model" in refused.value.hint
    assert story.call("impact", ref="raw.csv", tag="owner:risk team").total == 1
    with pytest.raises(Invalid):
        story.call("impact", ref="raw.csv", limit=0)


def test_every_question_is_asked_of_the_past_and_of_what_had_happened(story: Desk) -> None:
    then = story.at
    story.ingest(started(9, "late.py", 90), used(9, "raw.csv", "raw", 91), made(9, "late.csv", "x", 92))
    assert story.call("impact", ref="raw.csv").total == 9
    assert story.call("impact", ref="raw.csv", as_of=then).total == 7
    assert story.call("impact", ref="raw.csv", valid_at=21).counts == {"dataset": 1, "run": 2}
    assert story.call("impact", ref="raw.csv", since=50).total == 2
    before = story.call("impact", ref="raw.csv", valid_at=story.at - 1_000_000_000).live
    assert (before, len(story.call("impact", ref="raw.csv", valid_at=story.at).live)) == ([], 1)
    assert story.call("path", a="raw.csv", b="m.pkl@1", valid_at=15).paths == []
    assert len(story.call("trace", ref="m.pkl@1", valid_at=15).nodes) == 1
    assert len(story.call("trace", ref="m.pkl@1", evidence=["observed"]).nodes) > 5
    assert story.call("impact", ref="raw.csv", evidence=["inferred"]).total == 0


def test_what_two_have_in_common_names_the_nearest_first(story: Desk) -> None:
    reply = story.call("common", a="m.pkl@1", b="m.pkl@2")
    assert [(item.node.label, item.nearest, item.distance_a) for item in reply.common] == [
        ("clean.csv", True, 2),
        ("clean.py", False, 3),
        ("raw.csv", False, 4),
    ]
    assert [
        item.node.label for item in story.call("common", a="m.pkl@1", b="m.pkl@2", kinds=["run"]).common
    ] == ["clean.py"]


def test_why_two_differ_begins_with_where_the_difference_began(story: Desk) -> None:
    reply = story.call("why", a="m.pkl@1", b="m.pkl@2")
    told = {item.name: item for item in reply.differences}
    assert set(told) == {"m.pkl", "train.py", "labels.csv", "label.py"}
    assert (told["labels.csv"].a, told["labels.csv"].b) == (["labels.csv@1"], ["labels.csv@2"])
    assert [item.name for item in reply.differences if item.cause] == ["label.py"]
    assert reply.differences[0].name == "label.py"
    assert reply.same == 3
    other = story.call("why", a="m.pkl@1", b="clean.csv")
    assert {item.name: item.status for item in other.differences}["labels.csv"] == "only_a"


def test_a_tag_reaches_every_descendant_with_the_way_that_carries_it(story: Desk) -> None:
    reply = story.call("inherited", ref="m.pkl@1")
    assert [(tag.key, tag.value, tag.source, tag.distance) for tag in reply.tags] == [
        ("licence", "GPL", "labels.csv@1", 2),
        ("pii", "true", "raw.csv@1", 4),
    ]
    assert reply.tags[1].path == [
        "raw.csv@1",
        f"run:{run_id(1)}",
        "clean.csv@1",
        f"run:{run_id(2)}",
        "m.pkl@1",
    ]
    assert [tag.key for tag in story.call("inherited", ref="m.pkl@2", tag="licence:GPL").tags] == []
    assert [tag.distance for tag in story.call("inherited", ref="raw.csv", tag="pii").tags] == [0]


def test_code_and_environment_are_walked_only_when_asked_for(desk: Desk) -> None:
    code = ev.VersionState(namespace="project", name="git", kind="code", digest="git:1")
    desk.ingest(
        started(1, "j", 1),
        ev.VersionUsed(run=run_id(1), version=code, at=1, role="code"),
        made(1, "x", "x", 2),
    )
    assert desk.call("path", a="git", b="x").paths == []
    assert len(desk.call("path", a="git", b="x", governing=True).paths) == 1


def test_the_impact_of_a_hub_is_counted_whole_once_a_snapshot_stands(
    story: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impact, "COUNTED", 3)
    monkeypatch.setattr(impact, "_SOON", 2)
    cold = story.call("impact", ref="raw.csv")
    assert (cold.total, cold.exact, cold.cut) == (3, False, True)
    assert cold.cut_reason == "more than 3 things lie downstream; the nearest 3 are listed"
    assert cold.computing is not None
    narrow = story.call("impact", ref="raw.csv", evidence=["observed"])
    assert (narrow.exact, narrow.cut_reason.endswith("a narrower time or evidence counts them whole")) == (
        False,
        True,
    )
    assert story.store.snapshots.wait(60)
    warm = story.call("impact", ref="raw.csv")
    assert (warm.total, warm.exact, warm.computing) == (7, True, None)
    assert warm.counts == {"dataset": 1, "deployment": 1, "model": 2, "run": 3}
    assert [item.distance for item in warm.affected] == [1, 2, 3, 3, 4, 4, 5]
    assert [(item.label, item.distance) for item in warm.live] == [("prod", 5)]
    story.ingest(started(9, "late.py", 90), used(9, "raw.csv", "raw", 91), made(9, "late.csv", "x", 92))
    later = story.call("impact", ref="raw.csv", limit=2)
    assert (later.total, later.cut, later.cut_reason) == (9, True, "2 of 9 are listed")
    assert later.counts["dataset"] == 2
    only = story.call("impact", ref="raw.csv", kinds=["model"], limit=1, offset=1)
    assert (only.total, only.exact, only.counts, only.computing) == (2, True, {"model": 2}, None)
    assert ([item.ref for item in only.affected], only.cut_reason) == (
        ["m.pkl@2"],
        "1 of 2 are listed from 2 on",
    )
    assert only.live == []


NARROWED: list[dict[str, Any]] = [
    {},
    {"kinds": ["run"]},
    {"kinds": ["model", "deployment"], "namespace": "project"},
    {"namespace": "elsewhere"},
    {"tag": "pii"},
    {"evidence": ["observed"]},
    {"evidence": ["imported"]},
    {"valid_at": 22},
    {"since": 15},
    {"governing": True},
]


@pytest.mark.parametrize("narrow", NARROWED)
def test_an_impact_is_the_same_over_a_snapshot_over_edges_and_as_of_now(
    story: Desk, narrow: dict[str, Any]
) -> None:
    story.call("tag", ref="clean.csv", key="pii", value="true")
    cold = story.call("impact", ref="raw.csv", **narrow)
    then = story.call("impact", ref="raw.csv", as_of=story.at, **narrow)
    story.store.snapshots.build_soon()
    assert story.store.snapshots.wait(60)
    warm = story.call("impact", ref="raw.csv", **narrow)
    assert cold == warm
    assert msgspec.structs.replace(then, as_of=None) == cold
    assert cold.exact
    assert cold.total == len(cold.affected) == sum(cold.counts.values())
