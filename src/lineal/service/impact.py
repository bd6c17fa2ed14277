"""Impact: what depends on something, counted whole, the nearest listed first.

The question of now is answered over a snapshot where there is one; everything else by walking the edges, over which the times, the
evidence and the kinds of edges that were asked for decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from lineal.core.errors import Invalid
from lineal.core.model import EdgeKind
from lineal.service import references
from lineal.service.asked import Asked, check_kinds, nodes_of, wanted
from lineal.service.lineage import GOVERNS
from lineal.service.operations import Scope, operation
from lineal.service.registry import DEPLOYMENT
from lineal.store.conditions import Condition, Term, Without

if TYPE_CHECKING:
    from lineal.service.hubs import OverSnapshot

COUNTED = 500_000  # vertices that a walk without a snapshot counts
_SOON = 20_000  # vertices of an answer from which on a snapshot is worth its building
_MOST_LIVE = 10_000


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
    """total: everything downstream that was asked for; counts: by kind; live: those of it that are deployments which run (at the time asked for); owners: how
    much is whose, among what is listed. exact: whether the total and the counts are; cut: whether the list leaves something out. computing: how far (0 to 1) a snapshot is with
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


@operation(
    "impact", permission="record:read", path="/impact", summary="What depends on something, by distance"
)
def impact(scope: Scope, request: ImpactRequest) -> ImpactReply:
    """Everything downstream, counted by kind, the nearest listed first with its owner. Raises Invalid: limit out of range, or there
    is no such kind."""
    if not 1 <= request.limit <= 10_000 or request.offset < 0:
        raise Invalid(
            f"a limit of {request.limit}, an offset of {request.offset}", hint="1 to 10000, and 0 or more"
        )
    root = references.find(scope, request.ref, as_of=request.as_of).node
    check_kinds(scope, request.kinds)
    found = _over_snapshot(scope, root, request) or _over_edges(scope, root, request)
    page = found.page(request.offset, request.limit)
    running = found.away_of(_running(scope, request))
    asked = wanted(scope, list(running), request)
    live = sorted(((node, running[node]) for node in asked), key=lambda item: (item[1], item[0]))
    described = _affected(scope, {**dict(page), **dict(live)})
    shown = [described[node] for node, _ in page if node in described]
    over = not found.exact
    return ImpactReply(
        ref=request.ref,
        total=found.total,
        exact=found.exact,
        counts=dict(sorted(found.counts.items())),
        live=[described[node] for node, _ in live],
        owners=dict(Counter(item.owner for item in shown if item.owner).most_common()),
        affected=shown,
        cut=over or found.total > len(shown),
        cut_reason=_cut_reason(request, found.total, len(shown), over=over),
        computing=scope.store.snapshots.progress().share if over and now(request) else None,
        as_of=request.as_of,
    )


def now(request: ImpactRequest) -> bool:
    """Whether no time, evidence or kind of edge narrows the walk, so that a snapshot of now answers it."""
    times = (request.as_of, request.valid_at, request.since)
    return all(moment is None for moment in times) and not (request.evidence or request.governing)


class Reached(msgspec.Struct):
    """What was asked for of what lies downstream. away: vertices with their distance, nearest first."""

    away: dict[int, int]
    everything: dict[int, int]
    counts: Counter[str]
    exact: bool

    @property
    def total(self) -> int:
        """How much that is, or at least is."""
        return len(self.away)

    def page(self, offset: int, limit: int) -> list[tuple[int, int]]:
        """A part of it: vertices and distances."""
        order = sorted(self.away.items(), key=lambda item: (item[1], item[0]))
        return order[offset : offset + limit]

    def away_of(self, nodes: Sequence[int]) -> dict[int, int]:
        """The distances of those of the vertices that lie downstream at all."""
        return {node: self.everything[node] for node in nodes if node in self.everything}


def _over_edges(scope: Scope, root: int, request: ImpactRequest) -> Reached:
    away, over = scope.store.neighbours.spread(
        scope.tx,
        root,
        up=False,
        limit=COUNTED,
        as_of=request.as_of,
        valid_at=request.valid_at,
        since=request.since,
        evidence=request.evidence,
        skip=() if request.governing else GOVERNS,
    )
    if now(request) and len(away) > _SOON:
        scope.store.snapshots.build_soon()
    kept = dict.fromkeys(wanted(scope, list(away), request))
    listed = away if len(kept) == len(away) else {node: away[node] for node in kept}
    counts = Counter(scope.store.neighbours.count_kinds(scope.tx, list(listed)))
    return Reached(listed, away, counts, not over)


def _over_snapshot(scope: Scope, root: int, request: ImpactRequest) -> OverSnapshot | None:
    if not now(request) or not scope.store.has_snapshot():
        return None
    from lineal.service.hubs import over_snapshot

    return over_snapshot(scope, root, request)


def _running(scope: Scope, request: ImpactRequest) -> list[int]:
    """The deployments that run, or ran then, each by the vertex that stands for it."""
    terms: list[Condition] = [Term("kind", "=", DEPLOYMENT)]
    if request.valid_at is None:
        terms.append(Term("state", "=", "running"))
    else:
        terms.append(Term("started_at", "<=", request.valid_at))
        terms.append(Without(Term("ended_at", "<=", request.valid_at)))
    found = scope.store.search.search_runs(scope.tx, terms, order=[], limit=_MOST_LIVE, as_of=request.as_of)
    stands = scope.store.joins.canonical(scope.tx, found, as_of=request.as_of)
    return sorted({stands.get(node, node) for node in found})


def _affected(scope: Scope, away: dict[int, int]) -> dict[int, Affected]:
    """The vertices as an impact lists them; away: their distances."""
    nodes = sorted(away)
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
        for node in nodes_of(scope, nodes)
    }


def _actor(run: object) -> str:
    return str(getattr(run, "actor", "") or "")


def _cut_reason(request: ImpactRequest, found: int, listed: int, *, over: bool) -> str:
    """What an impact leaves out, in words; empty when nothing."""
    if over:
        more = "" if now(request) else "; a narrower time or evidence counts them whole"
        return f"more than {COUNTED:,} things lie downstream; the nearest {listed:,} are listed{more}"
    rest = f" from {request.offset + 1:,} on" if request.offset else ""
    return f"{listed:,} of {found:,} are listed{rest}" if found > listed else ""
