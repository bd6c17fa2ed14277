"""The store, on both engines at once, against plain dicts: whatever happens in whatever order, all three say the same."""

from __future__ import annotations

import math
import os
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from lineal.core.errors import Conflict
from lineal.core.events import Level, State
from lineal.core.model import Attribute, Edge, EdgeKind
from lineal.store.open import Store, open_store
from tests.store import postgres_server

SOAK = bool(os.environ.get("LINEAL_SOAK"))
KEYS = st.sampled_from(["lr", "", "a.b", "\x00", "é", "k" * 120])
VALUES = st.sampled_from(["0.1", "0.10", "", "adam", "\x00\x01", "x" * 2000]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=5
)
I64 = st.sampled_from([-(2**63), -1, 0, 1, 2, 2**63 - 1])
FLOATS = st.floats(width=64) | st.sampled_from([math.nan, math.inf, -math.inf, -0.0])


@dataclass
class Interval:
    """A row of the history."""

    value: Any
    recorded_at: int
    retracted_at: float = math.inf

    def stood(self, at: float) -> bool:
        return self.recorded_at <= at and (at < self.retracted_at or self.retracted_at == math.inf)


@dataclass
class Model:
    """What the store should know. Vertices are counted from 0 in the order in which they were made."""

    runs: dict[str, int] = field(default_factory=dict)
    versions: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    made: int = 0
    history: dict[tuple[Any, ...], list[Interval]] = field(default_factory=dict)
    points: dict[tuple[int, str], list[tuple[int, int, bytes]]] = field(default_factory=dict)

    def set(self, subject: tuple[Any, ...], value: Any, at: int) -> None:
        rows = self.history.setdefault(subject, [])
        if rows and rows[-1].retracted_at == math.inf:
            if rows[-1].value == value:
                return
            rows[-1].retracted_at = at
        rows.append(Interval(value, at))

    def standing(self, kind: str, at: float) -> dict[tuple[Any, ...], Any]:
        return {
            subject[1:]: row.value
            for subject, rows in self.history.items()
            for row in rows
            if subject[0] == kind and row.stood(at)
        }


class StoreAgreement(RuleBasedStateMachine):
    runs = Bundle("runs")
    versions = Bundle("versions")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        places = [str(Path(self.folder.name, "lineal.db"))]
        if not postgres_server.absent():
            places.append(postgres_server.server().schema())
        self.places = places
        self.stores = [open_store(place) for place in places]
        self.model = Model()
        self.nodes: list[list[int]] = [[] for _ in places]  # by store: the vertex of each of the model's
        self.now = 1000

    def teardown(self) -> None:
        for store in getattr(self, "stores", []):
            store.close()
        for place in getattr(self, "places", [])[1:]:
            postgres_server.server().drop(place)
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def _each(self) -> list[tuple[Store, list[int]]]:
        return list(zip(self.stores, self.nodes, strict=True))

    def _numbered(self, made: list[int], existed: bool) -> int:
        """The model's number of the vertex that every store gave."""
        if existed:
            (number,) = {nodes.index(node) for (_, nodes), node in zip(self._each(), made, strict=True)}
            return number
        for (_, nodes), node in zip(self._each(), made, strict=True):
            assert node not in nodes
            nodes.append(node)
        self.model.made += 1
        return self.model.made - 1

    @rule()
    def time_passes(self) -> None:
        self.now += 10

    @rule(target=runs, run=st.integers(0, 5))
    def add_run(self, run: int) -> int:
        run_id = f"{run:032x}"
        made = []
        for store, _ in self._each():
            with store.write() as tx:
                said = {"namespace": "n", "job": "j", "name": "", "kind": "run", "parent": None, "actor": "a"}
                made.append(store.runs.add_run(tx, run_id, started_at=run, recorded_at=self.now, **said))  # type: ignore[arg-type]
        number = self._numbered(made, run_id in self.model.runs)
        if run_id not in self.model.runs:
            self.model.runs[run_id] = number
            self.model.set(("state", number), (State.RUNNING, None), self.now)
        return number

    @rule(target=versions, name=st.sampled_from(["a", "b"]), digest=st.sampled_from(["1", "2", "\x00"]))
    def add_version(self, name: str, digest: str) -> int:
        made, told = [], []
        for store, _ in self._each():
            with store.write() as tx:
                node, existed = store.artifacts.add_version(
                    tx,
                    namespace="n",
                    name=name,
                    kind="dataset",
                    digest=digest,
                    level=Level.CONTENT,
                    reason="",
                    size=None,
                    location="",
                    recorded_at=self.now,
                )
                made.append(node)
                told.append(existed)
        known = self.model.versions.get((name, digest))
        assert set(told) == {known is not None}
        number = self._numbered(made, known is not None)
        if known is None:
            count = sum(1 for artifact, _ in self.model.versions if artifact == name)
            self.model.versions[name, digest] = (number, count + 1)
        return number

    @rule(
        run=runs,
        scope=st.sampled_from(["params", "tags"]),
        given=st.lists(st.tuples(KEYS, VALUES), max_size=4),
    )
    def set_attributes(self, run: int, scope: str, given: list[tuple[str, str]]) -> None:
        items = [Attribute(key=key, value=value) for key, value in given]
        for store, nodes in self._each():
            with store.write() as tx:
                put = store.attributes.add_params if scope == "params" else store.attributes.set_tags
                put(tx, nodes[run], items, at=self.now)
        for key, value in given:
            self.model.set((scope, run, key), value, self.now)

    @rule(run=runs, state=st.sampled_from(State), at=st.integers(0, 3))
    def set_state(self, run: int, state: State, at: int) -> None:
        told = set()
        for store, nodes in self._each():
            with store.write() as tx:
                told.add(store.runs.set_state(tx, nodes[run], state, at=at, recorded_at=self.now))
        assert len(told) == 1
        if told.pop():
            self.model.set(("state", run), (state, None if state is State.RUNNING else at), self.now)

    @rule(
        run=runs,
        version=versions,
        generates=st.booleans(),
        role=st.sampled_from(["", "x"]),
        at=st.integers(0, 9),
    )
    def add_edge(self, run: int, version: int, generates: bool, role: str, at: int) -> None:
        src, dst = (run, version) if generates else (version, run)
        kind = EdgeKind.GENERATED if generates else EdgeKind.USED
        rows = self.model.history.setdefault(("edge", src, dst, kind, role), [])
        stands = bool(rows) and rows[-1].retracted_at == math.inf
        for store, nodes in self._each():
            with store.write() as tx:
                edge = Edge(src=nodes[src], dst=nodes[dst], kind=kind, at=at, role=role)
                assert store.edges.add_edges(tx, [edge, edge], recorded_at=self.now) == (0 if stands else 1)
        if not stands:
            rows.append(Interval(at, self.now))

    @rule(run=runs, version=versions, generates=st.booleans())
    def retract_edge(self, run: int, version: int, generates: bool) -> None:
        src, dst = (run, version) if generates else (version, run)
        kind = EdgeKind.GENERATED if generates else EdgeKind.USED
        for store, nodes in self._each():
            with store.write() as tx:
                store.edges.retract_edge(tx, nodes[src], nodes[dst], kind, "", at=self.now)
        for role in ("", "x"):
            for row in self.model.history.get(("edge", src, dst, kind, role), []):
                row.retracted_at = min(row.retracted_at, self.now)

    @rule(version=versions, alias=st.sampled_from(["champion", "\x01"]), expect=st.none() | st.integers(0, 2))
    def move_alias(self, version: int, alias: str, expect: int | None) -> None:
        rows = self.model.history.setdefault(("alias", alias), [])
        now = len(rows)
        refused = set()
        for store, nodes in self._each():
            with store.write() as tx:
                number = store.registry.register(tx, "m", nodes[version], actor="", at=self.now).number
                try:
                    moved = store.registry.move_alias(
                        tx, "m", alias, number, expect=expect, actor="", reason="", at=self.now
                    )
                    refused.add(False)
                    assert moved.revision == now + 1
                except Conflict:
                    refused.add(True)
        assert refused == {expect is not None and expect != now}
        if not refused.pop():
            if rows:
                rows[-1].retracted_at = self.now
            rows.append(Interval(version, self.now))

    @rule(run=runs, key=KEYS, given=st.lists(st.tuples(I64, I64, FLOATS), min_size=1, max_size=6))
    def add_points(self, run: int, key: str, given: list[tuple[int, int, float]]) -> None:
        count = len(given)
        columns = [
            struct.pack(f"<{count}{code}", *(point[i] for point in given)) for i, code in enumerate("qqd")
        ]
        for store, nodes in self._each():
            with store.write() as tx:
                store.metrics.add_points(tx, nodes[run], [key], bytes(4 * count), *columns)
        told = self.model.points.setdefault((run, key), [])
        told += [(step, at, struct.pack("<d", value)) for step, at, value in given]

    @rule(run=runs)
    def seal(self, run: int) -> None:
        for store, nodes in self._each():
            with store.write() as tx:
                store.metrics.seal(tx, nodes[run])

    @rule(name=st.sampled_from(["a", "b"]))
    def nothing_remains_of_a_write_that_failed(self, name: str) -> None:
        for store, nodes in self._each():
            with pytest.raises(ZeroDivisionError):
                self._fail(store, nodes, name)

    def _fail(self, store: Store, nodes: list[int], name: str) -> None:
        with store.write() as tx:
            if nodes:
                store.attributes.set_tags(tx, nodes[0], [Attribute(key=name, value="never")], at=self.now)
                store.runs.add_deleted(tx, nodes[0], actor="", reason="", at=self.now)
            raise ZeroDivisionError

    @rule()
    def open_again(self) -> None:
        for store in self.stores:
            store.close()
        self.stores = [open_store(place) for place in self.places]

    @rule(ago=st.none() | st.integers(0, 60))
    def all_say_the_same(self, ago: int | None) -> None:
        as_of = None if ago is None else self.now - ago
        at = math.inf if as_of is None else as_of
        state, params, tags, edges, aliases = (
            self.model.standing(kind, at) for kind in ("state", "params", "tags", "edge", "alias")
        )
        for store, nodes in self._each():
            number = {node: i for i, node in enumerate(nodes)}
            with store.read() as tx:
                got_runs = store.runs.get_runs(tx, nodes, as_of=as_of)
                assert {(number[n],): (r.state, r.ended_at) for n, r in got_runs.items()} == state
                for wanted, read in (
                    (params, store.attributes.get_params(tx, nodes, as_of=as_of)),
                    (tags, store.attributes.get_tags(tx, nodes, as_of=as_of)),
                ):
                    got = {(number[n], item.key): item.value for n, items in read.items() for item in items}
                    assert got == wanted
                for found in (
                    store.edges.get_in(tx, nodes, as_of=as_of),
                    store.edges.get_out(tx, nodes, as_of=as_of),
                ):
                    assert {(number[e.src], number[e.dst], e.kind, e.role): e.at for e in found} == edges
                    assert len(found) == len(edges)
                for alias in ("champion", "\x01"):
                    record = store.registry.get_alias(tx, "m", alias, as_of=as_of)
                    assert (record and number[record.node]) == aliases.get((alias,))
                if as_of is None:
                    self._say_the_same_now(store, nodes, number, edges)

    def _say_the_same_now(
        self, store: Store, nodes: list[int], number: dict[int, int], edges: dict[tuple[Any, ...], Any]
    ) -> None:
        with store.read() as tx:
            got = {
                (v.name, v.digest): (number[v.node], v.number)
                for v in store.artifacts.get_versions(tx, nodes).values()
            }
            assert got == self.model.versions
            for (run, key), told in self.model.points.items():
                wanted = sorted(told, key=lambda point: point[:2])
                step, at, value = store.metrics.get_points(tx, nodes[run], key)
                bits = [value[i : i + 1].tobytes() for i in range(len(value))]
                assert list(zip(step.tolist(), at.tolist(), bits, strict=True)) == wanted
            for node, summaries in store.metrics.get_summaries(tx, nodes).items():
                for summary in summaries:
                    _check_summary(summary, self.model.points[number[node], summary.key])
            for start in nodes:
                up, cut = store.edges.upstream(tx, start, depth=99, budget=99)
                assert not cut
                assert {(number[e.src], number[e.dst]) for e in up} == _ancestors(number[start], edges)

    @rule()
    def nothing_is_broken(self) -> None:
        for store in self.stores:
            assert store.check() == []


def _check_summary(summary: Any, told: list[tuple[int, int, bytes]]) -> None:
    newest = max(point[:2] for point in told)
    values = [struct.unpack("<d", bits)[0] for _, _, bits in told]
    known = [value for value in values if not math.isnan(value)]
    tied = [value for value, point in zip(values, told, strict=True) if point[:2] == newest]
    last = max((value for value in tied if not math.isnan(value)), default=math.nan)
    assert (summary.count, summary.last_step, summary.last_at) == (len(told), *newest)
    assert summary.last == last or (math.isnan(summary.last) and math.isnan(last))
    assert summary.minimum == min(known) if known else math.isnan(summary.minimum)
    assert summary.maximum == max(known) if known else math.isnan(summary.maximum)


def _ancestors(start: int, edges: dict[tuple[Any, ...], Any]) -> set[tuple[int, int]]:
    reached, found = {start}, set()
    frontier = [start]
    while frontier:
        node = frontier.pop()
        for src, dst, *_ in edges:
            if dst == node:
                found.add((src, dst))
                if src not in reached:
                    reached.add(src)
                    frontier.append(src)
    return found


StoreAgreement.TestCase.settings = settings(
    max_examples=400 if SOAK else 20,
    stateful_step_count=60 if SOAK else 35,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_the_store_says_what_plain_dicts_say = StoreAgreement.TestCase
