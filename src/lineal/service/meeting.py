"""The rules of meeting at work while events are taken in (core/meeting.py): reports of different doors become one, each join a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from lineal.core import meeting
from lineal.core.events import Evidence
from lineal.core.model import NodeKind
from lineal.service.operations import Scope

_State = tuple[str, str]  # how a version is known to be the same whatever its name, and in words
_DIGEST, _NUMBER, _VERSION = "digest", "version", "version "
_FEW = 1000  # versions of which each is asked for alone


def meet_versions(scope: Scope, nodes: Iterable[int], message: int) -> None:
    """Join these versions with those that carry the same native reference (rule `native-reference`), or, of the same artifact, the
    same hash of all its bytes (rule `same-hash`), and with the same version of the dataset under another name of it (rule
    `symlink`)."""
    wanted = sorted(set(nodes))
    if scope.store.name_joins.has_name_joins(scope.tx):
        versions = scope.store.artifacts.get_versions(scope.tx, wanted)
        artifacts = sorted({version.artifact for version in versions.values()})
        listed = scope.store.name_joins.list_name_joins(scope.tx, artifacts)
        named = sorted({(entry.a, entry.b) for entry in listed if not entry.apart})
        meet_states(scope, named, message, only=versions.keys())
    told = [
        (node, reference)
        for node, found in scope.store.artifacts.get_references(scope.tx, wanted).items()
        for reference in found
        if meeting.joining(reference) or meeting.identifying(reference)
    ]
    carrying = scope.store.artifacts.list_by_references(scope.tx, {(r.scheme, r.value) for _, r in told})
    for node, reference in told:
        joining = meeting.joining(reference)
        for other in carrying.get((reference.scheme, reference.value), ()):
            if other == node or (
                _contradict(scope, node, other) if joining else not _of_one_artifact(scope, node, other)
            ):
                continue
            scope.store.joins.add_meeting(
                scope.tx,
                node,
                other,
                rule=meeting.NATIVE_REFERENCE if joining else meeting.SAME_HASH,
                evidence=Evidence.INFERRED,
                said=f"{reference.scheme}:{reference.value}",
                actor=scope.actor,
                at=scope.at,
                batch=message,
            )


def _of_one_artifact(scope: Scope, node: int, other: int) -> bool:
    found = scope.store.artifacts.get_versions(scope.tx, [node, other])
    return len({version.artifact for version in found.values()}) == 1


def _contradict(scope: Scope, node: int, other: int) -> bool:
    """Whether two versions, with all that each is one with, are told to be two by the store that keeps the data: a table that
    was created anew counts its versions from 0 again, and a change of the schema alone makes no snapshot."""
    if node == other:
        return False
    one, two = (
        scope.store.artifacts.get_references(scope.tx, scope.store.joins.members(scope.tx, end))
        for end in (node, other)
    )
    return meeting.contradict(
        [item for items in one.values() for item in items], [item for items in two.values() for item in items]
    )


def meet_names(scope: Scope, declared: Iterable[tuple[int, int]], message: int) -> list[tuple[int, int]]:
    """Let artifacts of which one was declared to be another name of the other be one dataset (rule `symlink`), and their versions
    be one where they are the same version of it. Those pairs that are new; not those that somebody holds apart."""
    pairs = sorted({(min(pair), max(pair)) for pair in declared if pair[0] != pair[1]})
    names = scope.store.name_joins.get_names(scope.tx, sorted({end for pair in pairs for end in pair}))
    new = [
        (a, b)
        for a, b in pairs
        if scope.store.name_joins.add_name_join(
            scope.tx,
            a,
            b,
            rule=meeting.SYMLINK,
            evidence=Evidence.DECLARED,
            said=_other_name(names[a], names[b]),
            actor=scope.actor,
            at=scope.at,
            batch=message,
        )
    ]
    meet_states(scope, new, message)
    return new


def meet_states(
    scope: Scope, pairs: Iterable[tuple[int, int]], message: int, only: AbstractSet[int] = frozenset()
) -> None:
    """Join the versions of artifacts that are one dataset where they are the same version of it: of one digest, or given one number
    by whoever wrote them. only: those pairs of versions in which one of these is; empty: all. Of few it costs what they are, not what
    the artifacts hold."""
    store, tx = scope.store, scope.tx
    for a, b in pairs:
        names = store.name_joins.get_names(tx, [a, b])
        states: dict[_State, dict[int, int]] = {}
        nodes = sorted(only)
        listed = store.name_joins.list_states(tx, [a, b], nodes if 0 < len(nodes) <= _FEW else None)
        found = _states(scope, names, listed)
        if 0 < len(nodes) <= _FEW:
            found = _states(scope, names, _alike(scope, names, {state for _, _, state in found}))
        for artifact, node, state in found:
            states.setdefault(state, {})[artifact] = node
        for (_, told), ends in sorted(states.items()):
            if len(ends) == 2 and (not only or only & set(ends.values())):
                store.joins.add_meeting(
                    tx,
                    ends[a],
                    ends[b],
                    rule=meeting.SYMLINK,
                    evidence=Evidence.DECLARED,
                    said=f"{_other_name(names[a], names[b])}; both are {told}",
                    actor=scope.actor,
                    at=scope.at,
                    batch=message,
                )


def _alike(
    scope: Scope, names: Mapping[int, tuple[str, str]], states: AbstractSet[_State]
) -> list[tuple[int, int, str]]:
    """(artifact, version, digest) of those that may be one of these states, under any of the names."""
    store, tx = scope.store, scope.tx
    nodes = set(
        store.name_joins.list_of_digests(tx, list(names), [told for how, told in states if how == _DIGEST])
    )
    for how, told in states:
        for name in names.values() if how == _NUMBER else ():
            nodes |= set(
                store.artifacts.list_by_reference(tx, "ol", _lead(name) + told.removeprefix(_VERSION))
            )
    return store.name_joins.list_states(tx, list(names), sorted(nodes))


def _states(
    scope: Scope, names: Mapping[int, tuple[str, str]], listed: Sequence[tuple[int, int, str]]
) -> list[tuple[int, int, _State]]:
    """(artifact, version, what it is a state of whatever the name: a digest, or the version that its writer gave it)."""
    given = scope.store.artifacts.get_references(scope.tx, [node for _, node, _ in listed])
    found: list[tuple[int, int, _State]] = []
    for artifact, node, digest in listed:
        if not digest.startswith("ol"):
            found.append((artifact, node, (_DIGEST, digest)))
        lead = _lead(names[artifact])
        found.extend(
            (artifact, node, (_NUMBER, _VERSION + reference.value.removeprefix(lead)))
            for reference in given.get(node, ())
            if reference.scheme == "ol" and reference.value.startswith(lead)
        )
    return found


def _lead(name: tuple[str, str]) -> str:
    return "/".join(name) + "@"


def _other_name(one: tuple[str, str], other: tuple[str, str]) -> str:
    first, second = sorted(("/".join(one), "/".join(other)))
    return f"{first} and {second} are names of one dataset"


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
