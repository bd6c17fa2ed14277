"""Ancestry and the same-bytes rule, on small stories."""

from __future__ import annotations

from lineal.core.lineage import Holder, ancestry, same_bytes
from lineal.core.model import Edge, EdgeKind

USED, GENERATED, DERIVED = EdgeKind.USED, EdgeKind.GENERATED, EdgeKind.DERIVED


def edge(src: int, dst: int, kind: EdgeKind, at: int, rule: str = "") -> Edge:
    return Edge(src=src, dst=dst, kind=kind, at=at, rule=rule)


def ends(edges: list[Edge]) -> set[tuple[int, int]]:
    return {(e.src, e.dst) for e in edges}


RAW, CLEAN, FIRST, SECOND, TRAIN, MODEL = 1, 2, 101, 102, 103, 3


def test_a_chain_is_followed_to_its_source() -> None:
    edges = [
        edge(RAW, FIRST, USED, 1),
        edge(FIRST, CLEAN, GENERATED, 2),
        edge(CLEAN, TRAIN, USED, 3),
        edge(TRAIN, MODEL, GENERATED, 4),
    ]
    assert ends(ancestry(MODEL, edges).edges) == ends(edges)


def test_a_reader_follows_the_latest_producer_before_its_read_and_lists_the_others() -> None:
    edges = [
        edge(FIRST, CLEAN, GENERATED, 1),
        edge(SECOND, CLEAN, GENERATED, 5),
        edge(CLEAN, TRAIN, USED, 3),
        edge(TRAIN, MODEL, GENERATED, 4),
    ]
    found = ancestry(MODEL, edges)
    assert (FIRST, CLEAN) in ends(found.edges)
    assert (SECOND, CLEAN) not in ends(found.edges)
    assert ends(found.also) == {(SECOND, CLEAN)}


def test_an_idempotent_rewrite_does_not_become_its_own_ancestor() -> None:
    edges = [
        edge(FIRST, CLEAN, GENERATED, 1),
        edge(CLEAN, SECOND, USED, 2),
        edge(SECOND, CLEAN, GENERATED, 3),
    ]
    found = ancestry(CLEAN, edges)
    assert ends(found.edges) == {(FIRST, CLEAN)}
    assert ends(found.also) == {(SECOND, CLEAN)}


def test_a_round_trip_keeps_both_true_stories() -> None:
    u = 4
    back = 104
    edges = [
        edge(FIRST, CLEAN, GENERATED, 1),
        edge(CLEAN, SECOND, USED, 2),
        edge(SECOND, u, GENERATED, 3),
        edge(u, back, USED, 4),
        edge(back, CLEAN, GENERATED, 5),
    ]
    assert ends(ancestry(u, edges).edges) == {(SECOND, u), (CLEAN, SECOND), (FIRST, CLEAN)}
    assert ends(ancestry(CLEAN, edges).edges) == {(FIRST, CLEAN)}


def test_a_rerun_from_the_same_sources_is_the_latest_producer() -> None:
    edges = [
        edge(RAW, FIRST, USED, 1),
        edge(FIRST, CLEAN, GENERATED, 2),
        edge(RAW, SECOND, USED, 3),
        edge(SECOND, CLEAN, GENERATED, 4),
    ]
    found = ancestry(CLEAN, edges)
    assert (SECOND, CLEAN) in ends(found.edges)
    assert ends(found.also) == {(FIRST, CLEAN)}


def test_an_inferred_origin_gives_way_to_a_seen_one() -> None:
    edges = [edge(RAW, CLEAN, DERIVED, 1, "same-bytes"), edge(FIRST, CLEAN, GENERATED, 1)]
    assert ends(ancestry(CLEAN, edges).edges) == {(FIRST, CLEAN)}


def test_a_copy_nobody_saw_being_made_comes_from_the_one_place_with_its_bytes() -> None:
    made, copy = Holder(1, 11, 500, 10, None), Holder(2, 12, 500, None, 20)
    assert same_bytes([made, copy]) == ([(1, 2)], {})


def test_equal_bytes_written_only_after_the_read_explain_nothing() -> None:
    source, later = Holder(1, 11, 500, None, 5), Holder(2, 12, 500, 10, None)
    assert same_bytes([source, later]) == ([], {})


def test_two_possible_makers_leave_the_origin_open() -> None:
    holders = [Holder(1, 11, 500, 1, None), Holder(2, 12, 500, 2, None), Holder(3, 13, 500, None, 9)]
    assert same_bytes(holders) == ([], {3: [1, 2]})


def test_empty_files_and_bare_headers_prove_nothing() -> None:
    assert same_bytes([Holder(1, 11, 64, 1, None), Holder(2, 12, 64, None, 9)]) == ([], {})
