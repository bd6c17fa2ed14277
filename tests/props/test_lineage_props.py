"""Whatever is rewritten, copied or carried round: an ancestry is a DAG, holds only true edges, and forgets no start."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.lineage import Holder, ancestry, same_bytes
from lineal.core.model import Edge, EdgeKind

VERSIONS = st.integers(1, 6)
RUNS = st.integers(101, 106)
TIMES = st.integers(1, 20)


@st.composite
def stories(draw: st.DrawFn) -> list[Edge]:
    """Any runs reading and writing any versions at any times, with copies in between."""
    used = st.builds(lambda v, r, t: Edge(src=v, dst=r, kind=EdgeKind.USED, at=t), VERSIONS, RUNS, TIMES)
    made = st.builds(lambda r, v, t: Edge(src=r, dst=v, kind=EdgeKind.GENERATED, at=t), RUNS, VERSIONS, TIMES)
    copied = st.builds(
        lambda a, b, t: Edge(src=a, dst=b, kind=EdgeKind.DERIVED, at=t, rule="same-bytes"),
        VERSIONS,
        VERSIONS,
        TIMES,
    ).filter(lambda e: e.src != e.dst)
    edges = draw(st.lists(st.one_of(used, made, copied), max_size=25))
    return list({(e.src, e.dst, e.kind): e for e in edges}.values())


def is_dag(edges: list[Edge]) -> bool:
    sources: dict[int, set[int]] = {}
    for edge in edges:
        sources.setdefault(edge.dst, set()).add(edge.src)
    done: set[int] = set()
    left = {end for e in edges for end in (e.src, e.dst)}
    while left:
        ready = {node for node in left if sources.get(node, set()) <= done}
        if not ready:
            return False
        done |= ready
        left -= ready
    return True


@settings(max_examples=400)
@given(stories(), st.one_of(VERSIONS, RUNS))
def test_an_ancestry_is_always_a_dag_of_recorded_edges(edges: list[Edge], start: int) -> None:
    found = ancestry(start, edges)
    assert is_dag(found.edges)
    assert {*found.edges, *found.also, *found.loops} <= set(edges)


@settings(max_examples=200)
@given(stories(), st.one_of(VERSIONS, RUNS), st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_the_order_in_which_edges_came_when_times_differ(
    edges: list[Edge], start: int, random: object
) -> None:
    apart = [
        Edge(src=e.src, dst=e.dst, kind=e.kind, at=e.at * 100 + index, rule=e.rule)
        for index, e in enumerate(edges)
    ]
    shuffled = list(apart)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = ancestry(start, apart), ancestry(start, shuffled)
    if not one.loops and not other.loops:
        assert set(one.edges) == set(other.edges)


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from([0, 10, 500]), st.none() | TIMES, st.none() | TIMES),
        max_size=5,
    )
)
def test_the_same_bytes_rule_does_not_depend_on_arrival_and_never_guesses_between_two(
    facts: list[tuple[int, int, int | None, int | None]],
) -> None:
    holders = [
        Holder(node, artifact, size, made, read) for node, (artifact, size, made, read) in enumerate(facts)
    ]
    wanted_links, wanted_unsure = same_bytes(holders)
    for order in itertools.islice(itertools.permutations(holders), 24):
        links, unsure = same_bytes(order)
        assert (sorted(links), unsure) == (sorted(wanted_links), wanted_unsure)
    assert len({dst for _, dst in wanted_links}) == len(wanted_links)
    assert not {dst for _, dst in wanted_links} & set(wanted_unsure)
