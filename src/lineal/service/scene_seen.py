"""What a scene is drawn from: the surroundings of one vertex, two ancestries side by side, or the ways between two."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from lineal.core import paths
from lineal.core.model import Edge, EdgeKind
from lineal.core.scene import Walk, opened, walk
from lineal.service.operations import Scope
from lineal.service.scene_reply import OPENED, SceneRequest, seen_for, to_open

GOVERNS = ("environment", "code")
_WAYS = 5  # shortest ways that are marked
_BETWEEN = 20_000  # vertices among which ways are looked for

Ask = Callable[[Sequence[int], bool], dict[int, list[int]]]


class Seen(msgspec.Struct, kw_only=True):
    """What was looked at. sides: when comparing, what each was made from. ways: pairs on the shortest ways between two; none
    where no ways were asked for. told: what limits it, in words."""

    walk: Walk
    sides: list[set[int]] = []
    ways: set[tuple[int, int]] = set()
    told: str = ""


def look(scope: Scope, request: SceneRequest, focus: Sequence[int], ask: Ask) -> Seen:
    """What lies around the focus, nearest first; when two are compared, what both were made from; with `to`, what lies between."""
    if request.to:
        return _between(scope, request, focus)
    if request.compare:
        return _compared(request, focus, ask)
    most = seen_for(request.budget)
    up, down = request.direction != "down", request.direction != "up"
    return Seen(walk=walk(focus, ask, most=most, up=up, down=down, depth=request.depth))


def open_cards(request: SceneRequest, around: Walk, ask: Ask) -> list[int]:
    """What the opened cards bring, added to the walk: hop by hop, in the order wanted, at most OPENED vertices.

    Raises Invalid: `open` names no card.
    """
    found: dict[int, None] = {}
    for node, up, hops in to_open(request):
        ends = [node]
        for _ in range(hops):
            ends = opened(around, ask, [(end, up) for end in ends], most=OPENED - len(found))
            found.update(dict.fromkeys(ends))
    return list(found)


def _compared(request: SceneRequest, focus: Sequence[int], ask: Ask) -> Seen:
    most = seen_for(request.budget)
    walks = [walk([node], ask, most=most, down=False, depth=request.depth) for node in focus]
    ranks = sorted((place, node) for part in walks for node, place in part.rank.items())
    rank: dict[int, int] = {}
    for _, node in ranks:
        rank.setdefault(node, len(rank))
    both = Walk(
        rank=rank,
        before={node: found for part in walks for node, found in part.before.items()},
        behind={},
        further={node for part in walks for node in part.further},
    )
    return Seen(walk=both, sides=[set(part.rank) for part in walks])


def _between(scope: Scope, request: SceneRequest, focus: Sequence[int]) -> Seen:
    """Everything on the ways from one to the other, in whichever direction data flowed."""
    a, b = focus if len(focus) == 2 else (focus[0], focus[0])
    over = False
    for source, goal in ((a, b), (b, a)):
        edges, cut = scope.store.edges.upstream(
            scope.tx, goal, depth=request.depth, budget=_BETWEEN, as_of=request.as_of
        )
        over |= cut
        edges = [
            edge
            for edge in edges
            if (request.governing or not _governs(edge))
            and (request.valid_at is None or edge.at <= request.valid_at)
        ]
        if len(shortest := paths.shortest(source, goal, edges, most=_WAYS)):
            break
    if not shortest:
        said = "no way leads from one to the other"
        said += f" among the {_BETWEEN:,} nearest vertices" if over else ""
        return Seen(
            walk=Walk(rank={node: n for n, node in enumerate(focus)}, before={}, behind={}, further=set()),
            told=said,
        )
    away = paths.distances(source, edges, up=False)
    near = paths.distances(goal, edges, up=True)
    on = sorted((away[node] + near[node], node) for node in away.keys() & near.keys())
    order = [*focus, *(node for _, node in on if node not in focus)]
    ways = {(edge.src, edge.dst) for way in shortest for edge in way}
    return Seen(
        walk=Walk(rank={node: n for n, node in enumerate(order)}, before={}, behind={}, further=set()),
        ways=ways,
        told=f"ways were looked for among the {_BETWEEN:,} nearest vertices" if over else "",
    )


def _governs(edge: Edge) -> bool:
    return edge.kind == EdgeKind.USED and edge.role in GOVERNS
