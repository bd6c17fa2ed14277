"""Versions, references and facets given many at once are what they are when given one after the other, on both engines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.core.events import Level, Member, Reference, VersionState
from lineal.store.open import Store, open_store
from lineal.store.tx import Tx
from tests.store import postgres_server

SOAK = bool(os.environ.get("LINEAL_SOAK"))
REFERENCES = st.builds(
    Reference,
    scheme=st.sampled_from(["sha256", "git"]),
    value=st.sampled_from(["a", "b\x01"]),
    level=st.sampled_from([Level.CONTENT, Level.DECLARED]),
)
STATES = st.builds(
    VersionState,
    namespace=st.sampled_from(["n", "m"]),
    name=st.sampled_from(["a", "b", "\x00", "x" * 120]),
    kind=st.sampled_from(["dataset", "other", "", "model", "report\x01"]),
    digest=st.sampled_from([None, "1", "2", '"\x00\\\u00e9']),
    level=st.sampled_from(Level),
    reason=st.sampled_from(["", "why\x00"]),
    size=st.sampled_from([None, 0, 2**40]),
    location=st.sampled_from(["", "file:///a", "\x01"]),
    references=st.lists(REFERENCES, max_size=3),
    members=st.lists(st.sampled_from([Member(path=p, digest=p, size=1) for p in ("p", "q\x00")]), max_size=2),
)
_KIND = (
    "SELECT COALESCE(w.body, w.name) FROM version v JOIN artifact a ON a.id = v.artifact JOIN word w ON w.id = a.kind "
    "WHERE v.node = :node"
)
FACETS = st.tuples(st.integers(0, 3), st.sampled_from(["schema", "\x00"]), st.sampled_from([b"1", b"2"]))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """Two stores of each engine: the first takes many at once, the second one after the other."""
    folder = tmp_path_factory.mktemp("stores")
    places = [str(folder / f"{number}.db") for number in range(2)]
    if not postgres_server.absent():
        places += [postgres_server.server().schema() for _ in range(2)]
    opened = [open_store(place) for place in places]
    yield opened
    for store in opened:
        assert store.check() == []
        store.close()
    for place in places[2:]:
        postgres_server.server().drop(place)


def one_by_one(
    store: Store, tx: Tx, states: list[VersionState], *, recorded_at: int
) -> list[tuple[int, bool]]:
    made = []
    for said in states:
        what: dict[str, Any] = {
            name: getattr(said, name)
            for name in ("namespace", "name", "kind", "digest", "level", "reason", "size", "location")
        }
        node, existed = store.artifacts.add_version(tx, **what, recorded_at=recorded_at)
        store.artifacts.add_references(tx, node, said.references, at=recorded_at)
        if not existed:
            store.artifacts.add_members(tx, node, said.members)
        made.append((node, existed))
    return made


def told(store: Store, nodes: list[int]) -> list[Any]:
    """All that the store says of these versions, without the numbers of its rows."""
    with store.read() as tx:
        versions = store.artifacts.get_versions(tx, nodes)
        references = store.artifacts.get_references(tx, nodes)
        return [
            (
                *(getattr(versions[n], name) for name in ("namespace", "name", "kind", "number", "digest")),
                *(
                    getattr(versions[n], name)
                    for name in ("level", "reason", "size", "location", "recorded_at")
                ),
                sorted((r.scheme, r.value, r.level) for r in references.get(n, [])),
                store.artifacts.get_members(tx, n),
                [(f.name, bytes(f.body), f.recorded_at) for f in store.attributes.get_facets(tx, n)],
                tx.value(_KIND, node=n),
                tx.value("SELECT count(*) FROM facet"),
                tx.value("SELECT count(*) FROM reference"),
            )
            for n in nodes
        ]


@settings(max_examples=1000 if SOAK else 40, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.tuples(st.lists(STATES, max_size=7), st.lists(FACETS, max_size=4)), max_size=4))
def test_many_at_once_are_what_they_are_one_by_one(
    batches: list[tuple[list[VersionState], list[tuple[int, str, bytes]]]], stores: list[Store]
) -> None:
    place = os.urandom(8).hex()  # every example has names of its own
    nodes: list[list[int]] = [[] for _ in stores]
    for number, (states, facets) in enumerate(batches):
        states = [msgspec.structs.replace(s, namespace=place + s.namespace) for s in states]
        existed = []
        for store, mine, bulk in zip(stores, nodes, [True, False] * 2, strict=False):
            with store.write() as tx:
                take = store.artifacts.add_versions if bulk else partial(one_by_one, store)
                made = take(tx, states, recorded_at=number)
                mine += [node for node, _ in made]
                given = [(mine[n], name, body) for n, name, body in facets if n < len(mine)]
                if bulk:
                    store.attributes.add_facets(tx, given, at=number)
                else:
                    for node, name, body in given:
                        store.attributes.add_facet(tx, node, name, body, at=number)
            existed.append([old for _, old in made])
        assert existed == [existed[0]] * len(stores)
    shapes = [[mine.index(node) for node in mine] for mine in nodes]
    assert shapes == [shapes[0]] * len(stores)  # the same vertices were named again in the same places
    answers = [told(store, mine) for store, mine in zip(stores, nodes, strict=True)]
    for answer in answers[1:]:
        assert answer == answers[0]
