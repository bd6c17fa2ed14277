"""Trace: what something was made from (ancestry), and what depends on it (impact)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineal.core.conflicts import Conflict
from lineal.core.errors import Invalid
from lineal.core.events import Evidence, Level
from lineal.core.lineage import ancestry
from lineal.core.model import Edge, EdgeKind, RunRecord, VersionRecord
from lineal.core.paths import distances
from lineal.service import references
from lineal.service.joins import Join, joins_around
from lineal.service.operations import Scope, operation
from lineal.service.registry import DEPLOYMENT

BUDGET = 20_000  # vertices; a recursive walk of so many stays below about 0.1 s in SQLite
DEPTH = 1000
_MOST_JUDGED = 5000  # edges of an ancestry that is looked through for contradictions on the way
GOVERNS = ("environment", "code")


def check_evidence(words: Sequence[str]) -> None:
    """Raises Invalid: a way to know that there is none."""
    for word in words:
        if word not in set(Evidence):
            raise Invalid(f"evidence {word!r:.60}", hint=f"it is one of {', '.join(Evidence)}")


class TraceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """direction: `up` (ancestry), `down` (impact). depth: hops, one hop is one edge, so dataset -> run -> model is 2.

    as_of: as it was recorded by then (microseconds UTC); None: now. valid_at: only what had happened by then. evidence: only
    edges known so. governing: also code and environment versions.
    """

    ref: str
    direction: str = "up"
    depth: int = DEPTH
    as_of: int | None = None
    budget: int = BUDGET
    governing: bool = False
    valid_at: int | None = None
    evidence: list[str] = []

    def __post_init__(self) -> None:
        check_evidence(self.evidence)


class GraphNode(msgspec.Struct, frozen=True, kw_only=True):
    """A vertex of an answer. id: within this answer. ref: how to name it. state: a run's. at: its start or recording.

    label: a version's path or URL, a run's job (a deployment's target). names: registered ones, or what a run was called.

    further: more lies behind it that is not in this answer (then nothing is said of its origin). deleted_at: of a tombstone.
    """

    id: int
    type: str
    ref: str
    label: str
    kind: str
    at: int
    state: str = ""
    digest: str | None = None
    level: str = ""
    reason: str = ""
    size: int | None = None
    namespace: str = ""
    names: list[str] = []
    origin_unknown: bool = False
    candidates: list[str] = []
    further: bool = False
    deleted_at: int | None = None


class GraphEdge(msgspec.Struct, frozen=True, kw_only=True):
    """An edge in its own direction (data flows src -> dst), with how it is known."""

    src: int
    dst: int
    kind: str
    role: str
    evidence: str
    via: list[str]
    rule: str
    again: bool
    at: int
    message: int


class TraceReply(msgspec.Struct, frozen=True, kw_only=True):
    """The graph around `root`. also: producers that were not followed; loops: edges that contradict time.

    cut: whether depth or budget left something out; then `cut_reason` says which and how much is known. joins: why several
    reports are one vertex of this answer. conflicts: what contradicts in an ancestry (see `conflicts`); None where that was not
    looked for: of an impact, or of more than 5,000 edges.
    """

    root: int
    direction: str
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    also: list[GraphEdge]
    loops: list[GraphEdge]
    cut: bool
    cut_reason: str
    as_of: int | None
    joins: list[Join] = []
    conflicts: list[Conflict] | None = None


@operation(
    "trace", permission="record:read", path="/trace", summary="Trace where something came from or went to"
)
def trace(scope: Scope, request: TraceRequest) -> TraceReply:
    """The ancestry (a DAG) or the impact of a run or version.

    Raises Invalid: unknown direction, or a depth or budget below 1.
    """
    if request.direction not in ("up", "down"):
        raise Invalid(
            f"direction {request.direction!r}",
            hint="`up` (what it was made from) or `down` (what it went into)",
        )
    if request.depth < 1 or request.budget < 1:
        raise Invalid(f"depth {request.depth}, budget {request.budget}", hint="both count from 1")
    root = references.find(scope, request.ref, as_of=request.as_of).node
    store, tx = scope.store, scope.tx
    walk = store.edges.upstream if request.direction == "up" else store.edges.downstream
    edges, cut = walk(tx, root, depth=request.depth, budget=request.budget, as_of=request.as_of)
    every = edges
    if not request.governing:
        edges = [edge for edge in edges if not (edge.kind == EdgeKind.USED and edge.role in GOVERNS)]
    if request.valid_at is not None or request.evidence:
        edges = [edge for edge in edges if _passes(edge, request)]
        reached = distances(root, edges, up=request.direction == "up")
        edges = [edge for edge in edges if edge.src in reached and edge.dst in reached]
    beyond = _beyond(scope, root, edges, request)
    also: list[Edge] = []
    loops: list[Edge] = []
    if request.direction == "up":
        answer = ancestry(root, edges)
        edges, also, loops = answer.edges, answer.also, answer.loops
    contradictions = None
    if request.direction == "up" and len(every) <= _MOST_JUDGED and not cut:
        from lineal.service.conflicts import within

        contradictions = within(scope, root, every, as_of=request.as_of)
    reply_nodes = graph_nodes(scope, root, edges, also, explain=request.direction == "up", beyond=beyond)
    return TraceReply(
        root=root,
        direction=request.direction,
        nodes=reply_nodes,
        edges=[graph_edge(edge) for edge in edges],
        also=[graph_edge(edge) for edge in also],
        loops=[graph_edge(edge) for edge in loops],
        cut=cut or bool(beyond),
        cut_reason=_cut_reason(request, cut=cut, beyond=len(beyond)),
        as_of=request.as_of,
        conflicts=contradictions,
        joins=joins_around(scope, [node.id for node in reply_nodes], as_of=request.as_of),
    )


def _beyond(scope: Scope, root: int, edges: list[Edge], request: TraceRequest) -> set[int]:
    """The outermost vertices of a walk from which it could have gone on."""
    up = request.direction == "up"
    passed = {edge.dst if up else edge.src for edge in edges}
    outermost = {root, *(end for edge in edges for end in (edge.src, edge.dst))} - passed
    ask = scope.store.edges.get_in if up else scope.store.edges.get_out
    return {
        edge.dst if up else edge.src
        for edge in ask(scope.tx, sorted(outermost), as_of=request.as_of)
        if (request.governing or not (edge.kind == EdgeKind.USED and edge.role in GOVERNS))
        and _passes(edge, request)
    }


def _passes(edge: Edge, request: TraceRequest) -> bool:
    known = not request.evidence or str(edge.evidence) in request.evidence
    return known and (request.valid_at is None or edge.at <= request.valid_at)


def _cut_reason(request: TraceRequest, *, cut: bool, beyond: int) -> str:
    if cut:
        return f"stopped at {request.budget} vertices; there are more"
    if beyond:
        return f"stopped at depth {request.depth}; more lies behind {beyond} of what was reached"
    return ""


def graph_edge(edge: Edge) -> GraphEdge:
    """The edge as answers carry it."""
    return GraphEdge(
        src=edge.src,
        dst=edge.dst,
        kind=edge.kind.name.lower(),
        role=edge.role,
        evidence=str(edge.evidence),
        via=edge.via.split(),
        rule=edge.rule,
        again=edge.again,
        at=edge.at,
        message=edge.batch,
    )


def graph_nodes(
    scope: Scope,
    root: int,
    edges: list[Edge],
    also: list[Edge],
    *,
    explain: bool,
    beyond: frozenset[int] | set[int] = frozenset(),
) -> list[GraphNode]:
    """The vertices of an answer, described; with `explain`, versions without a producer are marked as of unknown origin.

    beyond: those from which the walk could have gone on.
    """
    from lineal.service.show import candidates

    ids = sorted({root, *(end for edge in [*edges, *also] for end in (edge.src, edge.dst))})
    runs = scope.store.runs.get_runs(scope.tx, ids)
    versions = scope.store.artifacts.get_versions(scope.tx, [node for node in ids if node not in runs])
    names: dict[int, list[str]] = {}
    for named in scope.store.registry.list_names_of(scope.tx, list(versions)):
        names.setdefault(named.node, []).append(f"{named.name}@{named.number}")
    reached = {root, *(end for edge in edges for end in (edge.src, edge.dst))}
    made = {edge.dst for edge in edges if edge.kind != EdgeKind.USED}
    nodes = [_run_node(run, further=run.node in beyond) for run in runs.values()]
    for node, version in versions.items():
        unknown = (
            explain
            and node in reached
            and node not in made
            and node not in beyond
            and version.kind not in GOVERNS
        )
        nodes.append(
            _version_node(
                version,
                names.get(node, []),
                unknown=unknown,
                candidates=candidates(scope, version) if unknown else [],
                further=node in beyond,
            )
        )
    return sorted(nodes, key=lambda node: node.id)


def _run_node(run: RunRecord, *, further: bool) -> GraphNode:
    label = run.name or run.job if run.kind == DEPLOYMENT else run.job or run.name
    return GraphNode(
        id=run.node,
        type="run",
        ref=f"run:{run.run_id}",
        label=label or run.run_id[:12],
        names=[run.name] if run.name not in {"", label} else [],
        kind=run.kind,
        at=run.started_at,
        state=str(run.state),
        namespace=run.namespace,
        further=further,
        deleted_at=run.deleted_at,
    )


def _version_node(
    version: VersionRecord, names: list[str], *, unknown: bool, candidates: list[str], further: bool
) -> GraphNode:
    known = version.level in (Level.CONTENT, Level.NATIVE)
    return GraphNode(
        id=version.node,
        type="version",
        ref=references.artifact_ref(version),
        label=f"{version.namespace}/{version.name}" if "://" in version.namespace else version.name,
        kind=version.kind,
        at=version.recorded_at,
        digest=version.digest if known else None,
        level=str(version.level),
        reason=version.reason,
        size=version.size,
        namespace=version.namespace,
        names=names,
        origin_unknown=unknown,
        candidates=candidates,
        further=further,
        deleted_at=version.deleted_at,
    )
