"""Neighbours: never more of one vertex than asked for, on both engines alike."""

from __future__ import annotations

from lineal.core.model import Edge, EdgeKind, NodeKind
from lineal.store.nodes import add_node
from lineal.store.open import Store


def graph(store: Store) -> list[int]:
    """data -> 3 runs, of which the first made a model; an environment governs all. [data, run, run, run, model, env]"""
    with store.write() as tx:
        kinds = [
            NodeKind.VERSION,
            NodeKind.RUN,
            NodeKind.RUN,
            NodeKind.RUN,
            NodeKind.VERSION,
            NodeKind.VERSION,
        ]
        data, *runs, model, env = nodes = [add_node(tx, kind) for kind in kinds]
        edges = [Edge(src=data, dst=run, kind=EdgeKind.USED, at=run, role="input") for run in runs]
        edges += [Edge(src=env, dst=run, kind=EdgeKind.USED, at=1, role="environment") for run in runs]
        edges += [Edge(src=runs[0], dst=model, kind=EdgeKind.GENERATED, at=9, role="output")]
        store.edges.add_edges(tx, edges, recorded_at=10)
        store.edges.add_edges(
            tx, [Edge(src=data, dst=runs[0], kind=EdgeKind.USED, at=3, role="config")], recorded_at=20
        )
    return nodes


def test_neighbours_are_given_once_in_order_and_up_to_the_limit(store: Store) -> None:
    data, first, second, third, model, env = graph(store)
    with store.read() as tx:
        ask = store.neighbours.list_neighbours
        assert ask(tx, [data, model], up=False, limit=9) == {data: [first, second, third], model: []}
        assert ask(tx, [data], up=False, limit=2) == {data: [first, second]}
        assert ask(tx, [first, model], up=True, limit=9) == {first: [data, env], model: [first]}
        assert ask(tx, [first], up=True, limit=9, skip=["environment", "code"]) == {first: [data]}
        assert ask(tx, [data], up=False, limit=9, as_of=9) == {data: []}
        assert ask(tx, [data], up=False, limit=9, valid_at=second) == {data: [first, second]}
        assert ask(tx, [], up=True, limit=9) == {}


def test_the_edges_between_pairs_are_found_with_their_roles(store: Store) -> None:
    data, first, second, third, _, env = graph(store)
    with store.read() as tx:
        found = store.neighbours.list_between(tx, [(data, first), (first, data), (env, second)])
        assert [(edge.src, edge.dst, edge.role) for edge in found] == [
            (env, second, "environment"),
            (data, first, "input"),
            (data, first, "config"),
        ]
        without = store.neighbours.list_between(tx, [(env, second)], skip=["environment"])
        then = store.neighbours.list_between(tx, [(data, first)], as_of=15)
        assert without == []
        assert [edge.role for edge in then] == ["input"]
        assert store.neighbours.list_between(tx, [(data, third)], valid_at=second) == []
        assert store.neighbours.list_between(tx, []) == []
