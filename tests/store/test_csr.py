"""The snapshot of the graph counts what a plain walk counts, with the edges that came since; and it is built by a process of its own."""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path

import pytest

from lineal.core.model import Edge, EdgeKind, NodeKind
from lineal.store import csr, logical
from lineal.store.csr import Snapshots, newer_edges
from lineal.store.nodes import add_node
from lineal.store.open import Store


def plain(edges: list[tuple[int, int]], start: int, *, up: bool) -> dict[int, int]:
    beside: dict[int, list[int]] = {}
    for src, dst in edges:
        near, far = (dst, src) if up else (src, dst)
        beside.setdefault(near, []).append(far)
    away, queue = {start: 0}, deque([start])
    while queue:
        node = queue.popleft()
        for other in beside.get(node, []):
            if other not in away:
                away[other] = away[node] + 1
                queue.append(other)
    del away[start]
    return away


def grow(store: Store, dice: random.Random, nodes: list[int], count: int) -> list[tuple[int, int]]:
    with store.write() as tx:
        fresh = [add_node(tx, NodeKind.VERSION) for _ in range(count // 2)]
        nodes += fresh
        pairs = [tuple(dice.sample(nodes, 2)) for _ in range(count)]
        edges = [Edge(src=a, dst=b, kind=EdgeKind.DERIVED, at=1) for a, b in pairs]
        store.edges.add_edges(tx, edges, recorded_at=1)
    return [(a, b) for a, b in pairs]


@pytest.mark.parametrize("up", [True, False])
def test_a_snapshot_and_what_came_since_count_what_a_walk_counts(
    store: Store, tmp_path: Path, up: bool
) -> None:
    dice, nodes = random.Random(5), []
    pairs = grow(store, dice, nodes, 60)
    snapshots = Snapshots(tmp_path / "csr", "here")
    assert snapshots.mapped() is None
    with store.read() as tx:
        snapshots.build(tx)
    snapshot = snapshots.mapped()
    assert snapshot is not None
    pairs += grow(store, dice, nodes, 30)
    with store.read() as tx:
        newer = newer_edges(tx, snapshot)
    assert newer is not None
    for start in nodes:
        count, found, away = snapshot.reach(start, up=up, newer=newer)
        told = dict(zip(found.tolist(), away.tolist(), strict=True))
        assert told == plain(pairs, start, up=up)
        assert count == len(told)


def test_an_edge_that_no_longer_stands_makes_a_snapshot_stale(store: Store, tmp_path: Path) -> None:
    nodes: list[int] = []
    pairs = grow(store, random.Random(5), nodes, 10)
    snapshots = Snapshots(tmp_path / "csr", "here")
    with store.read() as tx:
        snapshots.build(tx)
    with store.write() as tx:
        store.edges.retract_edge(tx, *pairs[0], EdgeKind.DERIVED, "", at=2)
    snapshot = snapshots.mapped()
    assert snapshot is not None
    with store.read() as tx:
        assert newer_edges(tx, snapshot) is None
        snapshots.build(tx)
    again = snapshots.mapped()
    assert again is not None
    assert again.head.edges == snapshot.head.edges - 1
    assert [folder.name for folder in (tmp_path / "csr").iterdir() if folder.is_dir()] == [
        (tmp_path / "csr" / "current").read_text()
    ]


def test_what_came_long_ago_is_let_go_and_a_snapshot_that_lacks_it_is_stale(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logical, "_FORGET_EVERY", 1)
    for module, name, value in ((logical, "KEPT_PARTS", 20), (csr, "KEPT_PARTS", 20), (csr, "_OVERLAP", 5)):
        monkeypatch.setattr(module, name, value)
    nodes: list[int] = []
    snapshots = Snapshots(tmp_path / "csr", "here")
    pairs = grow(store, random.Random(5), nodes, 10)
    with store.read() as tx:
        snapshots.build(tx)
    snapshot = snapshots.mapped()
    assert snapshot is not None
    for number in range(40):
        pairs += grow(store, random.Random(number), nodes, 4)
        with store.read() as tx:
            newer = newer_edges(tx, snapshot)
            assert (newer is None) == (number >= 14)  # 20 less the overlap
        if newer is not None:
            count, _, _ = snapshot.reach(nodes[0], up=False, newer=newer)
            assert count == len(plain(pairs, nodes[0], up=False))
    with store.read() as tx:
        assert tx.value("SELECT count(*) FROM edge_part") == 20


def test_a_process_builds_it_and_says_how_far_it_is(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    grow(store, random.Random(5), [], 40)
    assert not store.has_snapshot()
    store.snapshots.build_soon()
    assert store.snapshots.wait(60)
    assert store.has_snapshot()
    progress = store.snapshots.progress()
    assert (progress.ready, progress.share) == (True, 1.0)
    mapped = store.snapshots.mapped()
    assert mapped is not None
    assert mapped.head.edges > 30
