"""What is taken in: once, whole, and with the same result whatever the order of arrival."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.core import events as ev
from lineal.core.errors import Conflict
from lineal.store.open import open_store

from .conftest import Desk, ended, made, run_id, started, used

PIPELINE: list[ev.Event] = [
    started(1, "extract", 10),
    made(1, "raw.csv", "raw", 20),
    ended(1, 30),
    started(2, "clean", 40),
    used(2, "raw.csv", "raw", 50),
    made(2, "clean.csv", "clean", 60),
    ended(2, 70),
    started(3, "train", 80),
    used(3, "copy/clean.csv", "clean", 90),
    made(3, "model.pkl", "model", 100, kind="model"),
    ended(3, 110),
]


def story(desk: Desk, ref: str = "model.pkl") -> tuple[set[Any], set[Any]]:
    """The trace as names, so that it can be compared between stores."""
    reply = desk.call("trace", ref=ref)
    names = {node.id: node.label for node in reply.nodes}
    return (
        {(names[e.src], names[e.dst], e.kind, e.rule) for e in reply.edges},
        {(node.label, node.origin_unknown) for node in reply.nodes},
    )


def test_a_pipeline_is_joined_by_the_bytes_that_one_step_wrote_and_the_next_read(desk: Desk) -> None:
    desk.ingest(*PIPELINE)
    edges, nodes = story(desk)
    assert edges == {
        ("extract", "raw.csv", "generated", ""),
        ("raw.csv", "clean", "used", ""),
        ("clean", "clean.csv", "generated", ""),
        ("clean.csv", "copy/clean.csv", "derived", "same-bytes"),
        ("copy/clean.csv", "train", "used", ""),
        ("train", "model.pkl", "generated", ""),
    }
    assert not any(unknown for _, unknown in nodes)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(order=st.permutations(PIPELINE), cuts=st.sets(st.integers(1, len(PIPELINE) - 1)))
def test_the_order_of_arrival_does_not_change_the_story(
    order: list[ev.Event], cuts: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stories = []
    for events, edges in ((PIPELINE, set()), (order, cuts)):
        store = open_store(str(tmp_path_factory.mktemp("order") / "lineal.db"))
        desk = Desk(store)
        bounds = [0, *sorted(edges), len(events)]
        for low, high in pairwise(bounds):
            desk.ingest(*events[low:high])
        stories.append(story(desk))
        store.close()
    assert stories[0] == stories[1]


def test_a_repeat_has_no_second_effect(desk: Desk) -> None:
    first = desk.ingest(*PIPELINE, source="journal-1", start=0, position=500)
    again = desk.ingest(*PIPELINE, source="journal-1", start=0, position=500)
    assert (first.events, again.events) == (len(PIPELINE), 0)
    assert again.positions == {"journal-1": 500}
    assert len(desk.call("runs").runs) == 3


def test_a_batch_that_leaves_something_out_is_refused_and_changes_nothing(desk: Desk) -> None:
    desk.ingest(started(1, "one", 1), source="journal-1", start=0, position=100)
    with pytest.raises(Conflict, match="recorded up to 100, and a batch came for 150"):
        desk.ingest(started(2, "two", 2), source="journal-1", start=150, position=200)
    assert [run.job for run in desk.call("runs").runs] == ["one"]


def test_facts_told_twice_without_a_position_stay_one(desk: Desk) -> None:
    desk.ingest(*PIPELINE)
    before = story(desk)
    desk.ingest(*PIPELINE)
    assert story(desk) == before


def test_a_child_that_arrives_before_its_parent_finds_it_later(desk: Desk) -> None:
    desk.ingest(started(2, "child", 20, parent=run_id(1)))
    desk.ingest(started(1, "parent", 10))
    shown = desk.call("show", ref=f"run:{run_id(1)}")
    assert (shown.job, [child.job for child in shown.children]) == ("parent", ["child"])


def test_an_inferred_origin_is_withdrawn_when_a_second_place_could_have_been_it(desk: Desk) -> None:
    desk.ingest(
        started(1, "a", 1), made(1, "a.csv", "same", 2), started(3, "c", 9), used(3, "c.csv", "same", 10)
    )
    assert ("a.csv", "c.csv", "derived", "same-bytes") in story(desk, "c.csv")[0]
    desk.ingest(started(2, "b", 3), made(2, "b.csv", "same", 4))
    shown = desk.call("show", ref="c.csv")
    assert shown.origin_unknown
    assert sorted(shown.candidates) == ["a.csv@1", "b.csv@1"]


def test_what_was_withdrawn_still_shows_as_of_then(desk: Desk) -> None:
    desk.ingest(
        started(1, "a", 1), made(1, "a.csv", "same", 2), started(3, "c", 9), used(3, "c.csv", "same", 10)
    )
    then = desk.at
    desk.ingest(started(2, "b", 3), made(2, "b.csv", "same", 4))
    assert not desk.call("trace", ref="c.csv").edges
    assert len(desk.call("trace", ref="c.csv", as_of=then).edges) == 2


def test_an_empty_file_never_becomes_a_hub(desk: Desk) -> None:
    desk.ingest(
        started(1, "a", 1),
        made(1, "a.csv", "", 2, size=0),
        started(2, "b", 3),
        used(2, "b.csv", "", 4, size=0),
    )
    assert desk.call("show", ref="b.csv").origin_unknown


def test_metrics_come_back_exactly(desk: Desk) -> None:
    import struct

    values = [0.1, float("nan"), float("inf"), float("-inf"), -0.0]
    points = ev.MetricPoints(
        run=run_id(1),
        keys=["loss"],
        key=struct.pack("<5I", *[0] * 5),
        step=struct.pack("<5q", *range(5)),
        at=struct.pack("<5q", *range(100, 105)),
        value=struct.pack("<5d", *values),
    )
    desk.ingest(started(1, "train", 1), points, ended(1, 200))
    history = desk.call("metrics", run=f"run:{run_id(1)}", key="loss")
    assert history.value == [0.1, "NaN", "Infinity", "-Infinity", -0.0]
    assert str(history.value[-1]) == "-0.0"


def test_an_end_that_was_told_is_not_taken_back_by_who_only_found_nobody_alive(desk: Desk) -> None:
    def now() -> str:
        return str(desk.call("runs").runs[0].state)

    desk.ingest(started(77, "train", 1), ended(77, 5, ev.State.KILLED), ended(77, 3, ev.State.LOST))
    assert now() == "killed"
    desk.ingest(ended(77, 6, ev.State.RUNNING))
    desk.ingest(ended(77, 7, ev.State.LOST))
    assert now() == "lost"
