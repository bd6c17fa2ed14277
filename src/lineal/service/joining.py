"""Same, split and joins: what rules (service/meeting.py) or people made one thing, shown, made by hand and taken back.

Two kinds of things are joined: vertices (two runs, two versions), and names of datasets, which are joined as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineal.core import meeting
from lineal.core.errors import Conflict, Invalid, NotFound
from lineal.core.events import Evidence
from lineal.service import references
from lineal.service.joins import Join, described, names_of, references_of
from lineal.service.meeting import meet_states
from lineal.service.openlineage_graph import rearrange
from lineal.service.operations import Scope, operation


class SameRequest(msgspec.Struct, frozen=True, kw_only=True):
    """a and b: two runs or two versions that are one and the same. Of two datasets that somebody holds apart: that their names are
    names of one again, too."""

    a: str
    b: str
    reason: str = ""


class SplitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """b: what `a` is no longer one with; empty: anything. They are held apart from then on, also against the rules. Of two names of
    one dataset: the names."""

    a: str
    b: str = ""
    reason: str = ""


class JoinsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a run or version. history: also what was taken back. as_of: as recorded by then (microseconds UTC)."""

    ref: str
    history: bool = False
    as_of: int | None = None


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """members: every run or version that is one now, the first stands for all; names: of a dataset with several, all of them.
    changed: whether something changed."""

    members: list[str]
    names: list[str]
    joins: list[Join]
    changed: bool


class _Named(msgspec.Struct, frozen=True):
    """What a reference names before joins are followed: node is None for a dataset of which no version is known, artifact for a run."""

    text: str
    node: int | None
    artifact: int | None


@operation(
    "same",
    permission="record:write",
    path="/same",
    summary="Record that two are one and the same",
    write=True,
)
def same(scope: Scope, request: SameRequest) -> Joined:
    """Join two runs or two versions by hand. A decision to hold them, or the names of their datasets, apart is taken back.

    Raises Conflict: one is a run and the other a version. Invalid: they are one already by name.
    """
    a, b = _named(scope, request.a), _named(scope, request.b)
    if (a.node, a.artifact) == (b.node, b.artifact):
        raise Invalid(f"{request.a!r} and {request.b!r} name the very same", hint="name two")
    changed = _rejoin_names(scope, a, b, request.reason)
    if a.node is not None and b.node is not None and a.node != b.node:
        joins, tx = scope.store.joins, scope.tx
        joins.retract_meetings(
            tx, a.node, b.node, apart=True, actor=scope.actor, reason=request.reason, at=scope.at
        )
        changed |= joins.add_meeting(
            tx,
            a.node,
            b.node,
            rule=meeting.BY_HAND,
            evidence=Evidence.DECLARED,
            said=request.reason,
            actor=scope.actor,
            at=scope.at,
        )
    elif not changed:
        raise Conflict(
            f"of {request.a!r} or {request.b!r} no version is known",
            hint="only runs, versions, and names that were split are joined by hand",
        )
    return _joined(scope, a, changed)


@operation(
    "split", permission="record:write", path="/split", summary="Take back that two are the same", write=True
)
def split(scope: Scope, request: SplitRequest) -> Joined:
    """Undo the joins between two, or all of one, and hold them apart from then on; so too of the names of their datasets.

    Raises Conflict: they are not joined, or only through others, which are listed.
    """
    a = _named(scope, request.a)
    partners, names = _partners(scope, a), _name_partners(scope, a)
    if request.b:
        b = _named(scope, request.b)
        if b.node not in partners and b.artifact not in names:
            raise _unjoined(scope, a, b, partners, names)
        partners = [b.node] if b.node is not None and b.node in partners else []
        names = [b.artifact] if b.artifact is not None and b.artifact in names else []
    if not partners and not names:
        raise Conflict(f"{request.a!r} is joined with nothing", hint="`lineal joins REF` lists joins")
    for other in partners:
        _hold_apart(scope, a.node or 0, other, request.reason)
    if names and a.artifact is not None:
        _split_names(scope, a.artifact, names, request.reason)
    return _joined(scope, a, True)


@operation("joins", permission="record:read", path="/joins", summary="Why several reports are one thing")
def list_joins(scope: Scope, request: JoinsRequest) -> Joined:
    """Every join around a run, a version or a dataset, with its rule and evidence; with `history` those taken back too."""
    named = _named(scope, request.ref)
    return _joined(scope, named, False, as_of=request.as_of, history=request.history)


def _named(scope: Scope, text: str) -> _Named:
    """What a reference names. Raises as `references.find`."""
    try:
        found = references.find_own(scope, text)
    except NotFound:
        namespace, name = references.artifact_of(scope, text)
        artifacts = scope.store.name_joins.find_artifacts(scope.tx, namespace, name)
        if len(artifacts) != 1:
            raise
        return _Named(text, None, artifacts[0])
    return _Named(text, found.node, found.version.artifact if found.version else None)


# ---- vertices


def _partners(scope: Scope, a: _Named) -> list[int]:
    if a.node is None:
        return []
    standing = [entry for entry in scope.store.joins.list_meetings(scope.tx, [a.node]) if not entry.apart]
    return sorted({end for entry in standing for end in (entry.a, entry.b)} - {a.node})


def _hold_apart(scope: Scope, a: int, b: int, reason: str) -> None:
    joins, tx = scope.store.joins, scope.tx
    joins.retract_meetings(tx, a, b, apart=False, actor=scope.actor, reason=reason, at=scope.at)
    joins.add_meeting(
        tx,
        a,
        b,
        rule=meeting.BY_HAND,
        evidence=Evidence.DECLARED,
        said=reason,
        actor=scope.actor,
        at=scope.at,
        apart=True,
    )


def _unjoined(scope: Scope, a: _Named, b: _Named, partners: list[int], names: list[int]) -> Conflict:
    through = a.node is not None and b.node in scope.store.joins.members(scope.tx, a.node)
    listed = [*references_of(scope, partners).values(), *names_of(scope, names).values()]
    return Conflict(
        f"{a.text!r} and {b.text!r} are not joined"
        + (f" directly, only through {', '.join(listed)}" if through else ""),
        hint="`lineal joins REF` lists what joins them",
    )


# ---- names of datasets


def _name_partners(scope: Scope, a: _Named) -> list[int]:
    if a.artifact is None:
        return []
    listed = scope.store.name_joins.list_name_joins(scope.tx, [a.artifact])
    return sorted({end for entry in listed if not entry.apart for end in (entry.a, entry.b)} - {a.artifact})


def _split_names(scope: Scope, artifact: int, others: Sequence[int], reason: str) -> None:
    """Hold names apart, and those of their versions that were one only because the names were."""
    store, tx = scope.store, scope.tx
    store.stories.hold_stories(tx)
    for other in others:
        store.name_joins.retract_name_joins(
            tx, artifact, other, apart=False, actor=scope.actor, reason=reason, at=scope.at
        )
        store.name_joins.add_name_join(
            tx,
            artifact,
            other,
            rule=meeting.BY_HAND,
            evidence=Evidence.DECLARED,
            said=reason,
            actor=scope.actor,
            at=scope.at,
            apart=True,
        )
        ours = {node: own for own, node, _ in store.name_joins.list_states(tx, [artifact, other])}
        for entry in store.joins.list_meetings(tx, sorted(ours)):
            between = {ours.get(entry.a), ours.get(entry.b)} == {artifact, other}
            if between and not entry.apart and entry.rule == meeting.SYMLINK:
                store.joins.retract_meetings(
                    tx,
                    entry.a,
                    entry.b,
                    apart=False,
                    actor=scope.actor,
                    reason=reason,
                    at=scope.at,
                    rule=meeting.SYMLINK,
                )
    rearrange(scope, [artifact, *others])


def _rejoin_names(scope: Scope, a: _Named, b: _Named, reason: str) -> bool:
    """Take back that two names are held apart; whether they were."""
    if a.artifact is None or b.artifact is None or a.artifact == b.artifact:
        return False
    store, tx = scope.store, scope.tx
    if not store.name_joins.retract_name_joins(
        tx, a.artifact, b.artifact, apart=True, actor=scope.actor, reason=reason, at=scope.at
    ):
        return False
    store.stories.hold_stories(tx)
    store.name_joins.add_name_join(
        tx,
        a.artifact,
        b.artifact,
        rule=meeting.BY_HAND,
        evidence=Evidence.DECLARED,
        said=reason,
        actor=scope.actor,
        at=scope.at,
    )
    meet_states(scope, [(min(a.artifact, b.artifact), max(a.artifact, b.artifact))], 0)
    rearrange(scope, [a.artifact, b.artifact])
    return True


# ---- the answer


def _joined(
    scope: Scope, named: _Named, changed: bool, *, as_of: int | None = None, history: bool = False
) -> Joined:
    store, tx = scope.store, scope.tx
    members = store.joins.members(tx, named.node, as_of=as_of) if named.node is not None else []
    found = store.joins.list_meetings(tx, members, as_of=as_of, history=history)
    refs = references_of(scope, sorted({*members, *(end for entry in found for end in (entry.a, entry.b))}))
    versions = store.artifacts.get_versions(tx, members)
    artifacts = {version.artifact for version in versions.values()} | (
        {named.artifact} if named.artifact is not None else set()
    )
    together = store.name_joins.list_name_joins(tx, sorted(artifacts), as_of=as_of, history=history)
    names = names_of(scope, {*artifacts, *(end for entry in together for end in (entry.a, entry.b))})
    standing = store.name_joins.list_name_joins(tx, sorted(artifacts), as_of=as_of) if history else together
    one = {end for entry in standing if not entry.apart for end in (entry.a, entry.b)}
    return Joined(
        members=[refs[member] for member in members],
        names=sorted(names[artifact] for artifact in one),
        joins=[
            *(described(entry, refs) for entry in found),
            *(described(entry, names) for entry in together),
        ],
        changed=changed,
    )
