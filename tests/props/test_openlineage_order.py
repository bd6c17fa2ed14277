"""Late, twice, out of order, all at once or one by one: the same events make the same record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.errors import Conflict, NotFound
from lineal.service import joining, openlineage, openlineage_graph
from lineal.service.operations import Scope
from lineal.store.open import Store, open_store
from tests.doors.openlineage.making import (
    MODES,
    data,
    event,
    facet,
    packed,
    record,
    recorded,
    settle_all,
    take,
)

_LONG = bool(os.environ.get("LINEAL_SOAK"))
pytestmark = pytest.mark.timeout(7200 if _LONG else 600)  # on a busy machine each example takes seconds
_BOTH = [line for mode in MODES for line in recorded(mode)]


@contextmanager
def fresh() -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        store = open_store(str(Path(folder) / "lineal.db"))
        yield store
        store.close()


@contextmanager
def portions_of(most: int) -> Iterator[None]:
    """Let a pass take up only so many further runs."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (openlineage, openlineage_graph):
            patch.setattr(module, "AT_ONCE", most)
        yield


def of(events: list[bytes], order: list[list[int]]) -> list[list[bytes]]:
    return [[events[n] for n in portion] for portion in order]


def told(orders: list[list[bytes]]) -> Any:
    """The record after events came in so many portions."""
    with fresh() as store:
        for number, portion in enumerate(orders, 1):
            take(store, portion, at=number)
        settle_all(store, at=len(orders) + 1)
        return record(store)


@st.composite
def arrivals(draw: st.DrawFn, count: int) -> list[list[int]]:
    """Some way in which so many events may come: any order, some of them twice, in portions."""
    order = list(draw(st.permutations(range(count))))
    again = draw(st.lists(st.integers(0, count - 1), max_size=6))
    for one in again:
        order.insert(draw(st.integers(0, len(order))), one)
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=12)) | {0, len(order)})
    return [order[begin:end] for begin, end in pairwise(cuts)]


def same(found: Any, wanted: Any) -> None:
    for part in wanted:
        one, other = found[part], wanted[part]
        if isinstance(one, dict):
            differing = {key for key in {*one, *other} if one.get(key) != other.get(key)}
            assert not differing, [(part, key, one.get(key), other.get(key)) for key in sorted(differing)][:3]
        else:
            assert one == other


_MODES_TOGETHER = told([_BOTH])


@settings(max_examples=200 if _LONG else 6, deadline=None)
@given(arrivals(len(_BOTH)))
def test_two_modes_of_dbt_make_one_record_in_whatever_order_they_come(order: list[list[int]]) -> None:
    same(told(of(_BOTH, order)), _MODES_TOGETHER)


SPACE = "pg://db:1"
_NAMES = ["raw", "clean", "features", "clean_link", "other"]


@st.composite
def runs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A few runs over few datasets, so that they meet: versions, symlinks, streams, failures, parents in circles."""
    events: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 5))):
        run = f"r{number}"
        begin = draw(st.integers(0, 40))
        streaming = draw(st.booleans()) and draw(st.booleans())
        parent = draw(st.sampled_from(["", "", "", "r0", "r1", "r2"]))
        kinds = draw(
            st.sampled_from(
                [
                    ["START", "COMPLETE"],
                    ["START", "RUNNING", "RUNNING"],
                    ["COMPLETE"],
                    ["START", "FAIL"],
                    ["OTHER", "START", "ABORT"],
                ]
            )
        )
        inputs, outputs = (draw(st.lists(st.sampled_from(_NAMES), max_size=2, unique=True)) for _ in range(2))
        for step, kind in enumerate(kinds):
            said = draw(st.sampled_from([(inputs, outputs), (inputs, []), ([], outputs), ([], [])]))
            parts = [tuple(draw(dataset(name)) for name in names) for names in said]
            events.append(
                event(
                    kind,
                    run,
                    begin + step * draw(st.integers(0, 9)),
                    inputs=parts[0],
                    outputs=parts[1],
                    parent=parent,
                    streaming=streaming,
                    run_facets={"custom": facet(step=step)},
                )
            )
    return events


@st.composite
def dataset(draw: st.DrawFn, name: str) -> dict[str, Any]:
    version = draw(st.sampled_from(["", "", "", "v1"]))
    symlinks = ("clean",) if name == "clean_link" and draw(st.booleans()) else ()
    more: dict[str, Any] = {}
    if draw(st.booleans()):
        more["schema"] = facet(fields=[{"name": f"c{draw(st.integers(0, 2))}"}])
    if draw(st.integers(0, 3)) == 0:
        keys = draw(st.lists(st.sampled_from(["pii", "gold"]), max_size=2, unique=True))
        more["tags"] = facet(tags=[{"key": key, "value": "true", "source": "USER"} for key in keys])
    if draw(st.integers(0, 4)) == 0:
        source = {"namespace": "pg://db:1", "name": draw(st.sampled_from(_NAMES)), "field": "a"}
        more["columnLineage"] = facet(fields={"a": {"inputFields": [source]}})
    return data(name, version=version, symlinks=symlinks, **more)


@settings(max_examples=3000 if _LONG else 15, deadline=None)
@given(st.data())
def test_events_in_any_order_and_number_make_the_same_record(drawn: st.DataObject) -> None:
    events = [packed(item) for item in drawn.draw(runs())]
    same(told(of(events, drawn.draw(arrivals(len(events))))), told([events]))


def split(store: Store, *, at: int) -> bool:
    """Take back that the two names are one dataset; whether they were."""
    with store.write() as tx:
        scope = Scope(tx=tx, store=store, blobs=None, namespace="project", actor="tester", at=at)
        try:
            joining.split(scope, joining.SplitRequest(a=f"{SPACE}/clean_link", b=f"{SPACE}/clean"))
        except (Conflict, NotFound):
            return False
    return True


@settings(max_examples=1000 if _LONG else 12, deadline=None)
@given(st.data())
def test_names_that_were_split_stay_two_whatever_comes_before_and_behind(drawn: st.DataObject) -> None:
    events = [packed(item) for item in drawn.draw(runs())]
    linking = packed(
        event("COMPLETE", "linking", 3, inputs=(data("clean_link", version="v1", symlinks=("clean",)),))
    )
    events.append(linking)
    portions = of(events, drawn.draw(arrivals(len(events))))
    known = next(number for number, portion in enumerate(portions) if linking in portion)
    behind = drawn.draw(st.integers(known, len(portions) - 1))
    with fresh() as store:
        for number, portion in enumerate(portions):
            take(store, portion, at=2 * number + 1)
            if number == behind:
                assert split(store, at=2 * number + 2)
        found = record(store)
    with fresh() as store:
        take(store, events, at=1)
        assert split(store, at=2)
        same(found, record(store))
    with fresh() as store:  # as if nobody had ever said that they are one
        bare = [json.loads(raw) for raw in events]
        for dataset in (item for one in bare for item in (*one["inputs"], *one["outputs"])):
            dataset.get("facets", {}).pop("symlinks", None)
        take(store, [packed(one) for one in bare], at=1)
        never = record(store)
    assert found["edges"] == never["edges"]
    assert found["joins"] == found["names"] == []


@settings(max_examples=1000 if _LONG else 10, deadline=None)
@given(st.data())
def test_reads_that_are_put_off_find_the_same_writes_in_the_end(drawn: st.DataObject) -> None:
    events = [packed(item) for item in drawn.draw(runs())]
    with portions_of(1):
        found = told(of(events, drawn.draw(arrivals(len(events)))))
    same(found, told([events]))


def test_inputs_at_the_start_or_at_the_end_are_the_same_inputs() -> None:
    def story(at_start: bool) -> list[bytes]:
        first, last = (("raw",), ()) if at_start else ((), ("raw",))
        return [
            packed(event("START", "w", 1, outputs=("raw",))),
            packed(event("COMPLETE", "w", 2)),
            packed(event("START", "r", 3, inputs=first, outputs=("clean",))),
            packed(event("COMPLETE", "r", 9, inputs=last)),
        ]

    assert told([story(at_start=True)])["edges"] == told([story(at_start=False)])["edges"]
