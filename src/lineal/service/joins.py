"""Joins as answers carry them: which reports are one thing, by which rule and message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lineal.core import meeting
from lineal.service import references
from lineal.service.operations import Scope
from lineal.store.join_rows import Meeting


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """Two reports that are one thing, or (`apart`) that were decided to be two. Of two names of one dataset: the names, without a
    version.

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
    names = references_of(scope, sorted({end for entry in found for end in (entry.a, entry.b)}))
    return [*(described(entry, names) for entry in found), *_of_names(scope, members, as_of)]


def _of_names(scope: Scope, nodes: Sequence[int], as_of: int | None) -> list[Join]:
    """The joins of the names of the datasets that these are versions of."""
    if not scope.store.name_joins.has_name_joins(scope.tx):
        return []
    versions = scope.store.artifacts.get_versions(scope.tx, nodes)
    artifacts = sorted({version.artifact for version in versions.values()})
    found = [
        e for e in scope.store.name_joins.list_name_joins(scope.tx, artifacts, as_of=as_of) if not e.apart
    ]
    names = names_of(scope, {end for entry in found for end in (entry.a, entry.b)})
    return [described(entry, names) for entry in found]


def names_of(scope: Scope, artifacts: Iterable[int]) -> dict[int, str]:
    """How artifacts are written, without a version."""
    found = scope.store.name_joins.get_names(scope.tx, sorted(artifacts))
    return {id: f"{space}/{name}" if "://" in space else name for id, (space, name) in found.items()}


def references_of(scope: Scope, nodes: Sequence[int]) -> dict[int, str]:
    """References of vertices, of each its own."""
    runs = scope.store.runs.get_runs(scope.tx, nodes)
    versions = scope.store.artifacts.get_versions(scope.tx, [node for node in nodes if node not in runs])
    return {
        **{node: f"run:{run.run_id}" for node, run in runs.items()},
        **{node: references.artifact_ref(version) for node, version in versions.items()},
    }
