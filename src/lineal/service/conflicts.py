"""Conflicts and gaps: what sources claim against each other, versions that do not go together, and what nobody told."""

from __future__ import annotations

import msgspec

from lineal.core.conflicts import Conflict
from lineal.core.errors import Invalid, NotFound
from lineal.core.model import Edge
from lineal.service import references
from lineal.service.conflicts_around import Around, Gap, contradictions, gaps
from lineal.service.conflicts_live import live_conflicts
from lineal.service.operations import Scope, operation

BUDGET, DEPTH = 20_000, 1000  # as of a trace


class ConflictsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a run or version, with everything it was made from; empty: what runs live now, compared with one another.

    resolved: also contradictions that were decided. as_of: as it was recorded by then (microseconds UTC); valid_at: only what had
    happened by then.
    """

    ref: str = ""
    resolved: bool = False
    as_of: int | None = None
    valid_at: int | None = None


class ConflictsReply(msgspec.Struct, frozen=True, kw_only=True):
    """Contradictions and version conflicts that stand, and gaps. cut: the ancestry was too large to look at whole."""

    ref: str
    conflicts: list[Conflict]
    gaps: list[Gap]
    cut: bool


class ResolveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """id: of a conflict. choice: which claim counts, or any word on how it was settled; empty: take the decision back."""

    id: str
    choice: str
    reason: str = ""


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """The decision as it stands; choice is empty when it was taken back."""

    id: str
    choice: str
    reason: str
    actor: str
    recorded_at: int


@operation(
    "conflicts", permission="record:read", path="/conflicts", summary="What contradicts, and what is missing"
)
def conflicts(scope: Scope, request: ConflictsRequest) -> ConflictsReply:
    """The contradictions, version conflicts and gaps in what something was made from, or among what runs live."""
    if not request.ref:
        found = list(live_conflicts(scope, as_of=request.as_of, valid_at=request.valid_at))
        return ConflictsReply(ref="", conflicts=_decided(scope, found, request), gaps=[], cut=False)
    root = references.find(scope, request.ref, as_of=request.as_of).node
    edges, cut = scope.store.edges.upstream(scope.tx, root, depth=DEPTH, budget=BUDGET, as_of=request.as_of)
    if request.valid_at is not None:
        edges = [edge for edge in edges if edge.at <= request.valid_at]
    around = Around(scope, root, edges, as_of=request.as_of)
    return ConflictsReply(
        ref=request.ref,
        conflicts=_decided(scope, contradictions(around), request),
        gaps=list(gaps(around)),
        cut=cut,
    )


@operation(
    "resolve",
    permission="record:write",
    path="/conflicts/resolve",
    summary="Decide a contradiction",
    write=True,
)
def resolve(scope: Scope, request: ResolveRequest) -> Resolved:
    """Record a decision about a contradiction; both claims stay. An empty choice takes the decision back.

    Raises Invalid: it is no id of a conflict. NotFound: no decision is there to be taken back.
    """
    kind, colon, rest = request.id.partition(":")
    if not colon or not rest or kind not in _KINDS or len(request.id) > 500:
        raise Invalid(
            f"{request.id!r:.120} is no id of a conflict", hint="`lineal conflicts REF` prints them"
        )
    standing = scope.store.joins.get_decisions(scope.tx, [request.id])
    if not request.choice and not standing:
        raise NotFound(
            f"{request.id!r} was not decided", hint="`lineal conflicts REF` lists what stands open"
        )
    scope.store.joins.decide(
        scope.tx, request.id, request.choice, actor=scope.actor, reason=request.reason, at=scope.at
    )
    return Resolved(
        id=request.id, choice=request.choice, reason=request.reason, actor=scope.actor, recorded_at=scope.at
    )


_KINDS = ("digest", "inputs", "parent", "mixed-versions", "live-component", "serving-code")


def _decided(scope: Scope, found: list[Conflict], request: ConflictsRequest) -> list[Conflict]:
    """With their decisions; those that were decided left out unless asked for."""
    decisions = scope.store.joins.get_decisions(
        scope.tx, [conflict.id for conflict in found], as_of=request.as_of
    )
    listed = []
    for conflict in found:
        if conflict.id in decisions:
            if not request.resolved:
                continue
            choice, actor, reason, at = decisions[conflict.id]
            conflict = msgspec.structs.replace(
                conflict, choice=choice, actor=actor, reason=reason, decided_at=at
            )
        listed.append(conflict)
    return listed


def within(scope: Scope, root: int, edges: list[Edge], *, as_of: int | None = None) -> list[Conflict]:
    """The contradictions and version conflicts that stand in an ancestry, given its edges."""
    return undecided(scope, contradictions(Around(scope, root, edges, as_of=as_of)), as_of=as_of)


def undecided(scope: Scope, found: list[Conflict], *, as_of: int | None = None) -> list[Conflict]:
    """Those of the contradictions that nobody decided."""
    decided = scope.store.joins.get_decisions(scope.tx, [conflict.id for conflict in found], as_of=as_of)
    return [conflict for conflict in found if conflict.id not in decided]
