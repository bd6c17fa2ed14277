"""Contradictions between sources, and versions that do not go together: values, and how mixtures are found."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from itertools import combinations

import msgspec

_PAIRED = 30  # states of one dataset in one run that are looked at pair by pair


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a contradiction: what is claimed, and by which report."""

    value: str
    by: str


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Things that do not go together.

    id: what `lineal resolve` takes. kind: `digest`, `inputs`, `parent` (sources contradict each other), `mixed-versions` (one run made
    from several states of one dataset), `live-component` (two live models on different versions of one thing), `serving-code` (features
    were built by other code than the live ones). choice, reason, actor, decided_at: of the decision, if one was made.
    """

    id: str
    kind: str
    subject: str
    said: str
    claims: list[Claim]
    choice: str = ""
    reason: str = ""
    actor: str = ""
    decided_at: int | None = None


def mixed(
    edges: Iterable[tuple[int, int]], series: Mapping[int, int], readers: set[int]
) -> list[tuple[int, list[int]]]:
    """Where several states of one thing came together: (reader, those states), none of which was made from another.

    Args:
        edges: from first to second, cycles allowed. series: by state, what it is a state of. readers: the vertices that are asked
            about; only the first of them on a way is told of.

    Sets of states are bits of one integer each: O(edges x states / 64) while there are no cycles.
    """
    several: dict[int, list[int]] = defaultdict(list)
    for node, artifact in sorted(series.items()):
        several[artifact].append(node)
    groups = [nodes for nodes in several.values() if len(nodes) > 1]
    if not groups:
        return []
    states = [node for nodes in groups for node in nodes]
    bit = {node: 1 << place for place, node in enumerate(states)}
    before, masks = _masks(edges, bit)
    found: list[tuple[int, list[int]]] = []
    for nodes in groups:
        whole = sum(bit[node] for node in nodes)
        for reader in sorted(readers):
            present = masks.get(reader, 0) & whole
            if present.bit_count() < 2:
                continue
            apart = [node for node in nodes if present & bit[node]]
            older = 0
            for node in apart:
                older |= masks.get(node, 0)
            apart = [node for node in apart if not older & bit[node]]
            new = _met_here(reader, apart, bit, before, masks, readers)
            if new:
                found.append((reader, new))
    return sorted(found)


def _masks(
    edges: Iterable[tuple[int, int]], bit: Mapping[int, int]
) -> tuple[dict[int, set[int]], dict[int, int]]:
    """(the vertices before each, the states before each)."""
    before: dict[int, set[int]] = defaultdict(set)
    behind: dict[int, set[int]] = defaultdict(set)
    for src, dst in edges:
        if src != dst:
            before[dst].add(src)
            behind[src].add(dst)
    masks: dict[int, int] = dict.fromkeys(before, 0)
    waiting = {node: len(sources) for node, sources in before.items()}
    queue = deque(sorted(node for node in behind if node not in before))
    left = set(waiting)

    def pass_on(node: int) -> Iterable[int]:
        given = masks.get(node, 0) | bit.get(node, 0)
        for other in behind[node]:
            if masks[other] | given != masks[other]:
                masks[other] |= given
                yield other

    while queue:  # in topological order
        node = queue.popleft()
        left.discard(node)
        for _ in pass_on(node):
            pass
        for other in behind[node]:
            waiting[other] -= 1
            if not waiting[other]:
                queue.append(other)
    again = deque(sorted(left))  # cycles, and what lies behind them: until nothing grows
    while again:
        again.extend(pass_on(again.popleft()))
    return before, masks


def _met_here(
    reader: int,
    apart: list[int],
    bit: Mapping[int, int],
    before: Mapping[int, set[int]],
    masks: Mapping[int, int],
    readers: set[int],
) -> list[int]:
    """Those of the states that came together at this reader, and at none before it."""
    if len(apart) < 2:
        return []
    if len(apart) > _PAIRED:
        whole = sum(bit[node] for node in apart)
        return [] if _met(reader, whole, before, masks, readers) else apart
    new: set[int] = set()
    for a, b in combinations(apart, 2):
        if not (a in new and b in new) and not _met(reader, bit[a] | bit[b], before, masks, readers):
            new |= {a, b}
    return [node for node in apart if node in new]


def _met(
    reader: int, wanted: int, before: Mapping[int, set[int]], masks: Mapping[int, int], readers: set[int]
) -> bool:
    """Whether a reader further up has all of these states before it."""
    stack, seen = [reader], {reader}
    while stack:
        for other in before.get(stack.pop(), ()):
            if other not in seen and masks.get(other, 0) & wanted == wanted:
                if other in readers:
                    return True
                seen.add(other)
                stack.append(other)
    return False
