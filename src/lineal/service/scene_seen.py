"""What a scene is drawn from: the surroundings of one vertex, two ancestries side by side, or the ways between two."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from lineal.core import paths
from lineal.core.errors import Invalid
from lineal.core.model import Edge, EdgeKind
from lineal.core.scene import Walk, walk
from lineal.service.operations import Scope
from lineal.service.scene_reply import SceneRequest, seen_for

GOVERNS = ("environment", "code")
_OPENED = re.compile(r"(\d{1,18}):(\d{1,2})(?::(up|down))?")
_FARTHEST = 20  # hops of an opened card
_MOST_OPENED = 50
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
    """What lies around the focus, nearest first; when two are compared, what both were made from; with `to`, what lies between.

    Raises Invalid: `open` names no card.
    """
    if request.to:
        return _between(scope, request, focus)
    if request.compare:
        return _compared(request, focus, ask)
    most = seen_for(request.budget)
    up, down = request.direction != "down", request.direction != "up"
    around = walk(focus, ask, most=most, up=up, down=down, depth=request.depth)
    return Seen(walk=opened(request, around, ask))


def opened(request: SceneRequest, around: Walk, ask: Ask) -> Walk:
    """The walk with what lies around the opened cards, which comes right behind the focus in nearness.

    Raises Invalid: `open` names no card.
    """
    if not request.open:
        return around
    nearest = list(around.rank)
    rank = {node: place for place, node in enumerate(nearest[:2])}
    for node, hops, way in _parsed(request.open):
        part = walk([node], ask, most=request.budget, up=way != "down", down=way != "up", depth=hops)
        for other in part.rank:
            rank.setdefault(other, len(rank))
        around.before.update(part.before)
        around.behind.update(part.behind)
    for node in nearest:
        rank.setdefault(node, len(rank))
    return Walk(rank=rank, before=around.before, behind=around.behind, further=around.further)


def _parsed(texts: Iterable[str]) -> list[tuple[int, int, str]]:
    found = []
    for text in list(texts):
        match = _OPENED.fullmatch(text)
        if match is None or not 1 <= int(match[2]) <= _FARTHEST:
            raise Invalid(
                f"{text!r:.100} opens no card",
                hint=f"ID:HOPS, ID:HOPS:up or ID:HOPS:down with the id of a card of one vertex and 1 to {_FARTHEST} hops",
            )
        found.append((int(match[1]), int(match[2]), match[3] or ""))
    if len(found) > _MOST_OPENED:
        raise Invalid(f"{len(found)} cards are to be opened", hint=f"at most {_MOST_OPENED} at once")
    return found


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
    return Seen(walk=opened(request, both, ask), sides=[set(part.rank) for part in walks])


def _between(scope: Scope, request: SceneRequest, focus: Sequence[int]) -> Seen:
    """Everything on the ways from one to the other, in whichever direction data flowed."""
    a, b = focus if len(focus) == 2 else (focus[0], focus[0])
    over = False
    for source, goal in ((a, b), (b, a)):
        edges, cut = scope.store.edges.upstream(
            scope.tx, goal, depth=request.depth, budget=_BETWEEN, as_of=request.as_of
        )
        over |= cut
        edges = [edge for edge in edges if request.governing or not _governs(edge)]
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
