"""A batch of events makes the record that the same events make when each comes by itself, on both engines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.core import events as ev
from lineal.service.ingest import IngestRequest, ingest
from lineal.service.operations import Scope
from lineal.store.open import Store, open_store
from tests.store import postgres_server

SOAK = bool(os.environ.get("LINEAL_SOAK"))
RUN = st.sampled_from(["a", "b", "c"])
AT = st.integers(1, 5)
KEY = st.sampled_from(["k", "\x00"])
VALUE = st.sampled_from(["1", "x"])
VERSION = st.builds(
    ev.VersionState,
    namespace=st.just("n"),
    name=st.sampled_from(["t", "u"]),
    digest=st.sampled_from(["sha256:1", "sha256:2"]),
    size=st.sampled_from([None, 100]),
    references=st.sampled_from([[], [ev.Reference(scheme="pach", value="p", level=ev.Level.NATIVE)]]),
)
EVENTS = st.one_of(
    st.builds(
        ev.RunStarted,
        run=RUN,
        namespace=st.just("n"),
        job=st.sampled_from(["", "j", "i"]),
        at=AT,
        name=st.sampled_from(["", "one", "two"]),
        parent=st.sampled_from([None, None, "a", "b"]),
        group=st.sampled_from([None, "g"]),
        actor=st.sampled_from(["", "ada"]),
    ),
    st.builds(
        ev.RunEnded,
        run=RUN,
        at=AT,
        state=st.sampled_from(ev.State),
        exit_code=st.sampled_from([None, 1]),
        error=st.sampled_from([None, ev.ErrorInfo(type="E", message="m")]),
    ),
    st.builds(ev.ParamSet, run=RUN, key=KEY, value=VALUE, at=AT),
    st.builds(ev.TagSet, run=RUN, key=KEY, value=VALUE, at=AT),
    st.builds(
        ev.FacetSet,
        run=RUN,
        name=st.sampled_from(["f", "g"]),
        body=st.sampled_from([msgspec.Raw(b"1"), msgspec.Raw(b"2")]),
        at=AT,
    ),
    st.builds(ev.VersionUsed, run=RUN, version=VERSION, at=AT),
    st.builds(ev.VersionGenerated, run=RUN, version=VERSION, at=AT),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """Two stores: the first takes batches, the second each event by itself."""
    folder = tmp_path_factory.mktemp("stores")
    yield from opened([str(folder / f"{number}.db") for number in range(2)])


@pytest.fixture(scope="module")
def schemas() -> Iterator[list[Store]]:
    """Two likewise on PostgreSQL."""
    if reason := postgres_server.absent():
        pytest.skip(f"PostgreSQL is not installed: {reason}")
    places = [postgres_server.server().schema() for _ in range(2)]
    yield from opened(places)
    for place in places:
        postgres_server.server().drop(place)


def opened(places: list[str]) -> Iterator[list[Store]]:
    stores = [open_store(place) for place in places]
    yield stores
    for store in stores:
        assert store.check() == []
        store.close()


def take(store: Store, events: list[ev.Event]) -> None:
    batch = ev.Batch(door="test", source="s", start=0, position=0, digest="", actor="", events=events)
    with store.write() as tx:
        scope = Scope(
            tx=tx,
            store=store,
            blobs=None,
            namespace="n",
            actor="ada",
            at=7,
            grants=frozenset({"record:write"}),
            door="test",
        )
        ingest(scope, IngestRequest(batches=[batch]))


def placed(event: ev.Event, place: str) -> ev.Event:
    """The event with names of this example alone."""

    def own(value: Any, name: str) -> Any:
        if isinstance(value, ev.VersionState):
            references = [msgspec.structs.replace(r, value=place) for r in value.references]
            digest = f"{value.digest}{place}"
            return msgspec.structs.replace(value, namespace=place, digest=digest, references=references)
        return f"{place}{value}" if name in ("run", "parent", "group") and value else value

    return msgspec.structs.replace(
        event, **{f: own(getattr(event, f), f) for f in event.__struct_fields__ if f != "body"}
    )


def told(store: Store, place: str) -> Any:
    """All that the store says of an example's runs and versions, without the numbers of its rows."""
    with store.read() as tx:
        runs = {
            node: run_id
            for run_id, node in tx.rows("SELECT run_id, node FROM run")
            if run_id.startswith(place)
        }
        records = store.runs.get_runs(tx, list(runs))
        names: dict[int, Any] = dict(runs)
        versions = [v for name in ("t", "u") for v in store.artifacts.list_versions(tx, place, name)]
        names |= {v.node: (v.name, v.digest) for v in versions}
        nodes = list(names)
        states = (
            "SELECT revision, state, at, exit_code, retracted_at FROM run_state WHERE node = :n ORDER BY 1"
        )
        facets = {n: store.attributes.get_facets(tx, n) for n in nodes}
        groups = store.groups.list_groups_of(tx, nodes)
        return (
            {
                names[n]: (r.job, r.name, r.kind, r.actor, r.started_at, r.state, r.ended_at, r.error)
                for n, r in records.items()
            },
            {names[n]: None if r.parent is None else names[r.parent] for n, r in records.items()},
            {names[n]: tx.rows(states, n=n) for n in runs},
            {names[n]: said for n, said in store.attributes.get_params(tx, nodes).items()},
            {names[n]: said for n, said in store.attributes.get_tags(tx, nodes).items()},
            {names[n]: [(f.name, bytes(f.body)) for f in facets[n] if f.name in "fg"] for n in nodes},
            sorted((names[n], group) for n, group in groups),
            sorted((v.name, v.digest, v.number, v.size) for v in versions),
            sorted(
                (str(names[e.src]), str(names[e.dst]), int(e.kind), e.at, e.role, e.rule)
                for e in store.edges.get_in(tx, nodes)
            ),
            tx.value("SELECT count(*) FROM attribute"),
            tx.value("SELECT count(*) FROM meeting"),
        )


BATCHES = st.lists(st.lists(EVENTS, max_size=7), min_size=1, max_size=2)


@settings(max_examples=1000 if SOAK else 30, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=BATCHES)
def test_a_batch_says_what_its_events_say_one_after_the_other(
    batches: list[list[ev.Event]], files: list[Store]
) -> None:
    hold(batches, files)


@settings(max_examples=200 if SOAK else 5, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=BATCHES)
def test_a_batch_says_the_same_on_postgresql(batches: list[list[ev.Event]], schemas: list[Store]) -> None:
    hold(batches, schemas)


def hold(batches: list[list[ev.Event]], stores: list[Store]) -> None:
    """The same events, in batches and one by one, make one record."""
    place = os.urandom(8).hex()
    together, apart = stores
    for batch in batches:
        events = [placed(event, place) for event in batch]
        take(together, events)
        for event in events:
            take(apart, [event])
    assert told(together, place) == told(apart, place)
