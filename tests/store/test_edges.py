from __future__ import annotations

import pytest

from lineal.core.errors import Invalid
from lineal.core.events import Evidence
from lineal.core.model import Edge, EdgeKind
from lineal.store.open import Store
from lineal.store.tx import Tx
from tests.store.making import generated, used


def ends(answer: tuple[list[Edge], bool]) -> tuple[set[tuple[int, int]], bool]:
    return {(edge.src, edge.dst) for edge in answer[0]}, answer[1]


def chain(store: Store, tx: Tx, length: int) -> None:
    """Vertices 1 -> 2 -> ... -> length."""
    store.edges.add_edges(tx, [used(i, i + 1) for i in range(1, length)], recorded_at=1)


def test_an_edge_comes_back_with_its_evidence(store: Store) -> None:
    edge = Edge(
        src=5,
        dst=6,
        kind=EdgeKind.DERIVED,
        at=-3,
        role="copy",
        evidence=Evidence.INFERRED,
        via="audit pandas.read_csv",
        rule="same-bytes",
        again=True,
        batch=9,
    )
    with store.write() as tx:
        assert store.edges.add_edges(tx, [edge], recorded_at=77) == 1
        assert store.edges.add_edges(tx, [], recorded_at=77) == 0
    with store.read() as tx:
        (got,) = store.edges.get_in(tx, [6, 5])
        assert store.edges.get_out(tx, [5]) == [got]
        assert store.edges.get_in(tx, [5]) == store.edges.get_out(tx, []) == []
    assert got == Edge(**{name: getattr(edge, name) for name in edge.__struct_fields__} | {"recorded_at": 77})


def test_the_same_edge_again_is_one_fact_and_the_first_stays(store: Store) -> None:
    with store.write() as tx:
        first = used(1, 2, at=10)
        assert store.edges.add_edges(tx, [first, used(1, 2, at=5), used(1, 2, at=99)], recorded_at=1) == 1
        assert (
            store.edges.add_edges(tx, [used(1, 2, at=7), used(1, 2, at=7, role="model")], recorded_at=2) == 1
        )
        assert store.edges.add_edges(tx, [generated(2, 1), generated(2, 1)], recorded_at=3) == 1
        assert [(e.at, e.role, e.recorded_at) for e in store.edges.get_in(tx, [2])] == [
            (7, "model", 2),
            (10, "input", 1),
        ]


def test_a_retracted_edge_is_still_seen_as_of_before_and_can_be_added_again(store: Store) -> None:
    with store.write() as tx:
        store.edges.add_edges(tx, [used(1, 2), used(1, 2, role="model"), generated(1, 2)], recorded_at=10)
        store.edges.retract_edge(tx, 1, 2, EdgeKind.USED, "", at=20)
        store.edges.retract_edge(tx, 1, 2, EdgeKind.GENERATED, "other rule", at=20)
        store.edges.retract_edge(tx, 1, 2, EdgeKind.USED, "", at=25)
        assert store.edges.add_edges(tx, [used(1, 2, at=8)], recorded_at=30) == 1
        store.edges.retract_edge(tx, 1, 2, EdgeKind.USED, "", at=30)
        assert store.edges.add_edges(tx, [used(1, 2, at=9), used(1, 2, at=9)], recorded_at=30) == 1
    with store.read() as tx:

        def known(as_of: int | None) -> list[tuple[str, int]]:
            return [(e.role, e.at) for e in store.edges.get_in(tx, [2], as_of=as_of)]

        assert known(9) == []
        assert sorted(known(19)) == [("input", 1), ("model", 1), ("output", 1)]
        assert known(20) == known(29) == [("output", 1)]
        assert known(None) == known(30) == [("output", 1), ("input", 9)]


def test_a_walk_follows_the_edges_in_its_direction_only(store: Store) -> None:
    with store.write() as tx:
        chain(store, tx, 5)
        store.edges.add_edges(tx, [used(9, 3), used(3, 8)], recorded_at=1)
    with store.read() as tx:
        assert ends(store.edges.upstream(tx, 4, depth=9, budget=99)) == (
            {(1, 2), (2, 3), (9, 3), (3, 4)},
            False,
        )
        assert ends(store.edges.downstream(tx, 3, depth=9, budget=99)) == ({(3, 4), (4, 5), (3, 8)}, False)
        assert ends(store.edges.upstream(tx, 1, depth=9, budget=99)) == (set(), False)
        assert ends(store.edges.upstream(tx, 777, depth=9, budget=99)) == (set(), False)


def test_depth_counts_hops(store: Store) -> None:
    with store.write() as tx:
        chain(store, tx, 6)
        store.edges.add_edges(tx, [used(2, 6)], recorded_at=1)
    with store.read() as tx:

        def walk(depth: int) -> tuple[set[tuple[int, int]], bool]:
            return ends(store.edges.upstream(tx, 6, depth=depth, budget=99))

        assert walk(0) == (set(), False)
        assert walk(1) == ({(5, 6), (2, 6)}, False)
        assert walk(2) == ({(5, 6), (2, 6), (4, 5), (1, 2)}, False)
        assert walk(3) == ({(5, 6), (2, 6), (4, 5), (1, 2), (3, 4)}, False)
        assert walk(4) == walk(99) == ({(5, 6), (2, 6), (4, 5), (1, 2), (3, 4), (2, 3)}, False)


def test_a_walk_in_a_cycle_ends(store: Store) -> None:
    with store.write() as tx:
        chain(store, tx, 3)
        store.edges.add_edges(tx, [used(3, 1), used(2, 2)], recorded_at=1)
    with store.read() as tx:
        everything = {(1, 2), (2, 3), (3, 1), (2, 2)}
        assert ends(store.edges.upstream(tx, 1, depth=50, budget=99)) == (everything, False)
        assert ends(store.edges.downstream(tx, 1, depth=3, budget=3)) == (everything, False)


def test_a_walk_finds_the_same_whether_it_is_short_enough_for_one_statement_or_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.write() as tx:
        chain(store, tx, 12)
        store.edges.add_edges(tx, [used(2, 7), used(12, 3), used(3, 3)], recorded_at=2)
    for few, edges in ((1000, 5000), (4, 5000), (1000, 3), (12, 14)):
        monkeypatch.setattr("lineal.store.edges._FEW", few)
        monkeypatch.setattr("lineal.store.edges._MOST_OF_FEW", edges)
        with store.read() as tx:
            every, cut = store.edges.upstream(tx, 12, depth=10_000, budget=100)
            assert (len(every), cut) == (14, False)
            assert store.edges.downstream(tx, 1, depth=10_000, budget=100) == (every, False)
            assert ends(store.edges.upstream(tx, 2, depth=10_000, budget=100)) == ({(1, 2)}, False)
            assert store.edges.upstream(tx, 12, depth=10_000, budget=5)[1]
            assert ends(store.edges.upstream(tx, 12, depth=10_000, budget=100, as_of=1))[0] == {
                (i, i + 1) for i in range(1, 12)
            }


def test_the_budget_keeps_the_nearest_vertices_and_says_that_it_cut(store: Store) -> None:
    with store.write() as tx:
        chain(store, tx, 10)
    with store.read() as tx:
        assert ends(store.edges.upstream(tx, 10, depth=99, budget=10))[1] is False
        assert ends(store.edges.upstream(tx, 10, depth=99, budget=3)) == ({(9, 10), (8, 9)}, True)
        assert ends(store.edges.upstream(tx, 10, depth=2, budget=3)) == ({(9, 10), (8, 9)}, False)
        assert ends(store.edges.upstream(tx, 10, depth=99, budget=1)) == (set(), True)
        assert ends(store.edges.upstream(tx, 10, depth=0, budget=1)) == (set(), False)
        for depth, budget in ((-1, 5), (5, 0)):
            with pytest.raises(Invalid):
                store.edges.upstream(tx, 10, depth=depth, budget=budget)


def test_a_walk_as_of_a_time_sees_what_was_recorded_by_then(store: Store) -> None:
    with store.write() as tx:
        store.edges.add_edges(tx, [used(1, 2)], recorded_at=10)
        store.edges.add_edges(tx, [used(2, 3)], recorded_at=20)
        store.edges.retract_edge(tx, 1, 2, EdgeKind.USED, "", at=30)
    with store.read() as tx:

        def walk(as_of: int | None) -> set[tuple[int, int]]:
            return ends(store.edges.upstream(tx, 3, depth=9, budget=9, as_of=as_of))[0]

        assert (walk(19), walk(20), walk(29), walk(30), walk(None)) == (
            set(),
            {(1, 2), (2, 3)},
            {(1, 2), (2, 3)},
            {(2, 3)},
            {(2, 3)},
        )


def test_an_edge_to_a_joined_vertex_is_walked_at_the_one_that_stands_for_it(store: Store) -> None:
    with store.write() as tx:
        tx.many("INSERT INTO node (id, kind) VALUES (:id, 2)", [{"id": i} for i in (1, 2, 3, 7)])
        tx.run("INSERT INTO canonical (node, stands_for) VALUES (7, 2)")
        assert store.edges.add_edges(tx, [used(1, 7), used(2, 3)], recorded_at=1) == 2
        assert store.edges.add_edges(tx, [used(1, 7)], recorded_at=1) == 0
        assert ends(store.edges.upstream(tx, 3, depth=9, budget=9)) == ({(1, 2), (2, 3)}, False)
        store.edges.retract_edge(tx, 1, 7, EdgeKind.USED, "", at=5)
        assert ends(store.edges.upstream(tx, 3, depth=9, budget=9)) == ({(2, 3)}, False)
