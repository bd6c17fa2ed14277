"""Scene: what a page draws of a large graph around one or two vertices, within a budget of cards, never silently cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lineal.core.errors import Invalid
from lineal.core.events import Level, State
from lineal.core.lineage import ancestry
from lineal.core.model import Edge, EdgeKind, RunRecord, VersionRecord
from lineal.core.scene import Card, Item, Line, Picture, Walk, draw, stem, walk
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.registry import DEPLOYMENT
from lineal.service.scene_marks import Marks, marks_of
from lineal.service.scene_reply import (
    EXACT,
    LENSES,
    MESSAGES,
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

_MOST_BUDGET = 2000
_GOVERNS = ("environment", "code")
_ENDED_BADLY = (State.FAILED, State.KILLED, State.LOST)


@operation(
    "scene",
    permission="record:read",
    path="/lineage/scene",
    summary="The lineage around something, summarised to a number of cards",
)
def scene(scope: Scope, request: SceneRequest) -> SceneReply:
    """The graph around a run or version as a page draws it: nearest and weightiest first, siblings grouped, steps folded.

    Raises Invalid: an unknown direction, or a budget or depth out of range.
    """
    _refuse(request)
    if request.lens != "versions":
        from lineal.service.scene_logical import logical_scene

        return logical_scene(scope, request)
    refs = [ref for ref in (request.ref, request.compare) if ref]
    focus = [references.find(scope, ref, as_of=request.as_of).node for ref in refs]
    return _Scene(scope, request, list(dict.fromkeys(focus))).reply()


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


class _Scene:
    """One request on its way to a reply."""

    def __init__(self, scope: Scope, request: SceneRequest, focus: list[int]) -> None:
        self.scope = scope
        self.request = request
        self.focus = focus
        self.skip = () if request.governing else _GOVERNS
        self.sides: dict[int, set[int]] = {}

    def reply(self) -> SceneReply:
        seen = self._seen()
        pairs = self._pairs(seen)
        runs = self.scope.store.runs.get_runs(self.scope.tx, list(seen.rank), as_of=self.request.as_of)
        versions = self.scope.store.artifacts.get_versions(
            self.scope.tx, [node for node in seen.rank if node not in runs]
        )
        facts = _Facts(self.scope, runs, versions, as_of=self.request.as_of)
        items = {
            node: facts.item(node, source=not seen.before.get(node))
            for node in seen.rank
            if node in runs or node in versions
        }
        picture = draw(
            items,
            pairs,
            self.focus,
            budget=self.request.budget,
            expand=frozenset(self.request.expand),
            fold=self.request.fold,
        )
        beyond = self._beyond(picture, seen)
        edges = self._edges(picture, pairs)
        also = self._also(edges)
        drawn = {node for card in picture.cards for node in card.members}
        marks = marks_of(
            self.scope,
            drawn,
            [edge for found in edges.values() for edge in found],
            seen.before,
            facts.aliases.keys(),
            as_of=self.request.as_of,
        )
        return SceneReply(
            focus=[str(node) for node in self.focus],
            nodes=[
                facts.card(
                    card,
                    picture,
                    focus=set(self.focus),
                    beyond=beyond[card.id],
                    side=self._side(card, facts),
                    made=not seen.before.get(card.members[0]) and card.members[0] in seen.before,
                    weight=max(items[node].weight for node in card.members),
                    marks=marks,
                )
                for card in picture.cards
            ],
            edges=[_line(line, edges, also, marks) for line in picture.lines],
            drawn=len(drawn),
            hidden=len(picture.hidden),
            cut=bool(picture.hidden) or any(up.count or down.count for up, down in beyond.values()),
            cut_reason=cut_reason(picture, beyond, self.request.budget),
            as_of=self.request.as_of,
        )

    def _ask(self, nodes: Sequence[int], up: bool) -> dict[int, list[int]]:
        return self.scope.store.neighbours.list_neighbours(
            self.scope.tx, nodes, up=up, limit=EXACT + 1, as_of=self.request.as_of, skip=self.skip
        )

    def _seen(self) -> Walk:
        """What lies around the focus; when two are compared, what both were made from."""
        most = seen_for(self.request.budget)
        up, down = self.request.direction != "down", self.request.direction != "up"
        if len(self.focus) == 1:
            return walk(self.focus, self._ask, most=most, up=up, down=down, depth=self.request.depth)
        walks = [
            walk([node], self._ask, most=most, down=False, depth=self.request.depth) for node in self.focus
        ]
        for node, part in zip(self.focus, walks, strict=True):
            self.sides[node] = set(part.rank)
        ranks = sorted((place, node) for part in walks for node, place in part.rank.items())
        rank: dict[int, int] = {}
        for _, node in ranks:
            rank.setdefault(node, len(rank))
        return Walk(
            rank=rank,
            before={node: found for part in walks for node, found in part.before.items()},
            behind={},
            further={node for part in walks for node in part.further},
        )

    def _pairs(self, seen: Walk) -> set[tuple[int, int]]:
        """Every edge among what was seen: what lies behind the focus may also have read what lies before it."""
        missing = [node for node in seen.rank if node not in seen.before]
        seen.before.update(self._ask(missing, True))
        return {
            (other, node) for node, found in seen.before.items() for other in found if other in seen.rank
        } | {(node, other) for node, found in seen.behind.items() for other in found if other in seen.rank}

    def _beyond(self, picture: Picture, seen: Walk) -> dict[str, tuple[Beyond, Beyond]]:
        """Neighbours that are not drawn, before and behind each card."""
        ask = [node for card in picture.cards for node in card.members[:NAMED] if node not in seen.behind]
        return beyond_of(picture, seen.before, {**seen.behind, **self._ask(ask, False)})

    def _edges(self, picture: Picture, pairs: set[tuple[int, int]]) -> dict[tuple[int, int], list[Edge]]:
        """The edges among what is drawn, also those inside a group or chain."""
        edges: dict[tuple[int, int], list[Edge]] = {}
        drawn = {node for card in picture.cards for node in card.members}
        wanted = {pair for pair in pairs if pair[0] in drawn and pair[1] in drawn}
        found = self.scope.store.neighbours.list_between(
            self.scope.tx, wanted, as_of=self.request.as_of, skip=self.skip
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

    def _side(self, card: Card, facts: _Facts) -> str:
        """In a comparison: where the card stands. Changed: the other side has another version of it, or another run of the
        same job."""
        if not self.sides:
            return ""
        left, right = (self.sides[node] for node in self.focus)
        in_left = any(node in left for node in card.members)
        in_right = any(node in right for node in card.members)
        if in_left and in_right:
            return "same"
        series = facts.series(card.members[0])
        other = right - left if in_left else left - right
        if any(facts.series(node) == series for node in other if facts.knows(node)):
            return "changed"
        return "left" if in_left else "right"


class _Facts:
    """What is known of the vertices that were seen."""

    def __init__(
        self,
        scope: Scope,
        runs: dict[int, RunRecord],
        versions: dict[int, VersionRecord],
        *,
        as_of: int | None,
    ) -> None:
        self.runs = runs
        self.versions = versions
        self.names: dict[int, list[str]] = {}
        self.aliases: dict[int, list[str]] = {}
        named = scope.store.registry.list_names_of(scope.tx, list(versions))
        for entry in named:
            self.names.setdefault(entry.node, []).append(f"{entry.name}@{entry.number}")
        for name in sorted({entry.name for entry in named})[:200]:
            for alias in scope.store.registry.list_aliases(scope.tx, name):
                self.aliases.setdefault(alias.node, []).append(f"{alias.name}@{alias.alias}")

    def knows(self, node: int) -> bool:
        return node in self.runs or node in self.versions

    def series(self, node: int) -> tuple[str, str, str]:
        """What a vertex is one happening or state of: a job, or an artifact."""
        if (run := self.runs.get(node)) is not None:
            return ("job", run.namespace, run.job)
        version = self.versions[node]
        return ("artifact", version.namespace, version.name)

    def item(self, node: int, *, source: bool) -> Item:
        run = self.runs.get(node)
        if run is not None:
            live = run.kind == DEPLOYMENT and run.state == State.RUNNING
            return Item(
                id=node,
                alike=("run", run.kind, stem(run.job or run.name), str(run.parent or "")),
                anchor=live,
                weight=0.9 if live else 0.5 if run.state in _ENDED_BADLY else 0.1,
                at=run.started_at,
            )
        version = self.versions[node]
        aliased = node in self.aliases
        return Item(
            id=node,
            alike=("version", version.kind, version.namespace, stem(version.name)),
            anchor=aliased,
            weight=0.8 if aliased else 0.4 if version.kind == "model" else 0.3 if source else 0.1,
            at=version.recorded_at,
        )

    def ref(self, node: int) -> str:
        run = self.runs.get(node)
        return f"run:{run.run_id}" if run is not None else references.artifact_ref(self.versions[node])

    def card(
        self,
        card: Card,
        picture: Picture,
        *,
        focus: set[int],
        beyond: tuple[Beyond, Beyond],
        side: str,
        made: bool,
        weight: float,
        marks: Marks,
    ) -> SceneNode:
        first = card.members[0]
        run, version = self.runs.get(first), self.versions.get(first)
        type, label, kind, namespace, _ = self._said(first)
        ats = [self._said(node)[4] for node in card.members]
        single = len(card.members) == 1
        known = version is not None and version.level in (Level.CONTENT, Level.NATIVE)
        states = Counter(str(self.runs[node].state) for node in card.members if node in self.runs)
        types = {self._said(node)[0] for node in card.members}
        return SceneNode(
            id=card.id,
            shape=card.shape,
            type=type if len(types) == 1 else "mixed",
            kind=kind,
            ref=self.ref(first) if single else "",
            label=label if single or card.shape == "chain" else stem(label),
            namespace=namespace,
            at=min(ats),
            last_at=max(ats),
            state=str(run.state) if run is not None and single else "",
            digest=version.digest if version is not None and known and single else None,
            level=str(version.level) if version is not None and single else "",
            size=version.size if version is not None and single else None,
            names=self.names.get(first, []) if single else [],
            aliases=self.aliases.get(first, []) if single else [],
            focus=any(node in focus for node in card.members),
            count=len(card.members),
            members=[] if single else [self.ref(node) for node in card.members[:NAMED]],
            states=dict(states) if not single else {},
            lead=[] if single else [self.ref(node) for node in _leading(card, picture)],
            up=beyond[0],
            down=beyond[1],
            side=side,
            layer=picture.layer[card.id],
            importance=1.0 if any(node in focus for node in card.members) else weight,
            origin_unknown=made and version is not None and single and version.kind not in _GOVERNS,
            deleted_at=(run.deleted_at if run is not None else version.deleted_at if version else None)
            if single
            else None,
            marks=marks.of(card.members),
        )

    def _said(self, node: int) -> tuple[str, str, str, str, int]:
        run = self.runs.get(node)
        if run is not None:
            label = run.name or run.job if run.kind == DEPLOYMENT else run.job or run.name
            return "run", label or run.run_id[:12], run.kind, run.namespace, run.started_at
        version = self.versions[node]
        label = f"{version.namespace}/{version.name}" if "://" in version.namespace else version.name
        return "version", label, version.kind, version.namespace, version.recorded_at


def _leading(card: Card, picture: Picture) -> list[int]:
    """The members of a group from which a line leads to a single vertex behind it, unless all do."""
    single = {other.id for other in picture.cards if other.shape == "node"}
    leads = {
        src for line in picture.lines if line.src == card.id and line.dst in single for src, _ in line.pairs
    }
    return sorted(leads)[:NAMED] if card.shape == "group" and len(leads) < len(card.members) else []


_DOUBT = ("observed", "imported", "declared", "inferred")


def _line(
    line: Line, edges: Mapping[tuple[int, int], list[Edge]], also: set[tuple[int, int]], marks: Marks
) -> SceneEdge:
    found = [edge for pair in line.pairs for edge in edges.get(pair, ())]
    kinds = Counter(edge.kind for edge in found)
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
        marks=marks.between(line.pairs),
        messages=sorted({edge.batch for edge in found if edge.batch})[:MESSAGES],
        vias=sorted({via for edge in found for via in edge.via.split()})[:NAMED],
        evidences=dict(Counter(str(edge.evidence) for edge in found)),
    )
