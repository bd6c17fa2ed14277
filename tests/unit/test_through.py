"""Hiding vertices loses no connection, and what is essential lies on every way."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.conflicts import mixed
from lineal.core.through import essential, leading_to, led_through

Pair = tuple[int, int]
pairs = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=40)


def reached(start: int, edges: Iterable[Pair], without: int = 0) -> set[int]:
    """What lies before a vertex, itself included, on ways that do not touch `without`."""
    known = list(edges)
    found, stack = {start}, [start]
    while stack:
        node = stack.pop()
        for src, dst in known:
            if dst == node and src not in found and src != without:
                found.add(src)
                stack.append(src)
    return found


@settings(max_examples=300)
@given(pairs, st.sets(st.integers(1, 12), max_size=6))
def test_what_is_connected_stays_connected_when_vertices_are_hidden(
    edges: list[Pair], hidden: set[int]
) -> None:
    left, ways, gone = led_through(edges, sorted(hidden))
    assert gone == hidden
    kept = set(range(1, 13)) - gone
    for node in kept:
        assert reached(node, left) == reached(node, edges) & kept
    for (src, dst), way in ways.items():
        assert (way[0][0], way[-1][1]) == (src, dst)
        assert all(a[1] == b[0] for a, b in pairwise(way))
        assert set(way) <= set(edges)
        assert {step[1] for step in way[:-1]} <= hidden


def test_a_vertex_between_too_many_stays() -> None:
    edges = [(n, 0) for n in range(1, 60)] + [(0, n) for n in range(100, 160)]
    left, ways, gone = led_through(edges, [0])
    assert (left, ways, gone) == (set(edges), {}, set())


@settings(max_examples=300)
@given(pairs, st.integers(1, 12))
def test_without_an_essential_vertex_no_source_reaches_the_focus(edges: list[Pair], focus: int) -> None:
    found = essential(focus, edges)
    before = {dst for src, dst in edges if src != dst}
    above = reached(focus, edges)
    sources = {node for node in above if node not in before and node != focus}
    wanted = {
        node
        for node in above - {focus}
        if sources and not ((reached(focus, edges, without=node)) & sources - {node})
    }
    if focus in before and sources:
        assert found == wanted
    else:
        assert found == set()


def test_what_leads_to_a_goal_includes_the_goal() -> None:
    assert leading_to([3], [(1, 2), (2, 3), (3, 4)]) == {1, 2, 3}


@settings(max_examples=300)
@given(
    pairs,
    st.dictionaries(st.integers(1, 12), st.integers(1, 3), max_size=6),
    st.sets(st.integers(1, 12), max_size=5),
)
def test_mixtures_are_found_as_by_looking_at_every_pair(
    edges: list[Pair], series: dict[int, int], readers: set[int]
) -> None:
    readers -= set(series)
    above = {
        node: reached(node, edges) - ({node} if not _on_cycle(node, edges) else set())
        for node in range(1, 13)
    }
    wanted = {}
    for run in readers:
        for artifact in set(series.values()):
            states = [n for n in sorted(series) if series[n] == artifact]
            here = [n for n in states if n in above[run]]
            apart = [n for n in here if not any(n in above[m] for m in here)]
            new = {
                n
                for i, a in enumerate(apart)
                for b in apart[i + 1 :]
                for n in (a, b)
                if not any({a, b} <= above[other] for other in readers & above[run] - {run})
            }
            if new:
                wanted[run, artifact] = [n for n in apart if n in new]
    assert {(run, series[nodes[0]]): nodes for run, nodes in mixed(edges, series, readers)} == wanted


def _on_cycle(node: int, edges: list[Pair]) -> bool:
    return any(
        src == node and dst != node and node in reached(src, edges) and dst in reached(node, edges)
        for src, dst in edges
    )
