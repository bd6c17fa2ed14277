"""Leading through what is not drawn, and what everything goes through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

Pair = tuple[int, int]

WIDEST = 2500  # pairs that hiding one vertex may make; one that would make more stays


def led_through(
    pairs: Iterable[Pair], hidden: Sequence[int]
) -> tuple[set[Pair], dict[Pair, tuple[Pair, ...]], set[int]]:
    """The graph without these vertices, connected through them.

    Returns: (its pairs, by pair that was made the pairs of one way that it stands for, the vertices that were taken out). A vertex
    between so many others that its place would take more than WIDEST pairs stays. O(sum of what goes in x what comes out).
    """
    before: dict[int, set[int]] = defaultdict(set)
    behind: dict[int, set[int]] = defaultdict(set)
    for src, dst in pairs:
        if src != dst:
            before[dst].add(src)
            behind[src].add(dst)
    ways: dict[Pair, tuple[Pair, ...]] = {}
    gone: set[int] = set()
    for node in hidden:
        sources, goals = before[node], behind[node]
        if len(sources) * len(goals) > WIDEST:
            continue
        for src in sources:
            first = ways.get((src, node), ((src, node),))
            for dst in goals:
                if src == dst or (dst in behind[src] and (src, dst) not in ways):
                    continue  # the vertices feed each other without it
                way = (*first, *ways.get((node, dst), ((node, dst),)))
                if (src, dst) not in ways or len(way) < len(ways[src, dst]):
                    ways[src, dst] = way
                behind[src].add(dst)
                before[dst].add(src)
        for src in sources:
            behind[src].discard(node)
        for dst in goals:
            before[dst].discard(node)
        del before[node], behind[node]
        gone.add(node)
    left = {(src, dst) for src, goals in behind.items() for dst in goals}
    return left, {pair: way for pair, way in ways.items() if pair in left}, gone


def leading_to(goals: Iterable[int], pairs: Iterable[Pair]) -> set[int]:
    """The vertices from which one of the goals is reached, themselves included."""
    before: dict[int, list[int]] = defaultdict(list)
    for src, dst in pairs:
        before[dst].append(src)
    found, stack = set(goals), list(goals)
    while stack:
        for other in before[stack.pop()]:
            if other not in found:
                found.add(other)
                stack.append(other)
    return found


def essential(focus: int, pairs: Iterable[Pair], ends: AbstractSet[int] = frozenset()) -> set[int]:
    """The vertices that lie on every way from a source to the focus, the focus left out; empty when nothing is before it.

    Args:
        ends: vertices behind which more lies that is not among the pairs: they count as sources.

    Dominators of all sources over the reversed ancestry (Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm"); about
    O(pairs).
    """
    before: dict[int, list[int]] = defaultdict(list)
    behind: dict[int, list[int]] = defaultdict(list)
    for src, dst in sorted(set(pairs)):
        if src != dst:
            before[dst].append(src)
            behind[src].append(dst)
    order = _postorder(focus, before)
    if len(order) < 2:
        return set()
    place = {node: number for number, node in enumerate(order)}
    sources = [node for node in order if not before[node] or node in ends]
    if not sources:  # a cycle at the top: nothing to come from
        return set()
    above: dict[int, int] = {focus: focus}
    changed = True
    while changed:
        changed = False
        for node in reversed(order[:-1]):
            found: int | None = None
            for other in behind[node]:
                if other in above and other in place:
                    found = other if found is None else _meet(found, other, above, place)
            if found is not None and above.get(node) != found:
                above[node] = found
                changed = True
    common = sources[0]
    for source in sources[1:]:
        common = _meet(common, source, above, place)
    chain = set()
    while common != focus:
        chain.add(common)
        common = above[common]
    return chain


def _meet(a: int, b: int, above: Mapping[int, int], place: Mapping[int, int]) -> int:
    while a != b:
        while place[a] < place[b]:
            a = above[a]
        while place[b] < place[a]:
            b = above[b]
    return a


def _postorder(start: int, out: Mapping[int, Sequence[int]]) -> list[int]:
    """The vertices reached, each after all that were first reached from it."""
    order: list[int] = []
    seen = {start}
    stack = [(start, iter(out.get(start, ())))]
    while stack:
        node, rest = stack[-1]
        deeper = next((other for other in rest if other not in seen), None)
        if deeper is None:
            order.append(node)
            stack.pop()
        else:
            seen.add(deeper)
            stack.append((deeper, iter(out.get(deeper, ()))))
    return order
