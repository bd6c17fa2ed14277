"""Questions to the graph about two things, and about what reaches one: path, common, why, inherited."""

from __future__ import annotations

import msgspec

from lineal.core import paths
from lineal.core.errors import Invalid
from lineal.core.lineage import ancestry
from lineal.core.model import Edge
from lineal.service import references
from lineal.service.asked import Asked, nodes_of, refs_of, walk, wanted
from lineal.service.lineage import BUDGET, GraphEdge, GraphNode, graph_edge, graph_nodes
from lineal.service.operations import Scope, operation

_MOST_PATHS = 100
_WIDE = 200_000  # vertices of a walk whose nodes are not all described


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


@operation("common", permission="record:read", path="/common", summary="What two things were both made from")
def common(scope: Scope, request: PairRequest) -> CommonReply:
    """The common ancestors of a and b, the nearest marked."""
    a, b = (references.find(scope, ref, as_of=request.as_of).node for ref in (request.a, request.b))
    edges_a, over_a = walk(scope, a, request, up=True, budget=BUDGET)
    edges_b, over_b = walk(scope, b, request, up=True, budget=BUDGET)
    away_a, away_b = (paths.distances(node, e, up=True) for node, e in ((a, edges_a), (b, edges_b)))
    near, far = paths.nearest_common(away_a, away_b, [*edges_a, *edges_b])
    listed = wanted(scope, [*near, *far], request)
    nodes = {node.id: node for node in nodes_of(scope, sorted(listed))}
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
        sides.append(_series(scope, sorted(wanted(scope, list(reached), request)), kinds, names))
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
    members = scope.store.joins.expand(scope.tx, list(away), as_of=request.as_of)
    tags = scope.store.attributes.get_tags(scope.tx, members, as_of=request.as_of)
    stands = scope.store.joins.canonical(scope.tx, list(tags), as_of=request.as_of)
    key, _, value = request.tag.replace(":", "=", 1).partition("=")
    found = [
        (stands.get(node, node), tag)
        for node, given in tags.items()
        for tag in given
        if (not request.tag and not tag.key.startswith(("mlflow.", "lineal.")))
        or (tag.key == key and (not value or tag.value == value))
        or tag.key == request.tag
    ]
    names = refs_of(scope, sorted(away))
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
