"""Questions to the graph about two things or about all that depends on one: path, impact, common, why, inherited."""

from __future__ import annotations

from collections import Counter

import msgspec

from lineal.core import paths
from lineal.core.errors import Invalid
from lineal.core.lineage import ancestry
from lineal.core.model import Edge, EdgeKind
from lineal.service import references
from lineal.service.lineage import (
    BUDGET,
    DEPTH,
    GOVERNS,
    GraphEdge,
    GraphNode,
    graph_edge,
    graph_nodes,
)
from lineal.service.operations import Scope, operation
from lineal.service.registry import DEPLOYMENT

_MOST_PATHS = 100
_WIDE = 200_000  # vertices of a walk whose nodes are not all described


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What narrows every question.

    as_of: as recorded by then; valid_at: only what had happened by then; since: only edges of things that happened from then on
    (all microseconds UTC). evidence: only edges known so. kinds, namespace, tag: only these of what is found are listed; what
    lies between still counts. governing: also code and environment.
    """

    as_of: int | None = None
    valid_at: int | None = None
    since: int | None = None
    evidence: list[str] = []
    kinds: list[str] = []
    namespace: str = ""
    tag: str = ""
    governing: bool = False


class PathRequest(Asked, frozen=True, kw_only=True):
    """The shortest ways between a and b, in whichever direction data flowed. most: 1 to 100."""

    a: str
    b: str
    most: int = 5


class PathReply(msgspec.Struct, frozen=True, kw_only=True):
    """paths: each a list of node ids from the source on; empty when no way leads from one to the other.

    reversed: data flows from b to a. cut: the walk stopped before everything was looked at.
    """

    a: int
    b: int
    paths: list[list[int]]
    reversed: bool
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    cut: bool
    cut_reason: str
    as_of: int | None


class ImpactRequest(Asked, frozen=True, kw_only=True):
    """What depends on ref. limit: how many are listed, nearest first, 1 to 10,000; offset: how many to leave out before."""

    ref: str
    limit: int = 100
    offset: int = 0


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """Something downstream. distance: edges. owner: from its `owner` tag, else who ran it or made it."""

    ref: str
    label: str
    type: str
    kind: str
    namespace: str
    distance: int
    names: list[str]
    state: str
    owner: str


class ImpactReply(msgspec.Struct, frozen=True, kw_only=True):
    """total: everything downstream; counts: by kind; live: deployments that run now; owners: how much is whose, among what is
    listed. exact: whether the total is; cut: whether the list leaves something out. computing: how far (0 to 1) a snapshot is with
    which the next question will be answered whole; None when none is being built."""

    ref: str
    total: int
    exact: bool
    counts: dict[str, int]
    live: list[Affected]
    owners: dict[str, int]
    affected: list[Affected]
    cut: bool
    cut_reason: str
    as_of: int | None
    computing: float | None = None


class PairRequest(Asked, frozen=True, kw_only=True):
    """Two runs or versions."""

    a: str
    b: str


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """Something that both were made from. nearest: nothing that both were made from lies between."""

    node: GraphNode
    distance_a: int
    distance_b: int
    nearest: bool


class CommonReply(msgspec.Struct, frozen=True, kw_only=True):
    """common: nearest first. cut: an ancestry was too large to look at whole."""

    a: str
    b: str
    common: list[Common]
    cut: bool
    as_of: int | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact or job that differs between two ancestries.

    status: `changed` (both have it, in other versions or runs), `only_a`, `only_b`. a, b: references. cause: nothing before it
    differs, so the difference began here. distance: edges from the nearer of the two.
    """

    name: str
    type: str
    kind: str
    status: str
    a: list[str]
    b: list[str]
    cause: bool
    distance: int


class WhyReply(msgspec.Struct, frozen=True, kw_only=True):
    """differences: causes first, then the nearest; same: how many artifacts and jobs are the same in both ancestries."""

    a: str
    b: str
    differences: list[Difference]
    same: int
    cut: bool
    as_of: int | None


class InheritedRequest(Asked, frozen=True, kw_only=True):
    """The tags that reach ref from what it was made from; tag: only of that key, or `KEY:VALUE`."""

    ref: str


class Inherited(msgspec.Struct, frozen=True, kw_only=True):
    """A tag of an ancestor. path: references from there to what was asked for; distance: edges."""

    key: str
    value: str
    source: str
    distance: int
    path: list[str]


class InheritedReply(msgspec.Struct, frozen=True, kw_only=True):
    """tags: the nearest first; its own have distance 0."""

    ref: str
    tags: list[Inherited]
    cut: bool
    as_of: int | None


@operation("path", permission="record:read", path="/path", summary="How one thing came to be in another")
def path(scope: Scope, request: PathRequest) -> PathReply:
    """The shortest ways from a to b, or from b to a. Raises Invalid: `most` is out of range."""
    if not 1 <= request.most <= _MOST_PATHS:
        raise Invalid(f"{request.most} paths", hint=f"1 to {_MOST_PATHS}")
    a, b = (references.find(scope, ref, as_of=request.as_of).node for ref in (request.a, request.b))
    cut = False
    for source, goal in ((a, b), (b, a)):
        edges, over = walk(scope, goal, request, up=True, budget=_WIDE)
        cut |= over
        ways = paths.shortest(source, goal, edges, most=request.most)
        if ways or source == goal:
            break
    steps = list({(edge.src, edge.dst, edge.kind): edge for way in ways for edge in way}.values())
    return PathReply(
        a=a,
        b=b,
        paths=[[way[0].src, *(edge.dst for edge in way)] if way else [a] for way in ways],
        reversed=bool(ways) and source == b and a != b,
        nodes=graph_nodes(scope, source if ways else a, steps, [], explain=False),
        edges=[graph_edge(edge) for edge in steps],
        cut=cut and not ways,
        cut_reason=f"stopped at {_WIDE:,} vertices" if cut and not ways else "",
        as_of=request.as_of,
    )


@operation(
    "impact", permission="record:read", path="/impact", summary="What depends on something, by distance"
)
def impact(scope: Scope, request: ImpactRequest) -> ImpactReply:
    """Everything downstream, counted by kind, the nearest listed first with its owner. Raises Invalid: limit out of range."""
    if not 1 <= request.limit <= 10_000 or request.offset < 0:
        raise Invalid(
            f"a limit of {request.limit}, an offset of {request.offset}", hint="1 to 10000, and 0 or more"
        )
    root = references.find(scope, request.ref, as_of=request.as_of).node
    if plain(request) and scope.store.has_snapshot():
        from lineal.service.hubs import from_snapshot

        if (large := from_snapshot(scope, root, request)) is not None:
            return large
    edges, over = walk(scope, root, request, up=False, budget=BUDGET)
    if over and plain(request):
        scope.store.snapshots.build_soon()
    away = paths.distances(root, edges, up=False)
    del away[root]
    wanted = _wanted(scope, list(away), request)
    listed = sorted(wanted, key=lambda node: (away[node], node))
    page = listed[request.offset : request.offset + request.limit]
    live = [
        run.node
        for run in scope.store.runs.get_runs(scope.tx, list(away)).values()
        if run.kind == DEPLOYMENT and str(run.state) == "running"
    ]
    described = affected(scope, sorted({*page, *live}), away)
    shown = [described[node] for node in page]
    return ImpactReply(
        ref=request.ref,
        total=len(wanted),
        exact=not over,
        counts=dict(sorted(counts(scope, wanted).items())),
        live=[described[node] for node in sorted(live, key=lambda node: (away[node], node))],
        owners=dict(Counter(item.owner for item in shown if item.owner).most_common()),
        affected=shown,
        cut=over or len(listed) > len(page),
        cut_reason=cut_reason(over, len(listed), len(page)),
        computing=scope.store.snapshots.progress().share if over and plain(request) else None,
        as_of=request.as_of,
    )


def plain(request: ImpactRequest) -> bool:
    """Whether nothing narrows the walk or the list, so that a snapshot of now answers it."""
    times = (request.as_of, request.valid_at, request.since)
    return all(moment is None for moment in times) and not (
        request.evidence or request.kinds or request.namespace or request.tag or request.governing
    )


@operation("common", permission="record:read", path="/common", summary="What two things were both made from")
def common(scope: Scope, request: PairRequest) -> CommonReply:
    """The common ancestors of a and b, the nearest marked."""
    a, b = (references.find(scope, ref, as_of=request.as_of).node for ref in (request.a, request.b))
    edges_a, over_a = walk(scope, a, request, up=True, budget=BUDGET)
    edges_b, over_b = walk(scope, b, request, up=True, budget=BUDGET)
    away_a, away_b = (paths.distances(node, e, up=True) for node, e in ((a, edges_a), (b, edges_b)))
    near, far = paths.nearest_common(away_a, away_b, [*edges_a, *edges_b])
    wanted = _wanted(scope, [*near, *far], request)
    nodes = {node.id: node for node in _nodes(scope, sorted(wanted))}
    return CommonReply(
        a=request.a,
        b=request.b,
        common=[
            Common(node=nodes[node], distance_a=away_a[node], distance_b=away_b[node], nearest=node in near)
            for node in [*near, *far]
            if node in nodes
        ],
        cut=over_a or over_b,
        as_of=request.as_of,
    )


@operation("why", permission="record:read", path="/why", summary="How the ancestries of two things differ")
def why(scope: Scope, request: PairRequest) -> WhyReply:
    """What differs between everything a and b were made from, by artifact and job, and where the differences began."""
    a, b = (references.find(scope, ref, as_of=request.as_of).node for ref in (request.a, request.b))
    sides: list[dict[tuple[str, str, str], list[int]]] = []
    every: list[Edge] = []
    away: dict[int, int] = {}
    cut = False
    kinds: dict[tuple[str, str, str], tuple[str, str]] = {}
    names: dict[int, str] = {}
    for node in (a, b):
        edges, over = walk(scope, node, request, up=True, budget=BUDGET)
        edges = ancestry(node, edges).edges
        cut |= over
        every += edges
        reached = paths.distances(node, edges, up=True)
        for other, hops in reached.items():
            away[other] = min(hops, away.get(other, hops))
        sides.append(_series(scope, sorted(_wanted(scope, list(reached), request)), kinds, names))
    left, right = sides
    same = sum(sorted(left[key]) == sorted(right[key]) for key in left.keys() & right.keys())
    differing = {
        key for key in left.keys() | right.keys() if sorted(left.get(key, [])) != sorted(right.get(key, []))
    }
    nodes = {node for key in differing for side in sides for node in side.get(key, [])} - (
        {n for found in left.values() for n in found} & {n for found in right.values() for n in found}
    )
    first = paths.causes(nodes, every)
    found = [
        Difference(
            name=key[2],
            type=kinds[key][0],
            kind=kinds[key][1],
            status="changed" if key in left and key in right else "only_a" if key in left else "only_b",
            a=[names[node] for node in left.get(key, [])],
            b=[names[node] for node in right.get(key, [])],
            cause=any(node in first for side in sides for node in side.get(key, [])),
            distance=min(away[node] for side in sides for node in side.get(key, [])),
        )
        for key in differing
    ]
    return WhyReply(
        a=request.a,
        b=request.b,
        differences=sorted(found, key=lambda item: (not item.cause, item.distance, item.name)),
        same=same,
        cut=cut,
        as_of=request.as_of,
    )


@operation(
    "inherited",
    permission="record:read",
    path="/inherited",
    summary="Which tags reach something from upstream",
)
def inherited(scope: Scope, request: InheritedRequest) -> InheritedReply:
    """Every tag of everything it was made from, with the way by which it reaches."""
    root = references.find(scope, request.ref, as_of=request.as_of).node
    edges, over = walk(scope, root, request, up=True, budget=BUDGET)
    away = paths.distances(root, edges, up=True)
    members = scope.store.joins.expand(scope.tx, list(away))
    tags = scope.store.attributes.get_tags(scope.tx, members, as_of=request.as_of)
    stands = scope.store.joins.canonical(scope.tx, list(tags))
    key, _, value = request.tag.replace(":", "=", 1).partition("=")
    found = [
        (stands.get(node, node), tag)
        for node, given in tags.items()
        for tag in given
        if (not request.tag and not tag.key.startswith(("mlflow.", "lineal.")))
        or (tag.key == key and (not value or tag.value == value))
        or tag.key == request.tag
    ]
    names = _refs(scope, sorted(away))
    listed = []
    for node, tag in sorted(found, key=lambda item: (away.get(item[0], 0), item[1].key, item[0])):
        way = next(iter(paths.shortest(node, root, edges, most=1)), [])
        listed.append(
            Inherited(
                key=tag.key,
                value=tag.value,
                source=names.get(node, ""),
                distance=away.get(node, 0),
                path=[names[node], *(names[edge.dst] for edge in way)],
            )
        )
    return InheritedReply(ref=request.ref, tags=listed, cut=over, as_of=request.as_of)


# ---- what the questions share


def walk(scope: Scope, root: int, asked: Asked, *, up: bool, budget: int) -> tuple[list[Edge], bool]:
    """The edges of a closure that the request lets through, and whether the budget cut it short.

    An edge that is not let through leads nowhere: what lies only behind it is not reached.
    """
    ask = scope.store.edges.upstream if up else scope.store.edges.downstream
    edges, over = ask(scope.tx, root, depth=DEPTH, budget=budget, as_of=asked.as_of)
    kept = [edge for edge in edges if _passes(edge, asked)]
    if len(kept) < len(edges):
        reached = paths.distances(root, kept, up=up)
        kept = [edge for edge in kept if edge.src in reached and edge.dst in reached]
    return kept, over


def _passes(edge: Edge, asked: Asked) -> bool:
    if not asked.governing and edge.kind == EdgeKind.USED and edge.role in GOVERNS:
        return False
    if asked.valid_at is not None and edge.at > asked.valid_at:
        return False
    if asked.since is not None and edge.at < asked.since:
        return False
    return not asked.evidence or str(edge.evidence) in asked.evidence


def _wanted(scope: Scope, nodes: list[int], asked: Asked) -> list[int]:
    """Those of the vertices that are of the kinds, namespace and tag that were asked for."""
    if not (asked.kinds or asked.namespace or asked.tag):
        return nodes
    runs = scope.store.runs.get_runs(scope.tx, nodes)
    versions = scope.store.artifacts.get_versions(scope.tx, [node for node in nodes if node not in runs])
    found = []
    for node in nodes:
        record = runs.get(node) or versions.get(node)
        if record is None:
            continue
        kinds = {record.kind, "run" if node in runs else "version"}
        if asked.kinds and not kinds & set(asked.kinds):
            continue
        if asked.namespace and record.namespace != asked.namespace:
            continue
        found.append(node)
    if asked.tag:
        key, _, value = asked.tag.replace(":", "=", 1).partition("=")
        tags = scope.store.attributes.get_tags(scope.tx, found, as_of=asked.as_of)
        found = [
            node
            for node in found
            if any(
                tag.key == asked.tag or (tag.key == key and (not value or tag.value == value))
                for tag in tags.get(node, [])
            )
        ]
    return found


def counts(scope: Scope, nodes: list[int]) -> Counter[str]:
    """How many of these vertices are of which kind."""
    runs = scope.store.runs.get_runs(scope.tx, nodes)
    versions = scope.store.artifacts.get_versions(scope.tx, [node for node in nodes if node not in runs])
    return Counter([*(run.kind for run in runs.values()), *(version.kind for version in versions.values())])


def affected(scope: Scope, nodes: list[int], away: dict[int, int]) -> dict[int, Affected]:
    """The vertices as an impact lists them; away: their distances."""
    tags = scope.store.attributes.get_tags(scope.tx, nodes)
    owners = {node: tag.value for node, given in tags.items() for tag in given if tag.key == "owner"}
    runs = scope.store.runs.get_runs(scope.tx, nodes)
    versions = [node for node in nodes if node not in runs]
    makers = {
        edge.dst: edge.src
        for edge in scope.store.edges.get_in(scope.tx, versions)
        if edge.kind == EdgeKind.GENERATED
    }
    ran = scope.store.runs.get_runs(scope.tx, sorted({*makers.values(), *runs}))
    return {
        node.id: Affected(
            ref=node.ref,
            label=node.label,
            type=node.type,
            kind=node.kind,
            namespace=node.namespace,
            distance=away.get(node.id, 0),
            names=node.names,
            state=node.state,
            owner=owners.get(node.id) or _actor(ran.get(makers.get(node.id, node.id))),
        )
        for node in _nodes(scope, nodes)
    }


def _actor(run: object) -> str:
    return str(getattr(run, "actor", "") or "")


def _nodes(scope: Scope, nodes: list[int]) -> list[GraphNode]:
    if not nodes:
        return []
    loose = [Edge(src=node, dst=node, kind=EdgeKind.DERIVED, at=0) for node in nodes]
    return graph_nodes(scope, nodes[0], loose, [], explain=False)


def _refs(scope: Scope, nodes: list[int]) -> dict[int, str]:
    return {node.id: node.ref for node in _nodes(scope, nodes)}


def _series(
    scope: Scope,
    nodes: list[int],
    kinds: dict[tuple[str, str, str], tuple[str, str]],
    names: dict[int, str],
) -> dict[tuple[str, str, str], list[int]]:
    """Vertices by the job or artifact that they are a run or version of."""
    runs = scope.store.runs.get_runs(scope.tx, nodes)
    versions = scope.store.artifacts.get_versions(scope.tx, [node for node in nodes if node not in runs])
    found: dict[tuple[str, str, str], list[int]] = {}
    for node, run in runs.items():
        key = ("run", run.namespace, run.job)
        found.setdefault(key, []).append(node)
        kinds[key], names[node] = ("run", run.kind), f"run:{run.run_id}"
    for node, version in versions.items():
        key = ("version", version.namespace, version.name)
        found.setdefault(key, []).append(node)
        kinds[key], names[node] = ("version", version.kind), references.artifact_ref(version)
    return found


def cut_reason(over: bool, found: int, listed: int) -> str:
    """What an impact leaves out, in words; empty when nothing."""
    if over:
        return f"more than {BUDGET:,} things depend on it; the nearest {listed:,} are listed"
    return f"{listed:,} of {found:,} are listed" if found > listed else ""
