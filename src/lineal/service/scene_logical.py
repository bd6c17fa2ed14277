"""The scene without versions: artifacts and jobs, around one of them or of the whole record."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.core.errors import Invalid, NotFound
from lineal.core.model import EdgeKind
from lineal.core.scene import Card, Item, Line, Picture, Walk, draw, stem, walk
from lineal.service import references
from lineal.service.operations import Scope
from lineal.service.registry import DEPLOYMENT
from lineal.service.scene_reply import (
    EXACT,
    NAMED,
    Beyond,
    SceneEdge,
    SceneNode,
    SceneReply,
    SceneRequest,
    beyond_of,
    cut_reason,
    seen_for,
)
from lineal.store.logical import LogicalEdge, LogicalNode


def logical_scene(scope: Scope, request: SceneRequest) -> SceneReply:
    """The artifacts and jobs around what `ref` is a version or run of; of the whole record where nothing was named.

    Raises Invalid: two are to be compared, or code and environment were asked for, which this view does not have.
    """
    if request.compare or request.governing:
        raise Invalid(
            f"the lens {request.lens!r} neither compares nor shows code and environment",
            hint="use the lens `versions` for that",
        )
    return _Logical(scope, request).reply()


class _Logical:
    def __init__(self, scope: Scope, request: SceneRequest) -> None:
        self.scope, self.request, self.logical = scope, request, scope.store.logical
        self.focus: list[int] = []
        if request.ref:
            node = references.find(scope, request.ref, as_of=request.as_of).node
            key = self.logical.series_of(scope.tx, [node]).get(node)
            if key is None:
                raise NotFound(f"{request.ref!r} is neither a run nor a version", hint="name one")
            self.focus = [key]

    def reply(self) -> SceneReply:
        seen = self._seen()
        known = self.logical.describe(self.scope.tx, list(seen.rank))
        missing = [key for key in seen.rank if key not in seen.before]
        seen.before.update(self._ask(missing, True))
        pairs = {(o, k) for k, found in seen.before.items() for o in found} | {
            (k, o) for k, found in seen.behind.items() for o in found
        }
        items = {key: _item(known[key]) for key in seen.rank if key in known}
        picture = draw(
            items,
            pairs,
            [key for key in self.focus if key in items],
            budget=self.request.budget,
            expand=frozenset(self.request.expand),
            fold=self.request.fold,
            chains=False,  # the steps are what this view is for
        )
        asked = [k for card in picture.cards for k in card.members[:NAMED] if k not in seen.behind]
        seen.behind.update(self._ask(asked, False))
        beyond = beyond_of(picture, seen.before, seen.behind)
        wanted = {pair for line in picture.lines for pair in line.pairs}
        edges: dict[tuple[int, int], list[LogicalEdge]] = {}
        for edge in self.logical.list_between(self.scope.tx, wanted):
            edges.setdefault((edge.src, edge.dst), []).append(edge)
        return SceneReply(
            lens=self.request.lens,
            focus=[card.id for card in picture.cards if set(card.members) & set(self.focus)],
            nodes=[self._card(card, known, picture, beyond[card.id], items) for card in picture.cards],
            edges=[_line(line, edges) for line in picture.lines],
            drawn=sum(len(card.members) for card in picture.cards),
            hidden=len(picture.hidden),
            cut=bool(picture.hidden) or any(up.count or down.count for up, down in beyond.values()),
            cut_reason=cut_reason(picture, beyond, self.request.budget, what="artifacts and jobs"),
            as_of=self.request.as_of,
        )

    def _ask(self, keys: Sequence[int], up: bool) -> dict[int, list[int]]:
        return self.logical.list_neighbours(
            self.scope.tx, keys, up=up, limit=EXACT + 1, as_of=self.request.as_of
        )

    def _seen(self) -> Walk:
        most = seen_for(self.request.budget)
        if self.focus:
            up, down = self.request.direction != "down", self.request.direction != "up"
            return walk(self.focus, self._ask, most=most, up=up, down=down, depth=self.request.depth)
        greatest = self.logical.list_greatest(self.scope.tx, limit=most, as_of=self.request.as_of)
        return Walk(
            rank={key: place for place, key in enumerate(greatest)}, before={}, behind={}, further=set()
        )

    def _card(
        self,
        card: Card,
        known: dict[int, LogicalNode],
        picture: Picture,
        beyond: tuple[Beyond, Beyond],
        items: dict[int, Item],
    ) -> SceneNode:
        nodes = [known[key] for key in card.members]
        first, single = nodes[0], len(nodes) == 1
        states: dict[str, int] = {}
        for node in nodes:
            for state, count in node.states.items():
                states[state] = states.get(state, 0) + count
        types = {_type(node) for node in nodes}
        focus = bool(set(card.members) & set(self.focus))
        return SceneNode(
            id=card.id,
            shape=card.shape,
            type=_type(first) if len(types) == 1 else "mixed",
            kind=first.kind,
            ref=_ref(first) if single else "",
            label=_label(first) if single or card.shape != "group" else stem(_label(first)),
            namespace=first.namespace,
            at=min(node.recorded_at for node in nodes),
            last_at=max(node.recorded_at for node in nodes),
            state="",
            digest=None,
            level="",
            size=None,
            names=[],
            aliases=[],
            focus=focus,
            count=sum(node.count for node in nodes) if single else len(nodes),
            members=[] if single else [_ref(node) for node in nodes[:NAMED]],
            states=states,
            lead=[],
            up=beyond[0],
            down=beyond[1],
            side="",
            layer=picture.layer[card.id],
            importance=1.0 if focus else max(items[key].weight for key in card.members),
            origin_unknown=single and not first.job and not beyond[0].count and picture.layer[card.id] == 0,
            deleted_at=None,
        )


def _item(node: LogicalNode) -> Item:
    deployed = node.kind == DEPLOYMENT and "running" in node.states
    failed = any(state in node.states for state in ("failed", "killed", "lost"))
    weight = 0.9 if deployed else 0.5 if node.kind == "model" else 0.4 if failed else 0.1
    return Item(
        id=node.key,
        alike=(_type(node), node.kind, node.namespace, stem(node.name)),
        anchor=deployed,
        weight=weight,
        at=node.recorded_at,
    )


def _type(node: LogicalNode) -> str:
    return "job" if node.job else "artifact"


def _label(node: LogicalNode) -> str:
    return f"{node.namespace}/{node.name}" if "://" in node.namespace and not node.job else node.name


def _ref(node: LogicalNode) -> str:
    return f"job:{node.name}" if node.job else _label(node)


def _line(line: Line, edges: dict[tuple[int, int], list[LogicalEdge]]) -> SceneEdge:
    found = [edge for pair in line.pairs for edge in edges.get(pair, ())]
    kind = min((edge.kind for edge in found), default=EdgeKind.DERIVED)
    return SceneEdge(
        src=line.src,
        dst=line.dst,
        kind=kind.name.lower(),
        roles=[],
        evidence="",
        rule="",
        count=sum(edge.count for edge in found),
        at=min((edge.first_at for edge in found), default=0),
        also=False,
        loop=line.loop,
        faint=line.faint,
    )
