"""The picture of a large graph: grouping, folding, the budget, and that nothing is lost silently."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.scene import Item, Picture, draw, stem, walk


def items(*names: str, anchors: str = "") -> dict[int, Item]:
    """Vertices 1, 2, ... of which those of one name are alike."""
    return {
        number: Item(id=number, alike=(name,), anchor=name in anchors.split())
        for number, name in enumerate(names, 1)
    }


def shapes(picture: Picture) -> dict[str, tuple[int, ...]]:
    return {card.id: card.members for card in picture.cards if card.shape != "node"}


def test_siblings_with_the_same_parents_become_one_card_and_what_they_made_another() -> None:
    there = items("data", *["train"] * 4, *["model"] * 4)
    edges = [(1, run) for run in range(2, 6)] + [(run, run + 4) for run in range(2, 6)]
    picture = draw(there, edges, [1], budget=10)
    assert shapes(picture) == {"group:2": (2, 3, 4, 5), "group:6": (6, 7, 8, 9)}
    assert [(line.src, line.dst, len(line.pairs)) for line in picture.lines] == [
        ("1", "group:2", 4),
        ("group:2", "group:6", 4),
    ]


def test_an_expanded_group_is_drawn_member_by_member() -> None:
    there = items("data", *["train"] * 4)
    edges = [(1, run) for run in range(2, 6)]
    picture = draw(there, edges, [1], budget=10, expand=frozenset({"group:2"}))
    assert shapes(picture) == {}
    assert len(picture.cards) == 5


def test_an_anchor_stays_out_of_groups_and_chains() -> None:
    there = items("data", "train", "train", "train", "train", "live", anchors="live")
    edges = [(1, run) for run in range(2, 7)]
    assert shapes(draw(there, edges, [1], budget=10)) == {"group:2": (2, 3, 4, 5)}
    row = items("a", "b", "c", "d", "e", anchors="c")
    assert shapes(draw(row, [(1, 2), (2, 3), (3, 4), (4, 5)], [5], budget=10)) == {}


def test_steps_in_a_row_become_one_pill() -> None:
    row = items("a", "b", "c", "d", "e")
    picture = draw(row, [(1, 2), (2, 3), (3, 4), (4, 5)], [5], budget=10)
    assert shapes(picture) == {"chain:2": (2, 3, 4)}
    assert [(line.src, line.dst) for line in picture.lines] == [("1", "chain:2"), ("chain:2", "5")]


def test_a_line_that_a_longer_way_says_too_is_faint_and_still_there() -> None:
    picture = draw(items("a", "b", "c"), [(1, 2), (2, 3), (1, 3)], [3], budget=10)
    assert {(line.src, line.dst): line.faint for line in picture.lines} == {
        ("1", "2"): False,
        ("2", "3"): False,
        ("1", "3"): True,
    }


def test_a_cycle_is_drawn_with_one_line_that_runs_back() -> None:
    picture = draw(items("a", "b", "c"), [(1, 2), (2, 3), (3, 2)], [3], budget=10)
    assert [(line.src, line.dst) for line in picture.lines if line.loop] == [("3", "2")]
    assert picture.layer == {"1": 0, "2": 1, "3": 2}


def test_a_hub_does_not_take_the_whole_budget() -> None:
    after = {0: list(range(10, 1000)), 10: [2000], 2000: [2001], 2001: [2002]}

    def ask(nodes: Sequence[int], up: bool) -> dict[int, list[int]]:
        return {node: [] if up else after.get(node, []) for node in nodes}

    seen = walk([0], ask, most=100)
    assert {2000, 2001, 2002} <= set(seen.rank)
    assert len(seen.rank) == 100


def test_a_walk_stops_at_its_depth() -> None:
    seen = walk([0], lambda nodes, up: {node: [node + 1] for node in nodes}, most=100, up=False, depth=3)
    assert list(seen.rank) == [0, 1, 2, 3]
    assert seen.further == {3}


def test_what_varies_between_siblings_is_taken_out_of_a_name() -> None:
    assert (
        stem("models/run-17/0123abcdef99.pkl")
        == stem("models/run-4/99aa88bb77cc.pkl")
        == "models/run-#/#.pkl"
    )


graphs = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=80)


@settings(max_examples=300)
@given(graphs, st.integers(1, 30), st.booleans(), st.integers(2, 5))
def test_every_vertex_is_drawn_once_or_counted_as_hidden(
    edges: list[tuple[int, int]], budget: int, fold: bool, kinds: int
) -> None:
    there = {n: Item(id=n, alike=(str(n % kinds),), weight=(n % 7) / 10) for n in range(1, 31)}
    picture = draw(there, edges, [1], budget=budget, fold=fold)
    drawn = [node for card in picture.cards for node in card.members]
    assert sorted([*drawn, *picture.hidden]) == sorted(there)
    assert len(picture.cards) <= budget
    assert "1" in {card.id for card in picture.cards}
    place = {node: card.id for card in picture.cards for node in card.members}
    told = {pair for line in picture.lines for pair in line.pairs}
    wanted = {(a, b) for a, b in edges if a in place and b in place and place[a] != place[b]}
    assert told == wanted
    for line in picture.lines:
        if not line.loop:
            assert picture.layer[line.src] < picture.layer[line.dst]
