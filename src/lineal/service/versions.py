"""Versions and registered models, searched by the same language as runs."""

from __future__ import annotations

import msgspec

from lineal.core.errors import Invalid
from lineal.core.events import Level
from lineal.core.model import EdgeKind
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.query import MODELS, VERSIONS, search


class VersionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """where: a query, as `kind = model and metrics.auc > 0.9 and upstream(tag = 'pii')`; docs/reference/query.md.

    models: only versions that have a registered name; `name` and `version` then mean that name and its number. order: a field,
    with `asc` or `desc` behind it (newest first by default). limit: 1 to 100,000; offset: how many to leave out before.
    """

    where: str = ""
    models: bool = False
    order: str = ""
    limit: int = 100
    offset: int = 0


class VersionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a list. names, aliases: registered ones; run: the id of the run that generated it last, if one was seen."""

    ref: str
    namespace: str
    name: str
    kind: str
    number: int
    digest: str | None
    level: str
    size: int | None
    recorded_at: int
    names: list[str]
    aliases: list[str]
    tags: dict[str, str]
    run: str | None


class VersionList(msgspec.Struct, frozen=True, kw_only=True):
    """Versions in the wanted order; cut: whether `limit` left some out."""

    versions: list[VersionSummary]
    cut: bool


@operation(
    "versions", permission="record:read", path="/versions", summary="Search versions and registered models"
)
def versions(scope: Scope, request: VersionsRequest) -> VersionList:
    """Versions that fulfil a query, the newest first unless ordered otherwise.

    Raises Invalid: the query or order cannot be read, or the limit is out of range.
    """
    if not 1 <= request.limit <= 100_000 or request.offset < 0:
        raise Invalid(
            f"a limit of {request.limit}, an offset of {request.offset}", hint="1 to 100000, and 0 or more"
        )
    nodes, as_of = search(
        scope,
        MODELS if request.models else VERSIONS,
        request.where,
        order=request.order,
        limit=request.limit + 1,
        offset=request.offset,
    )
    found = summaries(scope, nodes[: request.limit], as_of=as_of)
    return VersionList(versions=found, cut=len(nodes) > request.limit)


def summaries(scope: Scope, nodes: list[int], *, as_of: int | None = None) -> list[VersionSummary]:
    """The versions as lists show them, in the given order."""
    store, tx = scope.store, scope.tx
    records = store.artifacts.get_versions(tx, nodes)
    tags = store.attributes.get_tags(tx, nodes, as_of=as_of)
    names: dict[int, list[str]] = {}
    aliases: dict[int, list[str]] = {}
    named = store.registry.list_names_of(tx, nodes)
    for entry in named:
        names.setdefault(entry.node, []).append(f"{entry.name}@{entry.number}")
    for name in sorted({entry.name for entry in named}):
        for alias in store.registry.list_aliases(tx, name):
            aliases.setdefault(alias.node, []).append(f"{alias.name}@{alias.alias}")
    makers = {
        edge.dst: edge.src
        for edge in store.edges.get_in(tx, nodes, as_of=as_of)
        if edge.kind == EdgeKind.GENERATED
    }
    runs = store.runs.get_runs(tx, sorted(set(makers.values())))
    return [
        VersionSummary(
            ref=references.artifact_ref(record),
            namespace=record.namespace,
            name=record.name,
            kind=record.kind,
            number=record.number,
            digest=record.digest if record.level in (Level.CONTENT, Level.NATIVE) else None,
            level=str(record.level),
            size=record.size,
            recorded_at=record.recorded_at,
            names=names.get(node, []),
            aliases=aliases.get(node, []),
            tags={tag.key: tag.value for tag in tags.get(node, [])},
            run=runs[makers[node]].run_id if makers.get(node) in runs else None,
        )
        for node in nodes
        if (record := records.get(node)) is not None
    ]
