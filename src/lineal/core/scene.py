"""From a neighbourhood of a large graph to a picture within a budget: walk, group, fold, rank, lay in layers.

Nothing is lost silently: whatever is not drawn stands behind a group, a chain, or a count of hidden neighbours.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

SMALLEST_GROUP = 3  # alike neighbours that become one card
SHORTEST_CHAIN = 3  # vertices between two branchings that become one pill
_AT_ONCE = 32  # vertices whose neighbours are asked for together
_VARYING = re.compile(r"[0-9a-f]{8,}|\d+")

Ask = Callable[[Sequence[int], bool], Mapping[int, Sequence[int]]]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A vertex as the picture needs it.

    alike: what siblings must have in common besides their neighbours. anchor: never put into a group or chain. weight:
    0 to 1, how much it matters by itself. at: microseconds UTC.
    """

    id: int
    alike: tuple[str, ...]
    anchor: bool = False
    weight: float = 0.0
    at: int = 0


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """What a bounded walk saw. rank: the vertices in the order of being reached; before, behind: the neighbours of those
    that were asked; further: reached at the greatest depth and not walked on from."""

    rank: dict[int, int]
    before: dict[int, list[int]]
    behind: dict[int, list[int]]
    further: set[int]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Something drawn: one vertex, a group of siblings, a chain of steps or a cycle. members: in order of their numbers, of a chain
    in the order of its steps."""

    id: str
    shape: str  # node, group, chain, cycle
    members: tuple[int, ...]
    rank: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Edges between two cards. count: how many; loop: against the direction of the layers; faint: a longer way says it too."""

    src: str
    dst: str
    pairs: tuple[tuple[int, int], ...]
    loop: bool = False
    faint: bool = False


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """cards: what fits into the budget, nearest first. layer: by card, sources at 0. hidden: vertices walked to and not drawn."""

    cards: list[Card]
    lines: list[Line]
    layer: dict[str, int]
    hidden: set[int]


def stem(name: str) -> str:
    """A name without what varies between siblings: `models/run-17.pkl` -> `models/run-#.pkl`."""
    return _VARYING.sub("#", name)


def walk(
    start: Sequence[int],
    ask: Ask,
    *,
    most: int,
    up: bool = True,
    down: bool = True,
    depth: int | None = None,
) -> Walk:
    """The vertices before and behind `start`, the cheapest first, until `most` are reached.

    Args:
        ask: (vertices, whether those before them are wanted) -> neighbours by vertex.
        depth: hops, at most.

    A vertex costs one more than the one it was reached from, and the n-th neighbour of one costs log2(1 + n/8) on top, so
    that a hub does not take the whole budget. O(most x log most), whatever the size of the graph.
    """
    rank: dict[int, int] = {}
    before: dict[int, list[int]] = {}
    behind: dict[int, list[int]] = {}
    further: set[int] = set()
    ways = [way for way, wanted in ((True, up), (False, down)) if wanted]
    cost = {(node, way): 0.0 for node in dict.fromkeys(start) for way in ways}
    heap = [(0.0, number, node, way, 0) for number, (node, way) in enumerate(cost)]
    counter = len(heap)
    done: set[tuple[int, bool]] = set()
    while heap and len(rank) < most:
        batch: dict[bool, dict[int, tuple[float, int]]] = {True: {}, False: {}}
        dearest = heap[0][0] + 1
        while heap and heap[0][0] < dearest and len(batch[True]) + len(batch[False]) < _AT_ONCE:
            price, _, node, way, hops = heapq.heappop(heap)
            if (node, way) in done or (node not in rank and len(rank) >= most):
                continue
            done.add((node, way))
            rank.setdefault(node, len(rank))
            if depth is not None and hops >= depth:
                further.add(node)
            else:
                batch[way][node] = (price, hops)
        for way, nodes in batch.items():
            if not nodes:
                continue
            for node, found in ask(list(nodes), way).items():
                (before if way else behind)[node] = list(found)
                price, hops = nodes[node]
                for place, other in enumerate(found):
                    dear = price + 1 + math.log2(1 + place / 8)
                    if dear < cost.get((other, way), math.inf):
                        cost[other, way] = dear
                        counter += 1
                        heapq.heappush(heap, (dear, counter, other, way, hops + 1))
    return Walk(rank=rank, before=before, behind=behind, further=further)


def opened(seen: Walk, ask: Ask, wanted: Sequence[tuple[int, bool]], *, most: int) -> list[int]:
    """The neighbours of single vertices, added to what was seen: hop by hop, in the order wanted, at most `most` of them.

    Args:
        wanted: (vertex, whether what lies before it is wanted). A vertex that was not reached by then is left out.
    """
    found: dict[int, None] = {}
    for node, way in wanted:
        if node not in seen.rank:
            continue
        known = seen.before if way else seen.behind
        if node not in known:
            known[node] = list(ask([node], way).get(node, ()))
        for other in known[node][: most - len(found)]:
            seen.rank.setdefault(other, len(seen.rank))
            found[other] = None
    return list(found)


def draw(
    items: Mapping[int, Item],
    pairs: Iterable[tuple[int, int]],
    focus: Sequence[int],
    *,
    budget: int,
    expand: frozenset[str] = frozenset(),
    fold: bool = True,
    chains: bool = True,
    also: Sequence[int] = (),
) -> Picture:
    """The picture of the items, at most `budget` cards.

    Args:
        items: in the order of their nearness.
        pairs: edges, from first to second.
        expand: ids of groups, chains and cycles that are drawn member by member.
        fold: whether siblings are grouped; with `chains` steps in a row are folded too.
        also: what was opened by hand: drawn in any case, above the budget.

    Without a focus the weightiest are drawn, whether connected or not.
    """
    rank = {node: number for number, node in enumerate(items)}
    edges = sorted({(src, dst) for src, dst in pairs if src in items and dst in items and src != dst})
    cards: dict[int, str] = {node: str(node) for node in items}
    shapes: dict[str, str] = {}
    kept = set(focus)
    _cycle(items, edges, kept, expand, cards, shapes)
    rows: dict[str, list[int]] = {}
    if fold:
        _group(items, edges, kept, expand, cards, shapes)
        if chains:
            rows = _chain(items, edges, kept, expand, cards, shapes)
    members: dict[str, list[int]] = defaultdict(list)
    for node, card in cards.items():
        members[card].append(node)
    lines: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for src, dst in edges:
        if cards[src] != cards[dst]:
            lines[cards[src], cards[dst]].append((src, dst))
    near = {card: min(rank[node] for node in nodes) for card, nodes in members.items()}
    weight = {card: max(items[node].weight for node in nodes) for card, nodes in members.items()}
    middle = [cards[node] for node in (*focus, *also) if node in items]
    drawn = _nearest(middle, lines, near, weight, budget + len(also), loose=not focus)
    shown = {ends: found for ends, found in lines.items() if ends[0] in drawn and ends[1] in drawn}
    loops = _loops(sorted(drawn, key=near.__getitem__), list(shown))
    layer, faint = _layers(drawn, [ends for ends in shown if ends not in loops])
    return Picture(
        cards=[
            Card(
                id=card,
                shape=shapes.get(card, "node"),
                members=tuple(rows.get(card) or sorted(members[card])),
                rank=near[card],
            )
            for card in sorted(drawn, key=near.__getitem__)
        ],
        lines=[
            Line(src=ends[0], dst=ends[1], pairs=tuple(found), loop=ends in loops, faint=ends in faint)
            for ends, found in sorted(shown.items())
        ],
        layer=layer,
        hidden={node for card, nodes in members.items() if card not in drawn for node in nodes},
    )


def _cycle(
    items: Mapping[int, Item],
    edges: list[tuple[int, int]],
    kept: set[int],
    expand: frozenset[str],
    cards: dict[int, str],
    shapes: dict[str, str],
) -> None:
    """Vertices that feed one another in a circle become one card (Tarjan's components, without recursion)."""
    out: dict[int, list[int]] = defaultdict(list)
    for src, dst in edges:
        out[src].append(dst)
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    waiting_: list[int] = []
    inside: set[int] = set()
    for start in items:
        if start in index:
            continue
        stack = [(start, iter(out[start]))]
        while stack:
            node, rest = stack[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                waiting_.append(node)
                inside.add(node)
            deeper = next((other for other in rest if other not in index or other in inside), None)
            if deeper is not None:
                if deeper in index:
                    low[node] = min(low[node], index[deeper])
                else:
                    stack.append((deeper, iter(out[deeper])))
                continue
            stack.pop()
            if stack:
                low[stack[-1][0]] = min(low[stack[-1][0]], low[node])
            if low[node] == index[node]:
                together = waiting_[waiting_.index(node) :]
                del waiting_[waiting_.index(node) :]
                inside.difference_update(together)
                name = f"cycle:{min(together)}"
                if len(together) > 1 and name not in expand and not kept & set(together):
                    shapes[name] = "cycle"
                    cards.update(dict.fromkeys(together, name))


def _group(
    items: Mapping[int, Item],
    edges: list[tuple[int, int]],
    kept: set[int],
    expand: frozenset[str],
    cards: dict[int, str],
    shapes: dict[str, str],
) -> None:
    """Siblings become one card: alike, with the same cards before them (behind them, where nothing is before).

    One pass in topological order, so that what runs of one sweep made falls together after the runs did.
    """
    before: dict[int, list[int]] = defaultdict(list)
    behind: dict[int, list[int]] = defaultdict(list)
    for src, dst in edges:
        before[dst].append(src)
        behind[src].append(dst)
    depth = _depths(items, edges)
    levels: dict[int, list[int]] = defaultdict(list)
    for node in items:
        levels[depth[node]].append(node)
    for level in sorted(levels):
        alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for node in levels[level]:
            if node in kept or items[node].anchor or cards[node] in shapes:
                continue
            parents = tuple(sorted({cards[other] for other in before[node]}))
            users = () if parents else tuple(sorted(set(behind[node])))
            alike[items[node].alike, parents, users].append(node)
        for nodes in alike.values():
            name = f"group:{min(nodes)}"
            if len(nodes) >= SMALLEST_GROUP and name not in expand:
                shapes[name] = "group"
                cards.update(dict.fromkeys(nodes, name))


def _depths(items: Mapping[int, Item], edges: list[tuple[int, int]]) -> dict[int, int]:
    """How far behind the sources each vertex lies; vertices of cycles as far as can be told."""
    out: dict[int, list[int]] = defaultdict(list)
    waiting = dict.fromkeys(items, 0)
    for src, dst in edges:
        out[src].append(dst)
        waiting[dst] += 1
    depth = dict.fromkeys(items, 0)
    ready = [node for node in items if not waiting[node]]
    while ready:
        node = ready.pop()
        for other in out[node]:
            depth[other] = max(depth[other], depth[node] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return depth


def _chain(
    items: Mapping[int, Item],
    edges: list[tuple[int, int]],
    kept: set[int],
    expand: frozenset[str],
    cards: dict[int, str],
    shapes: dict[str, str],
) -> dict[str, list[int]]:
    """Single vertices in a row, with one way in and one way out each, become one pill; the rows by its id."""
    rows: dict[str, list[int]] = {}
    before: dict[str, set[str]] = defaultdict(set)
    behind: dict[str, set[str]] = defaultdict(set)
    for src, dst in edges:
        if cards[src] != cards[dst]:
            before[cards[dst]].add(cards[src])
            behind[cards[src]].add(cards[dst])
    single = {
        cards[node]: node
        for node in items
        if cards[node] not in shapes
        and node not in kept
        and not items[node].anchor
        and len(before[cards[node]]) == 1
        and len(behind[cards[node]]) == 1
    }
    done: set[str] = set()
    for card in single:
        if card in done:
            continue
        row = [card]
        while (ahead := next(iter(before[row[0]]))) in single and ahead not in row:
            row.insert(0, ahead)
        while (after := next(iter(behind[row[-1]]))) in single and after not in row:
            row.append(after)
        done.update(row)
        nodes = [single[step] for step in row]
        name = f"chain:{min(nodes)}"
        if len(nodes) >= SHORTEST_CHAIN and name not in expand:
            shapes[name] = "chain"
            cards.update(dict.fromkeys(nodes, name))
            rows[name] = nodes
    return rows


def _nearest(
    focus: list[str],
    lines: Iterable[tuple[str, str]],
    near: dict[str, int],
    weight: dict[str, float],
    budget: int,
    *,
    loose: bool,
) -> set[str]:
    """The cards that fit: grown from the focus, always the nearest or weightiest of those beside what is drawn; with `loose`, when
    none are left beside it, of the others."""
    beside: dict[str, set[str]] = defaultdict(set)
    for src, dst in lines:
        beside[src].add(dst)
        beside[dst].add(src)
    drawn: set[str] = set()
    most = len(near)
    heap = [(-1.0, card) for card in dict.fromkeys(focus)]
    waiting = set(focus)
    spare = iter(sorted(near, key=lambda card: near[card] / most - weight[card]) if loose else ())
    while len(drawn) < budget:
        if not heap:  # what is not connected with what is drawn
            other = next((card for card in spare if card not in waiting), None)
            if other is None:
                break
            waiting.add(other)
            heap = [(0.0, other)]
        _, card = heapq.heappop(heap)
        drawn.add(card)
        for other in sorted(beside[card] - waiting):
            waiting.add(other)
            heapq.heappush(heap, (near[other] / most - weight[other], other))
    return drawn


def _loops(cards: list[str], lines: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """The lines that close a cycle, found from the sources on (depth first, without recursion)."""
    out: dict[str, list[str]] = defaultdict(list)
    entered = set()
    for src, dst in sorted(lines):
        out[src].append(dst)
        entered.add(dst)
    loops: set[tuple[str, str]] = set()
    state: dict[str, int] = {}
    for start in [*(card for card in cards if card not in entered), *cards]:
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(out[start]))]
        while stack:
            card, rest = stack[-1]
            for other in rest:
                if state.get(other) == 1:
                    loops.add((card, other))
                elif other not in state:
                    state[other] = 1
                    stack.append((other, iter(out[other])))
                    break
            else:
                state[card] = 2
                stack.pop()
    return loops


def _layers(
    cards: Iterable[str], lines: list[tuple[str, str]]
) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """(how far behind the sources each card lies, the lines that a longer way says too). O(cards x lines / 64)."""
    out: dict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(sorted(cards), 0)
    for src, dst in lines:
        out[src].append(dst)
        waiting[dst] += 1
    layer = dict.fromkeys(waiting, 0)
    order = [card for card, count in waiting.items() if not count]
    for card in order:
        for other in out[card]:
            layer[other] = max(layer[other], layer[card] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    bit = {card: 1 << number for number, card in enumerate(order)}
    reach: dict[str, int] = {}
    faint: set[tuple[str, str]] = set()
    for card in reversed(order):
        reach[card] = bit[card]
        for other in sorted(out[card], key=layer.__getitem__):
            if reach[card] & bit[other]:
                faint.add((card, other))
            reach[card] |= reach[other]
    return layer, faint
