"""The scene without versions: artifacts and jobs, around one of them or of the whole record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineal.core.errors import Invalid, NotFound
from lineal.core.model import EdgeKind
from lineal.core.scene import Card, Item, Line, Picture, Walk, draw, stem, walk
from lineal.core.through import essential as everything_through
from lineal.core.through import leading_to, led_through
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
    steps,
)
from lineal.service.scene_seen import GOVERNS, look, open_cards
from lineal.store.logical import LogicalEdge, LogicalNode


def logical_scene(scope: Scope, request: SceneRequest) -> SceneReply:
    """The artifacts and jobs around what `ref` is a version or run of; of the whole record where nothing was named.

    Raises Invalid: code and environment were asked for, which this view does not have.
    """
    if request.governing:
        raise Invalid(
            f"the lens {request.lens!r} does not show code and environment",
            hint="use the lens `versions` for that",
        )
    return _Logical(scope, request).reply()


class _Logical:
    def __init__(self, scope: Scope, request: SceneRequest) -> None:
        self.scope, self.request, self.logical = scope, request, scope.store.logical
        self.sides: list[dict[int, set[int]]] = []
        self.ways: set[tuple[int, int]] = set()
        self.told = ""
        self.names: dict[int, list[str]] = {}
        refs = [ref for ref in (request.ref, request.compare or request.to) if ref]
        self.nodes = [references.find(scope, ref, as_of=request.as_of).node for ref in refs]
        series = self.logical.series_of(scope.tx, self.nodes)
        for ref, node in zip(refs, self.nodes, strict=True):
            if node not in series:
                raise NotFound(f"{ref!r} is neither a run nor a version", hint="name one")
        self.focus = list(dict.fromkeys(series[node] for node in self.nodes))

    def reply(self) -> SceneReply:
        seen = self._seen()
        also = open_cards(self.request, seen, self._ask)
        known = self.logical.describe(self.scope.tx, list(seen.rank))
        missing = [key for key in seen.rank if key not in seen.before]
        seen.before.update(self._ask(missing, True))
        pairs = {(o, k) for k, found in seen.before.items() for o in found} | {
            (k, o) for k, found in seen.behind.items() for o in found
        }
        self._name(known)
        focus = [key for key in self.focus if key in known]
        deployed = [key for key, node in known.items() if _live(node)]
        live = leading_to(deployed, pairs)
        chain = everything_through(focus[0], pairs, seen.further) if len(focus) == 1 else set()
        hidden = [k for k in seen.rank if k in known and _hidden(known[k], self.request) and k not in focus]
        pairs, through, gone = led_through(pairs, hidden) if hidden else (pairs, {}, set())
        items = {
            key: _item(known[key], serves=key in live, essential=key in chain)
            for key in seen.rank
            if key in known and key not in gone
        }
        picture = draw(
            items,
            pairs,
            focus,
            budget=self.request.budget,
            expand=frozenset(self.request.expand),
            fold=self.request.fold,
            chains=False,  # the steps are what this view is for
            also=also,
        )
        asked = [k for card in picture.cards for k in card.members[:NAMED] if k not in seen.behind]
        seen.behind.update(self._ask(asked, False))
        beyond = beyond_of(picture, seen.before, seen.behind, gone)
        wanted = {
            step for line in picture.lines for pair in line.pairs for step in through.get(pair, (pair,))
        }
        edges: dict[tuple[int, int], list[LogicalEdge]] = {}
        then = self.request.valid_at
        for edge in self.logical.list_between(self.scope.tx, wanted):
            if then is None or edge.first_at <= then:
                edges.setdefault((edge.src, edge.dst), []).append(edge)
        return SceneReply(
            lens=self.request.lens,
            focus=[card.id for card in picture.cards if set(card.members) & set(self.focus)],
            nodes=[
                self._card(card, known, picture, beyond[card.id], items, essential=chain, live=live)
                for card in picture.cards
            ],
            edges=[_line(line, edges, through, self.ways) for line in picture.lines],
            drawn=sum(len(card.members) for card in picture.cards),
            hidden=len(picture.hidden),
            cut=bool(picture.hidden or self.told)
            or any(up.count or down.count for up, down in beyond.values()),
            cut_reason=cut_reason(
                picture, beyond, self.request.budget, what="artifacts and jobs", told=self.told
            ),
            as_of=self.request.as_of,
            valid_at=self.request.valid_at,
        )

    def _name(self, known: dict[int, LogicalNode]) -> None:
        """The registered names of the newest versions, by their vertex."""
        newest = [node.newest for node in known.values() if not node.job]
        for entry in self.scope.store.registry.list_names_of(self.scope.tx, newest):
            self.names.setdefault(entry.node, []).append(f"{entry.name}@{entry.number}")

    def _ask(self, keys: Sequence[int], up: bool) -> dict[int, list[int]]:
        return self.logical.list_neighbours(
            self.scope.tx,
            keys,
            up=up,
            limit=EXACT + 1,
            as_of=self.request.as_of,
            valid_at=self.request.valid_at,
        )

    def _seen(self) -> Walk:
        most = seen_for(self.request.budget)
        if len(self.nodes) > 1:
            return self._of_two()
        if self.focus:
            up, down = self.request.direction != "down", self.request.direction != "up"
            return walk(self.focus, self._ask, most=most, up=up, down=down, depth=self.request.depth)
        greatest = self.logical.list_greatest(
            self.scope.tx, limit=most, as_of=self.request.as_of, valid_at=self.request.valid_at
        )
        return Walk(
            rank={key: place for place, key in enumerate(greatest)}, before={}, behind={}, further=set()
        )

    def _of_two(self) -> Walk:
        """The artifacts and jobs of two ancestries, or on the ways between two: of the very versions and runs."""
        request = self.request

        def ask(nodes: Sequence[int], up: bool) -> dict[int, list[int]]:
            return self.scope.store.neighbours.list_neighbours(
                self.scope.tx,
                nodes,
                up=up,
                limit=EXACT + 1,
                as_of=request.as_of,
                valid_at=request.valid_at,
                skip=GOVERNS,
            )

        seen = look(self.scope, request, self.nodes, ask)
        series = self.logical.series_of(self.scope.tx, list(seen.walk.rank))
        rank: dict[int, int] = {}
        for node in seen.walk.rank:
            if node in series:
                rank.setdefault(series[node], len(rank))
        for side in seen.sides:
            by_key: dict[int, set[int]] = {}
            for node in side & series.keys():
                by_key.setdefault(series[node], set()).add(node)
            self.sides.append(by_key)
        self.ways = {(series[a], series[b]) for a, b in seen.ways if a in series and b in series}
        self.told = seen.told
        return Walk(rank=rank, before={}, behind={}, further=set())

    def _side(self, card: Card) -> str:
        """In a comparison: whether both have it with the very same versions or runs, with others, or only one of them."""
        if not self.sides:
            return ""
        left, right = ({key: side[key] for key in card.members if key in side} for side in self.sides)
        if left and right:
            return "same" if left == right else "changed"
        return "left" if left else "right" if right else ""

    def _card(
        self,
        card: Card,
        known: dict[int, LogicalNode],
        picture: Picture,
        beyond: tuple[Beyond, Beyond],
        items: dict[int, Item],
        *,
        essential: set[int],
        live: set[int],
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
            label=_label(first)
            if single
            else stem(_label(first))
            if card.shape == "group"
            else steps([_label(node) for node in nodes]),
            namespace=first.namespace,
            at=min(node.recorded_at for node in nodes),
            last_at=max(node.recorded_at for node in nodes),
            state="",
            digest=None,
            level="",
            size=None,
            names=self.names.get(first.newest, []) if single and not first.job else [],
            aliases=[],
            focus=focus,
            count=sum(node.count for node in nodes) if single else len(nodes),
            members=[] if single else [_ref(node) for node in nodes[:NAMED]],
            states=states,
            lead=[],
            up=beyond[0],
            down=beyond[1],
            side=self._side(card),
            essential=not essential.isdisjoint(card.members),
            serves=not live.isdisjoint(card.members),
            way=any(end in card.members for pair in self.ways for end in pair),
            layer=picture.layer[card.id],
            importance=1.0 if focus else max(items[key].weight for key in card.members),
            origin_unknown=single and not first.job and not beyond[0].count and picture.layer[card.id] == 0,
            deleted_at=None,
        )


def _live(node: LogicalNode) -> bool:
    return node.kind == DEPLOYMENT and "running" in node.states


def _hidden(node: LogicalNode, request: SceneRequest) -> bool:
    return node.kind in request.hide or (node.job and "job" in request.hide)


def _item(node: LogicalNode, *, serves: bool, essential: bool) -> Item:
    deployed = _live(node)
    failed = any(state in node.states for state in ("failed", "killed", "lost"))
    weight = 0.9 if deployed else 0.5 if node.kind == "model" else 0.4 if failed else 0.1
    return Item(
        id=node.key,
        alike=(_type(node), node.kind, node.namespace, stem(node.name)),
        anchor=deployed,
        weight=max(weight, 0.7 if essential else 0.6 if serves else 0.0),
        at=node.recorded_at,
    )


def _type(node: LogicalNode) -> str:
    return "job" if node.job else "artifact"


def _label(node: LogicalNode) -> str:
    return f"{node.namespace}/{node.name}" if "://" in node.namespace and not node.job else node.name


def _ref(node: LogicalNode) -> str:
    return f"job:{node.name}" if node.job else _label(node)


def _line(
    line: Line,
    edges: dict[tuple[int, int], list[LogicalEdge]],
    through: Mapping[tuple[int, int], tuple[tuple[int, int], ...]],
    ways: set[tuple[int, int]],
) -> SceneEdge:
    steps = [step for pair in line.pairs for step in through.get(pair, (pair,))]
    found = [edge for step in steps for edge in edges.get(step, ())]
    own = [edge for pair in line.pairs if pair not in through for edge in edges.get(pair, ())]
    kind = min((edge.kind for edge in own), default=EdgeKind.DERIVED)
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
        over=min((len(through[pair]) - 1 if pair in through else 0 for pair in line.pairs), default=0),
        way=any(step in ways for step in steps),
    )
