"""Distances and shortest ways through the edges of a closure, in the direction in which data flows or against it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

from lineal.core.model import Edge


def distances(start: int, edges: Iterable[Edge], *, up: bool) -> dict[int, int]:
    """By vertex reached from `start` (against the flow of data with `up`), how many edges lead there at least."""
    beside: dict[int, list[int]] = defaultdict(list)
    for edge in edges:
        if up:
            beside[edge.dst].append(edge.src)
        else:
            beside[edge.src].append(edge.dst)
    found, queue = {start: 0}, deque([start])
    while queue:
        node = queue.popleft()
        for other in beside[node]:
            if other not in found:
                found[other] = found[node] + 1
                queue.append(other)
    return found


def shortest(start: int, goal: int, edges: Sequence[Edge], *, most: int) -> list[list[Edge]]:
    """The shortest ways from `start` to `goal` in the flow of data, at most `most`; where several edges join two vertices, the
    first of them. O(edges + ways x length)."""
    away = distances(goal, edges, up=True)
    if start not in away:
        return []
    nearer: dict[int, dict[int, Edge]] = defaultdict(dict)
    for edge in edges:
        if edge.src in away and edge.dst in away and away[edge.dst] == away[edge.src] - 1:
            nearer[edge.src].setdefault(edge.dst, edge)
    found: list[list[Edge]] = []
    stack: list[tuple[int, list[Edge]]] = [(start, [])]
    while stack and len(found) < most:
        node, way = stack.pop()
        if node == goal:
            found.append(way)
            continue
        stack += [(other, [*way, nearer[node][other]]) for other in sorted(nearer[node], reverse=True)]
    return found


def nearest_common(
    a: Mapping[int, int], b: Mapping[int, int], edges: Iterable[Edge]
) -> tuple[list[int], list[int]]:
    """(common ancestors none of whose descendants is common too, the other common ones), each the nearest first.

    a, b: distances of the ancestors of two vertices; edges: at least those among the common ones.
    """
    common = set(a) & set(b)
    covered = {
        edge.src for edge in edges if edge.src in common and edge.dst in common and edge.src != edge.dst
    }
    order = sorted(common, key=lambda node: (a[node] + b[node], node))
    return [n for n in order if n not in covered], [n for n in order if n in covered]


def causes(differing: set[int], edges: Iterable[Edge]) -> set[int]:
    """Those of the differing vertices with no differing vertex before them: where two ancestries began to differ."""
    before: dict[int, set[int]] = defaultdict(set)
    for edge in edges:
        before[edge.dst].add(edge.src)
    return {
        node for node in differing if not any(other in differing and other != node for other in before[node])
    }
