"""The query language takes in MLflow's: every filter valid there finds the same runs here. And no text makes it fail otherwise
than by saying where it cannot be read."""

from __future__ import annotations

import functools
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core import events as ev
from lineal.core.errors import Invalid
from lineal.core.query import Query
from lineal.core.query_text import parse
from lineal.doors.mlflow import filters
from lineal.doors.mlflow import search as door
from lineal.doors.mlflow.errors import MlflowError
from lineal.service import operations
from lineal.service.ingest import IngestRequest
from lineal.service.operations import Scope
from lineal.service.query import search
from lineal.store.conditions import Condition
from lineal.store.open import Store, open_store

KEYS = ["lr", "my key", "a.b", "é"]
TEXTS = ["adam", "Adam", "0.1", "", "it's", "50%", "a_b", "NaN"]
NAMES = ["data.csv", "Data.csv"]


@functools.cache
def store() -> Store:
    """60 runs with parameters, metrics, tags, states, inputs."""
    opened = open_store(str(Path(tempfile.mkdtemp(prefix="lineal-query-"), "lineal.db")))
    dice = random.Random(3)
    events: list[ev.Event] = []
    for number in range(60):
        run = f"{number:032x}"
        events.append(
            ev.RunStarted(
                run=run, namespace="p", job="train.py", at=dice.randrange(10) * 500, actor=dice.choice(TEXTS)
            )
        )
        for key in KEYS:
            if dice.random() < 0.7:
                events.append(ev.ParamSet(run=run, key=key, value=dice.choice(TEXTS), at=1))
            if dice.random() < 0.7:
                events.append(ev.TagSet(run=run, key=key, value=dice.choice(TEXTS), at=1))
            if dice.random() < 0.7:
                value = ev.MetricPoints(
                    run=run,
                    keys=[key],
                    key=bytes(4),
                    step=bytes(8),
                    at=bytes(8),
                    value=_double(dice.choice([0.1, 1.0, 2.5])),
                )
                events.append(value)
        if dice.random() < 0.5:
            events.append(ev.TagSet(run=run, key="mlflow.runName", value=dice.choice(TEXTS), at=1))
        if dice.random() < 0.2:
            events.append(ev.TagSet(run=run, key="lineal.scheduled", value="true", at=1))
        name = dice.choice(NAMES)
        digest = "sha256:" + name.encode().hex().ljust(64, "0")
        state = ev.VersionState(namespace="p", name=name, digest=digest, size=100)
        events.append(ev.VersionUsed(run=run, version=state, at=1, role=dice.choice(["train", "test"])))
        if dice.random() < 0.7:
            how = dice.choice([ev.State.FINISHED, ev.State.FAILED, ev.State.KILLED, ev.State.LOST])
            events.append(ev.RunEnded(run=run, at=dice.randrange(10) * 700, state=how))
    batch = ev.Batch(door="t", source="t", start=0, position=0, digest="", actor="", events=events)
    caller = operations.Caller("t", operations.ALL_PERMISSIONS)
    operations.call(
        operations.find("ingest", "ingest"), IngestRequest(batches=[batch]), store=opened, blobs=None, caller=caller,
        namespace="p", now=lambda: 1,
    )  # fmt: skip
    return opened


def _double(value: float) -> bytes:
    import struct

    return struct.pack("<d", value)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def key_of(draw: Any) -> str:
    key = draw(st.sampled_from(KEYS))
    return key if key.isalnum() and key.isascii() else draw(st.sampled_from([f"`{key}`", f'"{key}"']))


@st.composite
def comparisons(draw: Any) -> str:
    kind = draw(st.sampled_from(["metric", "text", "attribute", "time", "status", "dataset"]))
    number = draw(st.sampled_from(["0.1", "1", "2.5", "-3", "1e0", ".1", "2"]))
    numeric = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "==", "<>"]))
    textual = draw(st.sampled_from(["=", "!=", "LIKE", "ilike"]))
    text = draw(st.sampled_from([*TEXTS, "a%", "%a%", "_dam", "A%"]))
    listed = draw(st.sampled_from(["IN", "not in"]))
    texts = (
        "("
        + ", ".join(quoted(t) for t in draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3)))
        + ")"
    )
    null = draw(st.sampled_from(["IS NULL", "is not null"]))
    if kind == "metric":
        said = f"{draw(st.sampled_from(['metrics', 'metric']))}.{key_of(draw)}"
        return (
            f"{said} {null}" if draw(st.booleans()) and draw(st.booleans()) else f"{said} {numeric} {number}"
        )
    if kind == "text":
        said = f"{draw(st.sampled_from(['params', 'parameter', 'tags', 'tag']))}.{key_of(draw)}"
        return draw(
            st.sampled_from(
                [f"{said} {textual} {quoted(text)}", f"{said} {listed} {texts}", f"{said} {null}"]
            )
        )
    if kind == "attribute":
        head = draw(st.sampled_from(["", "attributes.", "attr.", "run."]))
        name = draw(st.sampled_from(["run_name", "user_id", "`run name`", "`Run Name`"]))
        return f"{head}{name} {draw(st.sampled_from([f'{textual} {quoted(text)}', f'{listed} {texts}']))}"
    if kind == "time":
        name = draw(st.sampled_from(["start_time", "end_time", "attributes.start_time", "created"]))
        return f"{name} {numeric} {draw(st.sampled_from(['0', '1', '2', '2.5', '3', '-1', '5']))}"
    if kind == "status":
        status = draw(
            st.sampled_from(["RUNNING", "FAILED", "FINISHED", "KILLED", "SCHEDULED", "F%", "failed", "%"])
        )
        return f"{draw(st.sampled_from(['', 'attribute.']))}status {textual} {quoted(status)}"
    what = draw(
        st.sampled_from(
            [f"name {textual} 'data.csv'", "name ilike 'DATA%'", "context = 'train'", "name in ('Data.csv')"]
        )
    )
    return f"{draw(st.sampled_from(['dataset', 'datasets']))}.{what}"


filters_of_mlflow = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "AND", "or", "OR"]), inner).map(" ".join),
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"not {one}" if not one.lower().startswith("not") else f"not ({one})"),
    ),
    max_leaves=6,
)


@settings(max_examples=250, deadline=None)
@given(filters_of_mlflow)
def test_every_filter_of_mlflow_finds_the_same_runs(text: str) -> None:
    opened = store()
    with opened.read() as tx:
        scope = Scope(tx=tx, store=opened, blobs=None, namespace="p", actor="t", at=1)
        try:
            expression = filters.parse(text)
        except MlflowError:
            return
        assert expression is not None
        terms: list[Condition] = [door.condition(scope, expression)]
        there = opened.search.search_runs(tx, terms, order=[], limit=100)
        here, _ = search(scope, "runs", text, limit=100)
    assert here == there


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=60), st.text("andorinotlikefmusegx.'\"`()=<>!~,:%as 0123", max_size=60)))
def test_any_text_is_read_or_refused_with_the_place(text: str) -> None:
    refused = None
    try:
        assert isinstance(parse(text), Query)
    except Invalid as error:
        refused = error
    assert refused is None or 1 <= int(refused.subject["position"]) <= len(text) + 1
