"""What there is: registered models, artifacts, jobs, deployments, and the keys that runs have."""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.core.errors import Invalid, NotFound
from lineal.core.events import Level
from lineal.core.model import EdgeKind, NamedVersion, VersionRecord
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.registry import live
from lineal.service.runs import RunSummary, summaries
from lineal.service.show import facet_of

_MOST = 1000
_GOVERNS = ("environment", "code")


class ListRequest(msgspec.Struct, frozen=True, kw_only=True):
    """limit: 1 to 1000."""

    limit: int = 200


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A registered name. newest: the reference of its last version; run: what made that one; targets: where any is live."""

    name: str
    versions: int
    newest: str
    kind: str
    recorded_at: int
    actor: str
    aliases: dict[str, int]
    targets: list[str]
    run: RunSummary | None


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Registered names, the last registered first."""

    models: list[ModelRow]
    cut: bool


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """name: a registered name."""

    name: str


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a registered name. ref: `NAME@NUMBER`; artifact: its reference as a file; run: what made it."""

    number: int
    ref: str
    artifact: str
    kind: str
    digest: str | None
    level: str
    size: int | None
    recorded_at: int
    actor: str
    aliases: list[str]
    targets: list[str]
    tags: dict[str, str]
    commit: str
    dirty: bool
    run: RunSummary | None
    deleted_at: int | None


class ModelDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A registered name and its versions, the newest first."""

    name: str
    versions: list[ModelVersion]


class ArtifactsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """kinds: only these (dataset, features, model, prompt, report, other, code, environment); text: part of the name."""

    kinds: list[str] = []
    text: str = ""
    limit: int = 200
    offset: int = 0


class ArtifactOut(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact and its newest version. name: as references are written."""

    name: str
    namespace: str
    kind: str
    versions: int
    newest: str
    digest: str | None
    level: str
    size: int | None
    recorded_at: int


class ArtifactList(msgspec.Struct, frozen=True, kw_only=True):
    """Artifacts, those with the newest version first; cut: there are more."""

    artifacts: list[ArtifactOut]
    cut: bool


class ArtifactRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: an artifact's name or one of its versions."""

    ref: str
    limit: int = 100


class ArtifactVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of an artifact. columns, rows: from its schema, None where that is not known."""

    number: int
    ref: str
    names: list[str]
    digest: str | None
    level: str
    reason: str
    size: int | None
    recorded_at: int
    rows: int | None
    columns: list[dict[str, Any]] | None
    made_by: list[str]
    used: int
    deleted_at: int | None


class ArtifactDetail(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact and its versions, the newest first."""

    name: str
    namespace: str
    kind: str
    versions: list[ArtifactVersion]


def within(limit: int, most: int = _MOST) -> int:
    """The limit. Raises Invalid: it is out of range."""
    if not 1 <= limit <= most:
        raise Invalid(f"a limit of {limit}", hint=f"between 1 and {most}")
    return limit


@operation("models", permission="record:read", path="/models", summary="List registered names")
def list_models(scope: Scope, request: ListRequest) -> ModelList:
    """Every registered name with its newest version, its aliases and where it is live."""
    within(request.limit)
    named: dict[str, list[NamedVersion]] = {}
    for entry in scope.store.registry.list_named(scope.tx, None, limit=100_000):
        named.setdefault(entry.name, []).append(entry)
    order = sorted(named, key=lambda name: (-named[name][-1].recorded_at, name))
    chosen = order[: request.limit]
    aliases: dict[str, dict[str, int]] = {}
    for alias in scope.store.registry.list_aliases(scope.tx, None):
        aliases.setdefault(alias.name, {})[alias.alias] = alias.number
    newest = [named[name][-1] for name in chosen]
    versions = scope.store.artifacts.get_versions(scope.tx, [entry.node for entry in newest])
    runs = _makers(scope, list(versions))
    targets = _targets(scope)
    return ModelList(
        models=[
            ModelRow(
                name=entry.name,
                versions=len(named[entry.name]),
                newest=f"{entry.name}@{entry.number}",
                kind=versions[entry.node].kind,
                recorded_at=entry.recorded_at,
                actor=entry.actor,
                aliases=aliases.get(entry.name, {}),
                targets=sorted({t for one in named[entry.name] for t in targets.get(one.node, [])}),
                run=runs.get(entry.node),
            )
            for entry in newest
        ],
        cut=len(order) > request.limit,
    )


@operation(
    "model", permission="record:read", path="/model", summary="Show a registered name and its versions"
)
def show_model(scope: Scope, request: ModelRequest) -> ModelDetail:
    """The versions of one name. Raises NotFound: nothing is registered so."""
    named = scope.store.registry.list_named(scope.tx, request.name)
    if not named:
        raise NotFound(
            f"nothing is registered under {request.name[:200]!r}",
            hint=f"register a version: lineal register VERSION {request.name[:200]}",
        )
    nodes = [entry.node for entry in named]
    versions = scope.store.artifacts.get_versions(scope.tx, nodes)
    aliases: dict[int, list[str]] = {}
    for alias in scope.store.registry.list_aliases(scope.tx, request.name):
        aliases.setdefault(alias.number, []).append(alias.alias)
    runs, targets = _makers(scope, nodes), _targets(scope)
    tags = scope.store.attributes.get_tags(scope.tx, nodes)
    found = []
    for entry in reversed(named):
        run = runs.get(entry.node)
        commit, dirty = _commit(scope, run)
        found.append(
            ModelVersion(
                number=entry.number,
                ref=f"{entry.name}@{entry.number}",
                artifact=references.artifact_ref(versions[entry.node]),
                kind=versions[entry.node].kind,
                digest=_digest(versions[entry.node]),
                level=str(versions[entry.node].level),
                size=versions[entry.node].size,
                recorded_at=entry.recorded_at,
                actor=entry.actor,
                aliases=sorted(aliases.get(entry.number, [])),
                targets=sorted(targets.get(entry.node, [])),
                tags={tag.key: tag.value for tag in tags.get(entry.node, [])},
                commit=commit,
                dirty=dirty,
                run=run,
                deleted_at=versions[entry.node].deleted_at,
            )
        )
    return ModelDetail(name=request.name, versions=found)


def _digest(version: VersionRecord) -> str | None:
    return version.digest if version.level in (Level.CONTENT, Level.NATIVE) else None


def _makers(scope: Scope, nodes: list[int]) -> dict[int, RunSummary]:
    """The run that first made each version, where one was seen."""
    made: dict[int, tuple[int, int]] = {}
    for edge in scope.store.edges.get_in(scope.tx, nodes):
        if edge.kind == EdgeKind.GENERATED:
            made[edge.dst] = min(made.get(edge.dst, (edge.at, edge.src)), (edge.at, edge.src))
    order = sorted({run for _, run in made.values()})
    found = dict(zip(order, summaries(scope, order), strict=True))
    return {node: found[run] for node, (_, run) in made.items()}


def _targets(scope: Scope) -> dict[int, list[str]]:
    """Where versions are live, by vertex."""
    standing = live(scope)
    runs = scope.store.runs.get_runs(scope.tx, [node for node, _ in standing])
    found: dict[int, list[str]] = {}
    for node, version in standing:
        found.setdefault(version.node, []).append(runs[node].name)
    return found


def _commit(scope: Scope, run: RunSummary | None) -> tuple[str, bool]:
    """The commit that a run ran, and whether the checkout differed from it."""
    if run is None:
        return "", False
    node = scope.store.runs.find_run(scope.tx, run.run_id)
    for edge in scope.store.edges.get_in(scope.tx, [node] if node is not None else []):
        if edge.kind == EdgeKind.USED and edge.role == "code":
            code = facet_of(scope, edge.src, "lineal.code/1") or {}
            return str(code.get("commit") or ""), bool(code.get("dirty"))
    return "", False


@operation(
    "artifacts", permission="record:read", path="/artifacts", summary="List data, models and other files"
)
def list_artifacts(scope: Scope, request: ArtifactsRequest) -> ArtifactList:
    """Artifacts with their newest version; without `kinds` all but code and environments."""
    limit = within(request.limit)
    if not 0 <= request.offset <= 10_000_000:
        raise Invalid(f"an offset of {request.offset}", hint="from 0 on")
    rows = scope.store.catalog.list_newest(
        scope.tx, kinds=request.kinds, text=request.text, limit=limit + 1, offset=request.offset
    )
    versions = scope.store.artifacts.get_versions(scope.tx, [row.newest for row in rows[:limit]])
    return ArtifactList(
        artifacts=[
            ArtifactOut(
                name=references.artifact_ref(versions[row.newest]).rpartition("@")[0],
                namespace=row.namespace,
                kind=row.kind,
                versions=row.versions,
                newest=references.artifact_ref(versions[row.newest]),
                digest=_digest(versions[row.newest]),
                level=str(versions[row.newest].level),
                size=versions[row.newest].size,
                recorded_at=row.recorded_at,
            )
            for row in rows[:limit]
        ],
        cut=len(rows) > limit,
    )


@operation(
    "artifact", permission="record:read", path="/artifact", summary="Show an artifact and its versions"
)
def show_artifact(scope: Scope, request: ArtifactRequest) -> ArtifactDetail:
    """The versions of one artifact with their columns, where these are known. Raises NotFound: there is none."""
    limit = within(request.limit)
    one = references.find_version(scope, request.ref)
    versions = scope.store.artifacts.list_versions(scope.tx, one.namespace, one.name, limit=limit)
    nodes = [version.node for version in versions]
    makers: dict[int, list[int]] = {}
    for edge in scope.store.edges.get_in(scope.tx, nodes):
        if edge.kind == EdgeKind.GENERATED:
            makers.setdefault(edge.dst, []).append(edge.src)
    uses: dict[int, set[int]] = {}
    for edge in scope.store.edges.get_out(scope.tx, nodes):
        if edge.kind == EdgeKind.USED:
            uses.setdefault(edge.src, set()).add(edge.dst)
    runs = scope.store.runs.get_runs(scope.tx, sorted({run for found in makers.values() for run in found}))
    names: dict[int, list[str]] = {}
    for named in scope.store.registry.list_names_of(scope.tx, nodes):
        names.setdefault(named.node, []).append(f"{named.name}@{named.number}")
    found = []
    for version in sorted(versions, key=lambda version: -version.number):
        schema = facet_of(scope, version.node, "lineal.schema/1") or {}
        made_by = [runs[run].run_id for run in dict.fromkeys(makers.get(version.node, [])) if run in runs]
        found.append(
            ArtifactVersion(
                number=version.number,
                ref=references.artifact_ref(version),
                names=names.get(version.node, []),
                digest=_digest(version),
                level=str(version.level),
                reason=version.reason,
                size=version.size,
                recorded_at=version.recorded_at,
                rows=schema.get("rows"),
                columns=schema.get("columns"),
                made_by=made_by,
                used=len(uses.get(version.node, ())),
                deleted_at=version.deleted_at,
            )
        )
    name = references.artifact_ref(one).rpartition("@")[0]
    return ArtifactDetail(name=name, namespace=one.namespace, kind=one.kind, versions=found)
