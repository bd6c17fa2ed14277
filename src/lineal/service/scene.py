"""Scene: what a page draws of a large graph around one or two vertices, within a budget of cards, never silently cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lineal.core.errors import Invalid
from lineal.core.lineage import ancestry
from lineal.core.model import Edge, EdgeKind
from lineal.core.scene import Card, Line, Picture, Walk, draw
from lineal.core.through import essential, leading_to, led_through
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.scene_facts import Drawn, Facts
from lineal.service.scene_marks import Marks, marks_of
from lineal.service.scene_measures import commits_of, metrics_of
from lineal.service.scene_reply import (
    EXACT,
    LENSES,
    MESSAGES,
    NAMED,
    Beyond,
    SceneEdge,
    SceneReply,
    SceneRequest,
    beyond_of,
    cut_reason,
)
from lineal.service.scene_seen import GOVERNS, Seen, look, open_cards

_MOST_BUDGET = 2000
_MOST_HIDDEN = 50  # kinds


@operation(
    "scene",
    permission="record:read",
    path="/lineage/scene",
    summary="The lineage around something, summarised to a number of cards",
)
def scene(scope: Scope, request: SceneRequest) -> SceneReply:
    """The graph around a run or version as a page draws it: nearest and weightiest first, siblings grouped, steps folded.

    Raises Invalid: an unknown direction or lens, a budget or depth out of range, or parts that exclude each other.
    """
    _refuse(request)
    if request.lens != "versions":
        from lineal.service.scene_logical import logical_scene

        return logical_scene(scope, request)
    refs = [ref for ref in (request.ref, request.compare or request.to) if ref]
    focus = [references.find(scope, ref, as_of=request.as_of).node for ref in refs]
    return _Scene(scope, request, focus).reply()


def _refuse(request: SceneRequest) -> None:
    if request.direction not in ("both", "up", "down"):
        raise Invalid(f"direction {request.direction!r}", hint="`both`, `up` or `down`")
    if request.lens not in LENSES or (request.lens != "overview" and not request.ref):
        raise Invalid(
            f"the lens {request.lens!r} around {request.ref!r}",
            hint="`versions` or `logical` around a ref, or `overview`",
        )
    if not 1 <= request.budget <= _MOST_BUDGET or request.depth < 1:
        raise Invalid(
            f"a budget of {request.budget} cards, a depth of {request.depth}",
            hint=f"a budget of 1 to {_MOST_BUDGET}, a depth of at least 1",
        )
    if request.compare and request.to:
        raise Invalid("to compare with one and to lead to another", hint="`compare` or `to`, not both")
    if (request.compare or request.to) and not request.ref:
        raise Invalid("nothing stands at the other side", hint="give `ref` too")
    if len(request.hide) > _MOST_HIDDEN:
        raise Invalid(f"{len(request.hide)} kinds are to be hidden", hint=f"at most {_MOST_HIDDEN}")


class _Scene:
    """One request on its way to a reply. focus: what was asked for, one vertex or two."""

    def __init__(self, scope: Scope, request: SceneRequest, focus: list[int]) -> None:
        self.scope = scope
        self.request = request
        self.focus = list(dict.fromkeys(focus))
        self.skip = () if request.governing else GOVERNS
        self.seen = look(scope, request, focus, self._ask)

    def reply(self) -> SceneReply:
        seen = self.seen.walk
        also = open_cards(self.request, seen, self._ask)
        every = self._pairs(seen)
        facts = Facts(self.scope, list(seen.rank), as_of=self.request.as_of)
        live = leading_to(facts.living(), every)
        chain = essential(self.focus[0], every, seen.further) if len(self.focus) == 1 else set()
        commits = commits_of(self.scope, list(facts.runs), as_of=self.request.as_of)
        hidden = [
            node for node in seen.rank if facts.kind(node) in self.request.hide and node not in self.focus
        ]
        pairs, through, gone = led_through(every, hidden) if hidden else (every, {}, set())
        items = {
            node: facts.item(
                node,
                source=not seen.before.get(node),
                serves=node in live,
                essential=node in chain,
                commit=commits.get(node, ""),
            )
            for node in seen.rank
            if facts.knows(node) and node not in gone
        }
        picture = draw(
            items,
            pairs,
            self.focus,
            budget=self.request.budget,
            expand=frozenset(self.request.expand),
            fold=self.request.fold,
            also=also,
        )
        beyond = self._beyond(picture, seen, gone)
        edges = self._edges(picture, pairs, through)
        unfollowed = self._also(edges)
        told = self._told(picture, facts, edges, commits, essential=chain, live=live)
        return SceneReply(
            focus=[str(node) for node in self.focus],
            nodes=[
                facts.card(
                    card,
                    told,
                    beyond=beyond[card.id],
                    side=self._side(card, facts),
                    made=not seen.before.get(card.members[0]) and card.members[0] in seen.before,
                    weight=max(items[node].weight for node in card.members),
                )
                for card in picture.cards
            ],
            edges=[_line(line, edges, unfollowed, told.marks, through, self.seen) for line in picture.lines],
            drawn=sum(len(card.members) for card in picture.cards),
            hidden=len(picture.hidden),
            cut=bool(picture.hidden or self.seen.told)
            or any(up.count or down.count for up, down in beyond.values()),
            cut_reason=cut_reason(picture, beyond, self.request.budget, told=self.seen.told),
            as_of=self.request.as_of,
            valid_at=self.request.valid_at,
        )

    def _told(
        self,
        picture: Picture,
        facts: Facts,
        edges: Mapping[tuple[int, int], list[Edge]],
        commits: Mapping[int, str],
        *,
        essential: set[int],
        live: set[int],
    ) -> Drawn:
        """What is said of what is drawn."""
        drawn = {node for card in picture.cards for node in card.members}
        before = self.seen.walk.before
        makers = {node: before.get(node, [])[:1] for node in drawn if facts.kind(node) == "model"}
        return Drawn(
            focus=frozenset(self.focus),
            picture=picture,
            marks=marks_of(
                self.scope,
                drawn,
                [edge for found in edges.values() for edge in found],
                before,
                facts.aliases.keys(),
                runs=facts.runs,
                versions=facts.versions,
                as_of=self.request.as_of,
            ),
            metrics=metrics_of(self.scope, picture, facts, makers),
            commits=commits,
            essential=essential,
            live=live,
            ways={end for pair in self.seen.ways for end in pair},
        )

    def _ask(self, nodes: Sequence[int], up: bool) -> dict[int, list[int]]:
        return self.scope.store.neighbours.list_neighbours(
            self.scope.tx,
            nodes,
            up=up,
            limit=EXACT + 1,
            as_of=self.request.as_of,
            valid_at=self.request.valid_at,
            skip=self.skip,
        )

    def _pairs(self, seen: Walk) -> set[tuple[int, int]]:
        """Every edge among what was seen: what lies behind the focus may also have read what lies before it."""
        missing = [node for node in seen.rank if node not in seen.before]
        seen.before.update(self._ask(missing, True))
        return {
            (other, node) for node, found in seen.before.items() for other in found if other in seen.rank
        } | {(node, other) for node, found in seen.behind.items() for other in found if other in seen.rank}

    def _beyond(self, picture: Picture, seen: Walk, gone: set[int]) -> dict[str, tuple[Beyond, Beyond]]:
        """Neighbours that are not drawn, before and behind each card."""
        ask = [node for card in picture.cards for node in card.members[:NAMED] if node not in seen.behind]
        return beyond_of(picture, seen.before, {**seen.behind, **self._ask(ask, False)}, gone)

    def _edges(
        self,
        picture: Picture,
        pairs: set[tuple[int, int]],
        through: Mapping[tuple[int, int], tuple[tuple[int, int], ...]],
    ) -> dict[tuple[int, int], list[Edge]]:
        """The edges among what is drawn, also those inside a group or chain and those that lead through what is hidden."""
        edges: dict[tuple[int, int], list[Edge]] = {}
        drawn = {node for card in picture.cards for node in card.members}
        wanted = {
            step
            for pair in pairs
            if pair[0] in drawn and pair[1] in drawn
            for step in through.get(pair, (pair,))
        }
        found = self.scope.store.neighbours.list_between(
            self.scope.tx, wanted, as_of=self.request.as_of, valid_at=self.request.valid_at, skip=self.skip
        )
        for edge in found:
            edges.setdefault((edge.src, edge.dst), []).append(edge)
        return edges

    def _also(self, edges: Mapping[tuple[int, int], list[Edge]]) -> set[tuple[int, int]]:
        """Producers among what is drawn that the ancestry of the focus does not follow."""
        every = [edge for found in edges.values() for edge in found]
        left: set[tuple[int, int]] = set()
        for node in self.focus:
            answer = ancestry(node, every)
            left |= {(edge.src, edge.dst) for edge in [*answer.also, *answer.loops]}
            left -= {(edge.src, edge.dst) for edge in answer.edges}
        return left

    def _side(self, card: Card, facts: Facts) -> str:
        """In a comparison: where the card stands. Changed: the other side has another version of it, or another run of the
        same job."""
        if not self.seen.sides:
            return ""
        left, right = self.seen.sides
        in_left = any(node in left for node in card.members)
        in_right = any(node in right for node in card.members)
        if in_left == in_right:
            return "same" if in_left else ""
        series = facts.series(card.members[0])
        other = right - left if in_left else left - right
        if any(facts.series(node) == series for node in other if facts.knows(node)):
            return "changed"
        return "left" if in_left else "right"


_DOUBT = ("observed", "imported", "declared", "inferred")


def _line(
    line: Line,
    edges: Mapping[tuple[int, int], list[Edge]],
    also: set[tuple[int, int]],
    marks: Marks,
    through: Mapping[tuple[int, int], tuple[tuple[int, int], ...]],
    seen: Seen,
) -> SceneEdge:
    steps = [step for pair in line.pairs for step in through.get(pair, (pair,))]
    found = [edge for step in steps for edge in edges.get(step, ())]
    kinds = Counter(edge.kind for pair in line.pairs if pair not in through for edge in edges.get(pair, ()))
    return SceneEdge(
        src=line.src,
        dst=line.dst,
        kind=(kinds.most_common(1)[0][0] if kinds else EdgeKind.DERIVED).name.lower(),
        roles=sorted({edge.role for edge in found if edge.role}),
        evidence=max((str(edge.evidence) for edge in found), key=_DOUBT.index, default="inferred"),
        rule=next((edge.rule for edge in found if edge.rule), ""),
        count=len(found),
        at=min((edge.at for edge in found), default=0),
        also=all(pair in also for pair in line.pairs),
        loop=line.loop,
        faint=line.faint,
        marks=marks.between(steps),
        messages=sorted({edge.batch for edge in found if edge.batch})[:MESSAGES],
        vias=sorted({via for edge in found for via in edge.via.split()})[:NAMED],
        evidences=dict(Counter(str(edge.evidence) for edge in found)),
        over=min((len(through[pair]) - 1 if pair in through else 0 for pair in line.pairs), default=0),
        way=any(step in seen.ways for step in steps),
        recorded_at=min((edge.recorded_at for edge in found), default=0),
    )
