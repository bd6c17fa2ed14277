"""Delete: refused while something living depends on it, with the list; leaves a tombstone."""

from __future__ import annotations

import msgspec

from lineal.core.errors import Conflict, Invalid
from lineal.core.model import EdgeKind
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.registry import live

_BUDGET = 200_000
_LISTED = 12
_MOST_ASKED = 100


class DeleteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """force: delete although something living depends on it; the dependants are then named in the tombstone."""

    ref: str
    force: bool = False
    reason: str = ""


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """The tombstone: what was deleted, and what living things depended on it (empty unless forced)."""

    ref: str
    dependants: list[str]


class DependantsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """refs: runs and versions, at most 100."""

    refs: list[str]


class Dependants(msgspec.Struct, frozen=True, kw_only=True):
    """living: registered and deployed versions that are this one or descend from it, one line each (the first 12 of `count`)."""

    ref: str
    living: list[str]
    count: int


class AllDependants(msgspec.Struct, frozen=True, kw_only=True):
    """One entry for each ref, in the order asked."""

    found: list[Dependants]


@operation(
    "dependants",
    permission="record:read",
    path="/dependants",
    summary="What living things depend on runs or versions",
)
def dependants(scope: Scope, request: DependantsRequest) -> AllDependants:
    """What `delete` would be refused for, without deleting anything.

    Raises Invalid: more than 100 refs.
    """
    if len(request.refs) > _MOST_ASKED:
        raise Invalid(f"{len(request.refs)} refs were given", hint=f"at most {_MOST_ASKED}")
    found = [(ref, living_dependants(scope, references.find(scope, ref).node)) for ref in request.refs]
    return AllDependants(
        found=[Dependants(ref=ref, living=lines[:_LISTED], count=len(lines)) for ref, lines in found]
    )


@operation(
    "delete", permission="record:delete", path="/delete", summary="Delete a run or version", write=True
)
def delete(scope: Scope, request: DeleteRequest) -> Deleted:
    """Mark a run or version as deleted. Its vertex and edges stay as a tombstone, so that lineage shows the hole.

    Raises Conflict: registered, aliased or deployed versions descend from it, or it is deleted already.
    """
    found = references.find(scope, request.ref)
    store, tx = scope.store, scope.tx
    record = found.version or store.runs.get_runs(tx, [found.node])[found.node]
    if record.deleted_at is not None:
        raise Conflict(f"{request.ref!r} is deleted already", hint="`lineal show` prints its tombstone")
    if not request.force:
        refuse_living(scope, found.node, request.ref, "use --force")
    dependants = living_dependants(scope, found.node) if request.force else []
    store.runs.add_deleted(tx, found.node, actor=scope.actor, reason=request.reason, at=scope.at)
    return Deleted(ref=request.ref, dependants=dependants)


def refuse_living(scope: Scope, node: int, said: str, otherwise: str) -> None:
    """Raises Conflict, with the list, when something living depends on a vertex.

    Args:
        said: how the caller named it. otherwise: what else they can do.
    """
    dependants = living_dependants(scope, node)
    if dependants:
        what = "1 living thing depends" if len(dependants) == 1 else f"{len(dependants)} living things depend"
        more = f"\n  and {len(dependants) - _LISTED} more" if len(dependants) > _LISTED else ""
        raise Conflict(
            f"{said!r} cannot be deleted: {what} on it:\n"
            + "\n".join(f"  {line}" for line in dependants[:_LISTED])
            + more,
            hint=f"undeploy or delete those first, or {otherwise}",
        )


def living_dependants(scope: Scope, node: int) -> list[str]:
    """Registered or deployed versions that are this vertex or descend from it, one line each."""
    store, tx = scope.store, scope.tx
    edges, _ = store.edges.downstream(tx, node, depth=10_000, budget=_BUDGET)
    reached = {
        node,
        *(edge.dst for edge in edges if not (edge.kind == EdgeKind.USED and edge.role == "code")),
    }
    versions = {
        key: version
        for key, version in store.artifacts.get_versions(tx, sorted(reached)).items()
        if version.deleted_at is None
    }
    lines: list[str] = []
    for named in store.registry.list_names_of(tx, sorted(versions)):
        pointing = [a.alias for a in store.registry.list_aliases(tx, named.name) if a.number == named.number]
        suffix = f" ({', '.join(pointing)})" if pointing else ""
        lines.append(f"registered {named.name}@{named.number}{suffix}")
    runs = store.runs.get_runs(tx, [run for run, _ in live(scope)])
    for run, version in live(scope):
        if run in reached or version.node in reached:
            lines.append(f"deployed at {runs[run].name}: {references.version_ref(scope, version)}")
    return list(dict.fromkeys(lines))
