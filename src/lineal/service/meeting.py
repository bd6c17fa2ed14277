"""Same and split: reports of different doors meet in one vertex by rules (core/meeting.py) or by hand; each join is a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lineal.core import meeting
from lineal.core.errors import Conflict, Invalid
from lineal.core.events import Evidence, Level
from lineal.core.model import NodeKind
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.store.joins import Meeting


class SameRequest(msgspec.Struct, frozen=True, kw_only=True):
    """a and b: two runs or two versions that are one and the same."""

    a: str
    b: str
    reason: str = ""


class SplitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """b: what `a` is no longer one with; empty: anything. They are held apart from then on, also against the rules."""

    a: str
    b: str = ""
    reason: str = ""


class JoinsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a run or version. history: also what was taken back. as_of: as recorded by then (microseconds UTC)."""

    ref: str
    history: bool = False
    as_of: int | None = None


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """Two reports that are one thing, or (`apart`) that were decided to be two.

    rule, means: why; said: what the rule found, or the reason that was given. message: number of the message that brought it,
    0 for none. retracted_at: when it was taken back.
    """

    a: str
    b: str
    apart: bool
    rule: str
    means: str
    evidence: str
    said: str
    actor: str
    message: int
    recorded_at: int
    retracted_at: int | None


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """members: everything that is one now, the first stands for all; changed: whether something changed."""

    members: list[str]
    joins: list[Join]
    changed: bool


@operation(
    "same",
    permission="record:write",
    path="/same",
    summary="Record that two are one and the same",
    write=True,
)
def same(scope: Scope, request: SameRequest) -> Joined:
    """Join two runs or two versions by hand. A decision to hold them apart is taken back.

    Raises Conflict: one is a run and the other a version. Invalid: they are one already by name.
    """
    a, b = own_vertex(scope, request.a), own_vertex(scope, request.b)
    if a == b:
        raise Invalid(f"{request.a!r} and {request.b!r} name the very same", hint="name two")
    joins = scope.store.joins
    joins.retract_meetings(scope.tx, a, b, apart=True, actor=scope.actor, reason=request.reason, at=scope.at)
    changed = joins.add_meeting(
        scope.tx,
        a,
        b,
        rule=meeting.BY_HAND,
        evidence=Evidence.DECLARED,
        said=request.reason,
        actor=scope.actor,
        at=scope.at,
    )
    return _joined(scope, a, changed)


@operation(
    "split", permission="record:write", path="/split", summary="Take back that two are the same", write=True
)
def split(scope: Scope, request: SplitRequest) -> Joined:
    """Undo the joins between two, or all of one, and hold them apart from then on.

    Raises Conflict: they are not joined, or only through others, which are listed.
    """
    joins, tx = scope.store.joins, scope.tx
    a = own_vertex(scope, request.a)
    standing = [entry for entry in joins.list_meetings(tx, [a]) if not entry.apart]
    partners = sorted({end for entry in standing for end in (entry.a, entry.b)} - {a})
    if request.b:
        b = own_vertex(scope, request.b)
        if b not in partners:
            through = b in joins.members(tx, a)
            listed = ", ".join(_names(scope, partners).values())
            raise Conflict(
                f"{request.a!r} and {request.b!r} are not joined"
                + (f" directly, only through {listed}" if through else ""),
                hint="`lineal joins REF` lists what joins them",
            )
        partners = [b]
    if not partners:
        raise Conflict(f"{request.a!r} is joined with nothing", hint="`lineal joins REF` lists joins")
    for other in partners:
        joins.retract_meetings(
            tx, a, other, apart=False, actor=scope.actor, reason=request.reason, at=scope.at
        )
        joins.add_meeting(
            tx,
            a,
            other,
            rule=meeting.BY_HAND,
            evidence=Evidence.DECLARED,
            said=request.reason,
            actor=scope.actor,
            at=scope.at,
            apart=True,
        )
    return _joined(scope, a, True)


@operation("joins", permission="record:read", path="/joins", summary="Why several reports are one thing")
def list_joins(scope: Scope, request: JoinsRequest) -> Joined:
    """Every join around a run or version, with its rule and evidence; with `history` those taken back too."""
    node = own_vertex(scope, request.ref)
    return _joined(scope, node, False, as_of=request.as_of, history=request.history)


def own_vertex(scope: Scope, text: str) -> int:
    """The vertex that a reference names before joins are followed. Raises as `references.find`."""
    return references.find_own(scope, text).node


def _joined(
    scope: Scope, node: int, changed: bool, *, as_of: int | None = None, history: bool = False
) -> Joined:
    members = scope.store.joins.members(scope.tx, node, as_of=as_of)
    found = scope.store.joins.list_meetings(scope.tx, members, as_of=as_of, history=history)
    names = _names(scope, sorted({*members, *(end for entry in found for end in (entry.a, entry.b))}))
    return Joined(
        members=[names[member] for member in members],
        joins=[described(entry, names) for entry in found],
        changed=changed,
    )


def described(entry: Meeting, names: Mapping[int, str]) -> Join:
    """The join as answers carry it."""
    return Join(
        a=names.get(entry.a, str(entry.a)),
        b=names.get(entry.b, str(entry.b)),
        apart=entry.apart,
        rule=entry.rule,
        means=meeting.RULES.get(entry.rule, ""),
        evidence=str(entry.evidence),
        said=entry.said,
        actor=entry.actor,
        message=entry.batch,
        recorded_at=entry.recorded_at,
        retracted_at=entry.retracted_at,
    )


def joins_around(scope: Scope, nodes: Sequence[int], *, as_of: int | None = None) -> list[Join]:
    """The joins of everything that these vertices stand for, as answers carry them."""
    members = scope.store.joins.expand(scope.tx, nodes)
    found = [e for e in scope.store.joins.list_meetings(scope.tx, members, as_of=as_of) if not e.apart]
    names = _names(scope, sorted({end for entry in found for end in (entry.a, entry.b)}))
    return [described(entry, names) for entry in found]


def _names(scope: Scope, nodes: Sequence[int]) -> dict[int, str]:
    """References of vertices, of each its own."""
    runs = scope.store.runs.get_runs(scope.tx, nodes)
    versions = scope.store.artifacts.get_versions(scope.tx, [node for node in nodes if node not in runs])
    return {
        **{node: f"run:{run.run_id}" for node, run in runs.items()},
        **{node: references.artifact_ref(version) for node, version in versions.items()},
    }


# ---- the rules at work, while events are taken in


def meet_versions(scope: Scope, nodes: Iterable[int], message: int) -> None:
    """Join these versions with those that carry the same native reference (rule `native-reference`)."""
    wanted = sorted(set(nodes))
    for node, found in scope.store.artifacts.get_references(scope.tx, wanted).items():
        for reference in found:
            if not meeting.joining(reference):
                continue
            for other in scope.store.artifacts.list_by_reference(scope.tx, reference.scheme, reference.value):
                scope.store.joins.add_meeting(
                    scope.tx,
                    node,
                    other,
                    rule=meeting.NATIVE_REFERENCE,
                    evidence=Evidence.INFERRED,
                    said=f"{reference.scheme}:{reference.value}",
                    actor=scope.actor,
                    at=scope.at,
                    batch=message,
                )


def meet_symlink(scope: Scope, one: tuple[str, str], other: tuple[str, str], message: int) -> int:
    """Join the versions of two artifacts (namespace, name) of which one was declared to be another name of the other, where
    they are the same version of it: of one digest (rule `symlink`). How many were joined."""
    found: dict[str, list[int]] = {}
    for namespace, name in (one, other):
        for version in scope.store.artifacts.list_versions(scope.tx, namespace, name):
            if version.digest and version.level in (Level.CONTENT, Level.NATIVE):
                found.setdefault(version.digest, []).append(version.node)
    return sum(
        scope.store.joins.add_meeting(
            scope.tx,
            nodes[0],
            node,
            rule=meeting.SYMLINK,
            evidence=Evidence.DECLARED,
            said=f"{other[0]}/{other[1]} is another name of {one[0]}/{one[1]}",
            actor=scope.actor,
            at=scope.at,
            batch=message,
        )
        for nodes in found.values()
        for node in nodes[1:]
    )


def meet_in_facet(scope: Scope, node: int, name: str, body: bytes, message: int) -> None:
    """Join a run with those that one of its facets names (rules `mlflow-run-id`, `openlineage-run-id`, `kfp-run-id`)."""
    lowered = body.lower()
    if not any(system in lowered or system in name.lower().encode() for system in _SYSTEMS):
        return
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return
    _meet(scope, node, meeting.mentioned_in_facet(name, value), f"facet {name}: ", message)


def meet_in_tag(scope: Scope, node: int, key: str, value: str, message: int) -> None:
    """Join a run with the one that a tag of it names."""
    _meet(scope, node, meeting.mentioned_in_tag(key, value), "", message)


_SYSTEMS = (b"mlflow", b"openlineage", b"kfp", b"kubeflow")


def _meet(scope: Scope, node: int, mentions: Iterable[tuple[str, str, str]], lead: str, message: int) -> None:
    for rule, run_id, where in mentions:
        if scope.store.edges.kinds(scope.tx, [node]).get(node) != NodeKind.RUN:
            return  # what a version names is no run that it could be
        other = scope.store.runs.find_run(scope.tx, run_id)
        said = f"{lead}{where} = {run_id}"
        if other is None:
            scope.store.joins.add_awaited(
                scope.tx, run_id, node, rule=rule, said=said, batch=message, at=scope.at
            )
        elif other != node:
            _join_runs(scope, node, other, rule, said, message)


def meet_awaited(scope: Scope, runs: Mapping[str, int]) -> None:
    """Join runs that have just become known with those that mentioned them before. runs: vertices by run id."""
    for run_id, node, rule, said, message in scope.store.joins.list_awaited(scope.tx, list(runs)):
        if node != runs[run_id]:
            _join_runs(scope, node, runs[run_id], rule, said, message)


def _join_runs(scope: Scope, a: int, b: int, rule: str, said: str, message: int) -> None:
    scope.store.joins.add_meeting(
        scope.tx,
        a,
        b,
        rule=rule,
        evidence=Evidence.DECLARED,
        said=said,
        actor=scope.actor,
        at=scope.at,
        batch=message,
    )
