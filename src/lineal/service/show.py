"""One thing and all that is recorded of it: a run, a version, an artifact."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from lineal.core.errors import NotFound
from lineal.core.events import ErrorInfo, Level
from lineal.core.lineage import same_bytes
from lineal.core.model import Attribute, Edge, EdgeKind, MetricSummary, VersionRecord
from lineal.service import references
from lineal.service.facets import INPUTS, OUTPUTS
from lineal.service.ingest import holders
from lineal.service.joins import Join, joins_around
from lineal.service.operations import Scope, operation
from lineal.service.runs import Number, RunSummary, number, summaries

_GOVERNS = ("environment", "code")  # roles that say under what a run ran, not what it read
_MOST = 5000
_Keyed = TypeVar("_Keyed", Attribute, MetricSummary)


class ShowRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a run, a version, or an artifact's name."""

    ref: str


class ReferenceOut(msgspec.Struct, frozen=True, kw_only=True):
    """A name under which the data can be found again, and how firmly it identifies."""

    scheme: str
    value: str
    level: str


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a run read or wrote.

    path: relative to the project (absolute outside it), None for a remote; uri: `file:` or the remote's. version: how
    to write it as a reference. digest: None when it is not known, and then reason says why. made_by: the runs that
    were seen writing this version (for an input), origin_unknown: nobody was. facets: those of the edge, by their own names.
    """

    path: str | None
    uri: str
    version: str
    kind: str
    role: str
    evidence: str
    via: list[str]
    at: int
    digest: str | None
    level: str
    reason: str
    size: int | None
    references: list[ReferenceOut]
    made_by: list[str] = []
    origin_unknown: bool = False
    again: bool = False
    names: list[str] = []
    facets: dict[str, Any] = {}


class MetricOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric did; see MetricSummary."""

    key: str
    count: int
    last: Number
    last_step: int
    minimum: Number
    maximum: Number


class ParamOut(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter and who saw it."""

    key: str
    value: str
    source: str


class RunDetail(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="run"):
    """A run with everything known about it. facets: by name, as received."""

    summary: RunSummary
    run_id: str
    job: str
    state: str
    started_at: int
    ended_at: int | None
    exit_code: int | None
    signal: int | None
    error: ErrorInfo | None
    params: list[ParamOut]
    metrics: list[MetricOut]
    tags: dict[str, str]
    inputs: list[RunFile]
    outputs: list[RunFile]
    children: list[RunSummary]
    environment: dict[str, Any] | None
    code: dict[str, Any] | None
    facets: dict[str, Any]
    deleted_at: int | None
    joins: list[Join] = []


class VersionDetail(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="version"):
    """A version: what it is, who made it, who used it."""

    ref: str
    namespace: str
    name: str
    kind: str
    number: int
    digest: str | None
    level: str
    reason: str
    size: int | None
    uri: str
    recorded_at: int
    references: list[ReferenceOut]
    names: list[str]
    aliases: list[str]
    tags: dict[str, str]
    facets: dict[str, Any]
    members: list[dict[str, Any]]
    made_by: list[RunSummary]
    used_by: list[RunSummary]
    candidates: list[str]
    origin_unknown: bool
    other_versions: list[str]
    deleted_at: int | None
    joins: list[Join] = []


Shown = RunDetail | VersionDetail


@operation(
    "show", permission="record:read", path="/show", summary="Show one run or version with all that is known"
)
def show(scope: Scope, request: ShowRequest) -> Shown:
    """Everything recorded of what the reference names; a bare artifact name means its newest version."""
    found = references.find(scope, request.ref)
    return show_version(scope, found.version) if found.version else show_run(scope, found.node)


def show_run(scope: Scope, node: int) -> RunDetail:
    """A run in full. Raises NotFound: there is no such vertex."""
    store, tx = scope.store, scope.tx
    run = store.runs.get_runs(tx, [node]).get(node)
    if run is None:
        raise NotFound("that run is not in this store")
    members = store.joins.expand(tx, [node])
    used = [edge for edge in store.edges.get_in(tx, [node]) if edge.kind == EdgeKind.USED]
    made = [edge for edge in store.edges.get_out(tx, [node]) if edge.kind == EdgeKind.GENERATED]
    governing = {edge.role: edge.src for edge in used if edge.role in _GOVERNS}
    summary = summaries(scope, [node])[0]
    facets = {
        facet.name: msgspec.json.decode(facet.body)
        for member in reversed(members)
        for facet in store.attributes.get_facets(tx, member)
    }
    return RunDetail(
        summary=summary,
        run_id=run.run_id,
        job=run.job,
        state=str(run.state),
        started_at=run.started_at,
        ended_at=run.ended_at,
        exit_code=run.exit_code,
        signal=run.signal,
        error=run.error,
        params=[
            ParamOut(key=p.key, value=p.value, source=p.source)
            for p in _of_all(store.attributes.get_params(tx, members), members)
        ],
        metrics=[
            MetricOut(
                key=m.key,
                count=m.count,
                last=number(m.last),
                last_step=m.last_step,
                minimum=number(m.minimum),
                maximum=number(m.maximum),
            )
            for m in _of_all(store.metrics.get_summaries(tx, members), members)
        ],
        tags={t.key: t.value for t in _of_all(store.attributes.get_tags(tx, members), members)},
        inputs=_files(scope, [edge for edge in used if edge.role not in _GOVERNS], facets, by_src=True),
        outputs=_files(scope, made, facets, by_src=False),
        children=summaries(scope, store.runs.list_children(tx, node, _MOST)),
        environment=facet_of(scope, governing.get("environment"), "lineal.environment/1"),
        code=facet_of(scope, governing.get("code"), "lineal.code/1"),
        facets=facets,
        deleted_at=run.deleted_at,
        joins=joins_around(scope, [node]),
    )


def _of_all(by_vertex: dict[int, list[_Keyed]], members: list[int]) -> list[_Keyed]:
    """What all reports of one run say, by key; where two say something of one key, the first report's."""
    found: dict[str, _Keyed] = {}
    for member in members:
        for item in by_vertex.get(member, []):
            found.setdefault(item.key, item)
    return sorted(found.values(), key=lambda item: item.key.encode())


def facet_of(scope: Scope, node: int | None, name: str) -> dict[str, Any] | None:
    """A vertex's newest facet of that name, decoded; None if it has none."""
    if node is None:
        return None
    for facet in reversed(scope.store.attributes.get_facets(scope.tx, node)):
        if facet.name == name:
            body = msgspec.json.decode(facet.body)
            return body if isinstance(body, dict) else None
    return None


def gaps_of(scope: Scope, node: int) -> list[str]:
    """What was not seen of a run, each once: where it was begun, and by the workers that took part from elsewhere."""
    found: dict[str, None] = {}
    newest = {facet.name: facet.body for facet in scope.store.attributes.get_facets(scope.tx, node)}
    for name, body in newest.items():
        if name == "lineal.notes/1" or name.startswith("lineal.worker."):
            said = msgspec.json.decode(body)
            found.update(dict.fromkeys(said.get("gaps", []) if isinstance(said, dict) else []))
    return list(found)


def _of_edges(scope: Scope, nodes: list[int], facets: dict[str, Any], side: str) -> dict[int, dict[str, Any]]:
    """The facets of the edges to these versions, which the run keeps as `inputs.NAMESPACE/NAME.FACET`, by version: under whichever of
    its names they were told."""
    told: dict[str, dict[str, Any]] = {}
    for name, body in facets.items():
        if name.startswith(side):
            dataset, _, own = name.removeprefix(side).rpartition(".")
            told.setdefault(dataset, {})[own] = body
    if not told:
        return {}
    every = {node: scope.store.joins.expand(scope.tx, [node]) for node in nodes}
    versions = scope.store.artifacts.get_versions(
        scope.tx, sorted({member for members in every.values() for member in members})
    )
    return {
        node: {
            own: body
            for member in members
            if (version := versions.get(member)) is not None
            for own, body in told.get(f"{version.namespace}/{version.name}", {}).items()
        }
        for node, members in every.items()
    }


def _files(scope: Scope, edges: list[Edge], facets: dict[str, Any], *, by_src: bool) -> list[RunFile]:
    store, tx = scope.store, scope.tx
    nodes = [edge.src if by_src else edge.dst for edge in edges]
    versions = store.artifacts.get_versions(tx, nodes)
    refs = store.artifacts.get_references(tx, nodes)
    makers: dict[int, list[int]] = {}
    explained: set[int] = set()
    if by_src:
        for edge in store.edges.get_in(tx, nodes):
            if edge.kind == EdgeKind.GENERATED:
                makers.setdefault(edge.dst, []).append(edge.src)
            explained.add(edge.dst)
    runs = store.runs.get_runs(tx, sorted({run for found in makers.values() for run in found}))
    names: dict[int, list[str]] = {}
    for named in store.registry.list_names_of(tx, nodes):
        names.setdefault(named.node, []).append(f"{named.name}@{named.number}")
    of_edges = _of_edges(scope, nodes, facets, INPUTS if by_src else OUTPUTS)
    files = [
        _file(
            versions[node],
            edge,
            [ReferenceOut(scheme=r.scheme, value=r.value, level=str(r.level)) for r in refs.get(node, [])],
            [runs[run].run_id for run in makers.get(node, []) if run in runs],
            unknown=by_src and node not in explained,
            names=names.get(node, []),
            facets=of_edges.get(node, {}),
        )
        for node, edge in zip(nodes, edges, strict=True)
    ]
    return sorted(files, key=lambda file: (file.at, file.version))


def _file(
    version: VersionRecord,
    edge: Edge,
    refs: list[ReferenceOut],
    made_by: list[str],
    *,
    unknown: bool,
    names: list[str],
    facets: dict[str, Any],
) -> RunFile:
    remote = "://" in version.namespace
    known = version.level in (Level.CONTENT, Level.NATIVE)
    return RunFile(
        path=None if remote else version.name,
        uri=version.location,
        version=references.artifact_ref(version),
        kind=version.kind,
        role=edge.role,
        evidence=str(edge.evidence),
        via=edge.via.split(),
        at=edge.at,
        digest=version.digest if known else None,
        level=str(version.level),
        reason=version.reason,
        size=version.size,
        references=refs,
        made_by=made_by,
        origin_unknown=unknown,
        again=edge.again,
        names=names,
        facets=facets,
    )


def show_version(scope: Scope, version: VersionRecord) -> VersionDetail:
    """A version in full."""
    store, tx, node = scope.store, scope.tx, version.node
    incoming = store.edges.get_in(tx, [node])
    makers = [edge.src for edge in incoming if edge.kind == EdgeKind.GENERATED]
    users = [edge.dst for edge in store.edges.get_out(tx, [node]) if edge.kind == EdgeKind.USED]
    members = store.joins.expand(tx, [node])
    named = store.registry.list_names_of(tx, members)
    aliases = [
        f"{alias.name}@{alias.alias}"
        for name in sorted({entry.name for entry in named})
        for alias in store.registry.list_aliases(tx, name)
        if alias.node in members
    ]
    known = version.level in (Level.CONTENT, Level.NATIVE)
    siblings = store.artifacts.list_versions(tx, version.namespace, version.name)
    return VersionDetail(
        ref=references.artifact_ref(version),
        namespace=version.namespace,
        name=version.name,
        kind=version.kind,
        number=version.number,
        digest=version.digest if known else None,
        level=str(version.level),
        reason=version.reason,
        size=version.size,
        uri=version.location,
        recorded_at=version.recorded_at,
        references=[
            ReferenceOut(scheme=r.scheme, value=r.value, level=str(r.level))
            for found in store.artifacts.get_references(tx, members).values()
            for r in found
        ],
        names=[f"{entry.name}@{entry.number}" for entry in named],
        aliases=aliases,
        tags={t.key: t.value for t in _of_all(store.attributes.get_tags(tx, members), members)},
        facets={
            facet.name: msgspec.json.decode(facet.body)
            for member in reversed(members)
            for facet in store.attributes.get_facets(tx, member)
        },
        members=[
            {"path": m.path, "digest": m.digest, "size": m.size}
            for m in store.artifacts.get_members(tx, node)
        ],
        made_by=summaries(scope, list(dict.fromkeys(makers))),
        used_by=summaries(scope, list(dict.fromkeys(users))),
        candidates=candidates(scope, version) if not incoming else [],
        origin_unknown=not incoming,
        other_versions=[references.artifact_ref(other) for other in siblings if other.node != node],
        deleted_at=version.deleted_at,
        joins=joins_around(scope, [node]),
    )


def candidates(scope: Scope, version: VersionRecord) -> list[str]:
    """Versions with equal bytes, any of which may be where this one came from (none is taken as its ancestor)."""
    if not version.digest or version.level not in (Level.CONTENT, Level.NATIVE):
        return []
    same = scope.store.artifacts.list_by_digest(scope.tx, version.digest, 100)
    _, unsure = same_bytes(holders(scope, [other.node for other in same]))
    return [
        references.version_ref(scope, other) for other in same if other.node in unsure.get(version.node, [])
    ]
