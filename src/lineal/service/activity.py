"""What goes on: jobs, deployments, and the keys that runs have."""

from __future__ import annotations

import msgspec

from lineal.core.model import EdgeKind
from lineal.service import references
from lineal.service.catalog import ListRequest, within
from lineal.service.operations import Scope, operation
from lineal.service.registry import DEPLOYMENT
from lineal.service.runs import RunSummary, summaries
from lineal.store.conditions import Order, Term

_GOVERNS = ("environment", "code")


class JobOut(msgspec.Struct, frozen=True, kw_only=True):
    """A job. last: its newest runs, the newest first."""

    name: str
    namespace: str
    runs: int
    failed: int
    last_at: int
    last: list[RunSummary]


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs, those that ran last first."""

    jobs: list[JobOut]
    cut: bool


class DeploymentOut(msgspec.Struct, frozen=True, kw_only=True):
    """What is or was live. version: its registered name if it has one; ended_at: None while it is live."""

    target: str
    version: str
    names: list[str]
    kind: str
    url: str
    run_id: str
    actor: str
    started_at: int
    ended_at: int | None
    state: str


class DeploymentList(msgspec.Struct, frozen=True, kw_only=True):
    """Deployments, the last begun first."""

    deployments: list[DeploymentOut]
    cut: bool


class FieldList(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that runs have, each in byte order."""

    metrics: list[str]
    params: list[str]
    tags: list[str]


class FieldsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """limit: most keys of each sort, 1 to 10,000."""

    limit: int = 10_000


@operation("jobs", permission="record:read", path="/jobs", summary="List jobs and how their runs went")
def list_jobs(scope: Scope, request: ListRequest) -> JobList:
    """Jobs that ran, each with its newest runs; deployments are no jobs here."""
    limit = within(request.limit)
    rows = scope.store.catalog.list_jobs(scope.tx, limit=limit + 1)
    last = scope.store.catalog.list_last_runs(scope.tx, [row.id for row in rows[:limit]], each_job=12)
    jobs = []
    for row in rows[:limit]:
        runs = summaries(scope, last[row.id])
        if any(run.kind != DEPLOYMENT for run in runs):
            jobs.append(
                JobOut(
                    name=row.name,
                    namespace=row.namespace,
                    runs=row.runs,
                    failed=row.failed,
                    last_at=row.last_at,
                    last=runs,
                )
            )
    return JobList(jobs=jobs, cut=len(rows) > limit)


@operation("deployments", permission="record:read", path="/deployments", summary="List what is and was live")
def list_deployments(scope: Scope, request: ListRequest) -> DeploymentList:
    """Deployments with the version each uses."""
    limit = within(request.limit)
    nodes = scope.store.search.search_runs(
        scope.tx, [Term("kind", "=", DEPLOYMENT)], order=Order(), limit=limit + 1
    )
    runs = scope.store.runs.get_runs(scope.tx, nodes[:limit])
    used = {
        edge.dst: edge.src
        for edge in scope.store.edges.get_in(scope.tx, nodes[:limit])
        if edge.kind == EdgeKind.USED and edge.role not in _GOVERNS
    }
    versions = scope.store.artifacts.get_versions(scope.tx, sorted(set(used.values())))
    names: dict[int, list[str]] = {}
    for named in scope.store.registry.list_names_of(scope.tx, list(versions)):
        names.setdefault(named.node, []).append(f"{named.name}@{named.number}")
    tags = scope.store.attributes.get_tags(scope.tx, nodes[:limit])
    found = []
    for node in nodes[:limit]:
        version = versions.get(used.get(node, 0))
        said = names.get(version.node, []) if version else []
        artifact = references.artifact_ref(version) if version else ""
        found.append(
            DeploymentOut(
                target=runs[node].name or runs[node].job,
                version=said[0] if said else artifact,
                names=said,
                kind=version.kind if version else "",
                url=next((tag.value for tag in tags.get(node, []) if tag.key == "lineal.url"), ""),
                run_id=runs[node].run_id,
                actor=runs[node].actor,
                started_at=runs[node].started_at,
                ended_at=runs[node].ended_at,
                state=str(runs[node].state),
            )
        )
    return DeploymentList(deployments=found, cut=len(nodes) > limit)


@operation("fields", permission="record:read", path="/fields", summary="List the keys that runs have")
def list_fields(scope: Scope, request: FieldsRequest) -> FieldList:
    """Keys of metrics, parameters and tags, for completing a filter and choosing columns."""
    limit = within(request.limit, 10_000)
    keys = scope.store.catalog.list_keys
    return FieldList(
        metrics=keys(scope.tx, "metrics", limit=limit),
        params=keys(scope.tx, "params", limit=limit),
        tags=keys(scope.tx, "tags", limit=limit),
    )
