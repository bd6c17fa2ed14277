"""Joins and splits on both engines, beside a plain model: whatever the order of joins, splits and late edges, a walk of now and of
every past moment finds the edges between the vertices that stood for their ends then."""

from __future__ import annotations

import functools
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lineal.core.events import Evidence
from lineal.core.meeting import components
from lineal.core.model import Edge, EdgeKind, NodeKind
from lineal.store.nodes import add_node
from lineal.store.open import Store
from tests.props.both import open_both

SOAK = bool(os.environ.get("LINEAL_SOAK"))
VERSIONS = st.integers(0, 5)
RUNS = st.integers(6, 8)
RULES = st.sampled_from(["native-reference", "by-hand"])


@functools.cache
def stores() -> tuple[Store, ...]:
    return open_both()


class Beside(RuleBasedStateMachine):
    """Six versions and three runs in each store, and the same in a model of plain sets."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0
        self.nodes: list[list[int]] = []
        for store in stores():
            with store.write() as tx:
                kinds = [NodeKind.VERSION] * 6 + [NodeKind.RUN] * 3
                self.nodes.append([add_node(tx, kind) for kind in kinds])
        self.joins: dict[tuple[int, int, str], list[list[int | None]]] = {}
        self.apart: set[tuple[int, int]] = set()
        self.edges: dict[tuple[int, int, int], int] = {}

    def standing(self, at: int | None) -> set[tuple[int, int]]:
        return {
            (a, b)
            for (a, b, _), spans in self.joins.items()
            for begin, end in spans
            if (end is None if at is None else (begin or 0) <= at and (end is None or end > at))
        }

    @rule(one=VERSIONS, other=VERSIONS, name=RULES)
    def join(self, one: int, other: int, name: str) -> None:
        self._join(one, other, name)

    @rule(one=RUNS, other=RUNS, name=RULES)
    def join_runs(self, one: int, other: int, name: str) -> None:
        self._join(one, other, name)

    def _join(self, one: int, other: int, name: str) -> None:
        self.at += 1
        a, b = sorted((one, other))
        spans = self.joins.setdefault((a, b, name), [])
        expected = a != b and (a, b) not in self.apart and not (spans and spans[-1][1] is None)
        if expected:
            spans.append([self.at, None])
        for store, nodes in zip(stores(), self.nodes, strict=True):
            with store.write() as tx:
                added = store.joins.add_meeting(
                    tx, nodes[one], nodes[other], rule=name, evidence=Evidence.INFERRED, said="", actor="", at=self.at
                )  # fmt: skip
            assert added == expected

    @rule(one=VERSIONS, other=VERSIONS)
    def split(self, one: int, other: int) -> None:
        self.at += 1
        a, b = sorted((one, other))
        if a == b:
            return
        ended = 0
        for (low, high, _), spans in self.joins.items():
            if (low, high) == (a, b) and spans and spans[-1][1] is None:
                spans[-1][1] = self.at
                ended += 1
        self.apart.add((a, b))
        for store, nodes in zip(stores(), self.nodes, strict=True):
            with store.write() as tx:
                gone = store.joins.retract_meetings(
                    tx, nodes[one], nodes[other], apart=False, actor="", reason="", at=self.at
                )
                store.joins.add_meeting(
                    tx, nodes[one], nodes[other], rule="by-hand", evidence=Evidence.DECLARED, said="", actor="", at=self.at,
                    apart=True,
                )  # fmt: skip
            assert gone == ended

    @rule(one=VERSIONS, other=VERSIONS)
    def allow(self, one: int, other: int) -> None:
        self.at += 1
        self.apart.discard((min(one, other), max(one, other)))
        for store, nodes in zip(stores(), self.nodes, strict=True):
            with store.write() as tx:
                store.joins.retract_meetings(
                    tx, nodes[one], nodes[other], apart=True, actor="", reason="", at=self.at
                )

    @rule(version=VERSIONS, run=RUNS, made=st.booleans())
    def late_edge(self, version: int, run: int, made: bool) -> None:
        self.at += 1
        src, dst, kind = (run, version, 2) if made else (version, run, 1)
        fresh = (src, dst, kind) not in self.edges
        self.edges.setdefault((src, dst, kind), self.at)
        for store, nodes in zip(stores(), self.nodes, strict=True):
            edge = Edge(src=nodes[src], dst=nodes[dst], kind=EdgeKind(kind), at=1)
            with store.write() as tx:
                assert store.edges.add_edges(tx, [edge], recorded_at=self.at) == fresh

    def expected(self, at: int | None) -> list[tuple[int, int, int]]:
        first = components(self.standing(at))
        return sorted(
            (first.get(src, src), first.get(dst, dst), kind)
            for (src, dst, kind), since in self.edges.items()
            if at is None or since <= at
        )

    @invariant()
    def every_moment_is_found_as_it_was(self) -> None:
        for store, nodes in zip(stores(), self.nodes, strict=True):
            place = {node: index for index, node in enumerate(nodes)}
            with store.read() as tx:
                for at in {None, self.at, self.at // 2, max(0, self.at - 1)}:
                    for ask in (store.edges.get_in, store.edges.get_out):
                        found = ask(tx, nodes, as_of=at)
                        told = sorted((place[e.src], place[e.dst], int(e.kind)) for e in found)
                        assert told == self.expected(at)
                    first = components(self.standing(at))
                    stands = store.joins.canonical(tx, nodes, as_of=at)
                    assert {place[a]: place[b] for a, b in stands.items()} == {
                        node: other for node, other in first.items() if node != other
                    }


def test_joins_splits_and_late_edges_are_found_at_every_moment() -> None:
    run_state_machine_as_test(
        Beside,
        settings=settings(
            max_examples=300 if SOAK else 12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
