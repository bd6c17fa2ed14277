"""Diff: why do these two differ? Parameters, metrics, code, environment, inputs, and what lies upstream."""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.core.diff import Change, changes, flatten
from lineal.core.drift import ColumnDrift, drifts
from lineal.core.events import Level
from lineal.core.lineage import ancestry
from lineal.core.model import Edge, EdgeKind, VersionRecord
from lineal.service import references
from lineal.service.lineage import BUDGET, DEPTH
from lineal.service.operations import Scope, operation
from lineal.service.runs import Number, number
from lineal.service.show import facet_of

_GOVERNS = ("environment", "code")
_FILES = 200


class DiffRequest(msgspec.Struct, frozen=True, kw_only=True):
    """a and b: two runs, or two versions (then the runs that made them are compared)."""

    a: str
    b: str


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side: what was named, and the run that stands for it (empty when no run was seen making it)."""

    ref: str
    label: str
    run: str
    job: str
    digest: str | None


class MetricChange(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's last values; delta is b - a where both are finite numbers."""

    key: str
    a: Number | None
    b: Number | None
    delta: float | None


class InputChange(msgspec.Struct, frozen=True, kw_only=True):
    """A file or table that differs. status: changed, added (only b), removed (only a), unknown (a digest is not known).

    columns: which columns differ (a, b: their types; equal types mean other values); files: which members of a
    directory differ; columns_unknown: why columns could not be compared. drift: how the values of a
    column changed, by the two profiles; drift_unknown: why that cannot be told.
    """

    name: str
    role: str
    status: str
    a: str | None
    b: str | None
    columns: list[Change] = []
    columns_same: int = 0
    rows_a: int | None = None
    rows_b: int | None = None
    files: list[Change] = []
    columns_unknown: str = ""
    drift: list[ColumnDrift] = []
    drift_unknown: str = ""


class RunChange(msgspec.Struct, frozen=True, kw_only=True):
    """How two runs differ."""

    params: list[Change]
    metrics: list[MetricChange]
    code: list[Change]
    environment: list[Change]
    inputs: list[InputChange]
    same: dict[str, int]


class UpstreamChange(msgspec.Struct, frozen=True, kw_only=True):
    """How the runs of one job in the two ancestries differ; a or b is empty where only one side has the job."""

    job: str
    a: str
    b: str
    change: RunChange | None


class DiffReply(msgspec.Struct, frozen=True, kw_only=True):
    """The difference of two runs or versions. identical: the very same bytes; upstream: nearest jobs first.

    content: how what two versions hold differs, by column or by file, as far as that is known.
    """

    a: Side
    b: Side
    identical: bool
    change: RunChange
    upstream: list[UpstreamChange]
    upstream_same: int
    content: InputChange | None = None


@operation(
    "diff", permission="record:read", path="/diff", summary="Compare two runs or versions and all behind them"
)
def diff(scope: Scope, request: DiffRequest) -> DiffReply:
    """What differs between two things and between everything they were made from."""
    side_a, runs_a, version_a = _side(scope, request.a)
    side_b, runs_b, version_b = _side(scope, request.b)
    change = _run_change(scope, runs_a[0] if runs_a else None, runs_b[0] if runs_b else None)
    upstream, same = _upstream(scope, runs_a[1:], runs_b[1:])
    return DiffReply(
        a=side_a,
        b=side_b,
        identical=side_a.digest is not None and side_a.digest == side_b.digest,
        change=change,
        upstream=upstream,
        upstream_same=same,
        content=_content(scope, version_a, version_b),
    )


def _content(scope: Scope, a: VersionRecord | None, b: VersionRecord | None) -> InputChange | None:
    """How two versions differ in themselves; None where nothing can be said of it."""
    if a is None or b is None or a.node == b.node:
        return None
    found = _input_change(scope, (a, ""), (b, ""))
    told = found.columns or found.drift or found.files or found.rows_a != found.rows_b
    return found if told else None


def _side(scope: Scope, text: str) -> tuple[Side, list[int], VersionRecord | None]:
    """The side, its runs (the one that made it first, then those upstream, nearest first), and the version, if it is one."""
    found = references.find(scope, text)
    edges, _ = scope.store.edges.upstream(scope.tx, found.node, depth=DEPTH, budget=BUDGET)
    dag = ancestry(found.node, [edge for edge in edges if edge.role not in _GOVERNS]).edges
    order = _nearest(found.node, dag)
    records = scope.store.runs.get_runs(scope.tx, order)
    runs = [node for node in order if node in records]
    first = records[runs[0]] if runs else None
    version = found.version
    return (
        Side(
            ref=text,
            label=references.version_ref(scope, version)
            if version
            else f"run:{first.run_id[:12]}"
            if first
            else text,
            run=f"run:{first.run_id}" if first else "",
            job=first.job if first else "",
            digest=version.digest if version and version.level in (Level.CONTENT, Level.NATIVE) else None,
        ),
        runs,
        version,
    )


def _nearest(start: int, edges: list[Edge]) -> list[int]:
    """Vertices by distance from the start, against the edges' direction."""
    into: dict[int, list[int]] = {}
    for edge in edges:
        into.setdefault(edge.dst, []).append(edge.src)
    order, seen = [start], {start}
    for node in order:
        for source in into.get(node, []):
            if source not in seen:
                seen.add(source)
                order.append(source)
    return order


def _upstream(scope: Scope, runs_a: list[int], runs_b: list[int]) -> tuple[list[UpstreamChange], int]:
    """Pair the runs of both ancestries by job, nearest with nearest, and compare each pair."""
    records = scope.store.runs.get_runs(scope.tx, list({*runs_a, *runs_b}))
    by_job: dict[str, tuple[list[int], list[int]]] = {}
    for index, runs in enumerate((runs_a, runs_b)):
        for node in runs:
            by_job.setdefault(records[node].job, ([], []))[index].append(node)
    found: list[UpstreamChange] = []
    same = 0
    for job, (side_a, side_b) in by_job.items():
        for position in range(max(len(side_a), len(side_b))):
            a = side_a[position] if position < len(side_a) else None
            b = side_b[position] if position < len(side_b) else None
            change = _run_change(scope, a, b) if a is not None and b is not None and a != b else None
            differs = a is None or b is None or (change is not None and _differs(change))
            if differs:
                found.append(
                    UpstreamChange(
                        job=job,
                        a=f"run:{records[a].run_id}" if a is not None else "",
                        b=f"run:{records[b].run_id}" if b is not None else "",
                        change=change,
                    )
                )
            else:
                same += 1
    return found, same


def _differs(change: RunChange) -> bool:
    return bool(change.params or change.code or change.environment or change.inputs)


def _run_change(scope: Scope, a: int | None, b: int | None) -> RunChange:
    nodes = [node for node in (a, b) if node is not None]
    params = scope.store.attributes.get_params(scope.tx, nodes)
    metrics = scope.store.metrics.get_summaries(scope.tx, nodes)

    def param_map(node: int | None) -> dict[str, str]:
        return {p.key: p.value for p in params.get(node or 0, [])}

    def metric_map(node: int | None) -> dict[str, float]:
        return {m.key: m.last for m in metrics.get(node or 0, [])}

    param_changes, same_params = changes(param_map(a), param_map(b))
    metric_changes, same_metrics = changes(metric_map(a), metric_map(b))
    governed = [_governed(scope, node) for node in (a, b)]
    code, same_code = changes(_code_facts(governed[0]), _code_facts(governed[1]))
    environment, same_environment = changes(_environment_facts(governed[0]), _environment_facts(governed[1]))
    inputs, same_inputs = _inputs(scope, a, b)
    return RunChange(
        params=param_changes,
        metrics=[_metric_change(change) for change in metric_changes],
        code=code,
        environment=environment,
        inputs=inputs,
        same={
            "params": same_params,
            "metrics": same_metrics,
            "code": same_code,
            "environment": same_environment,
            "inputs": same_inputs,
        },
    )


def _metric_change(change: Change) -> MetricChange:
    a, b = change.a, change.b
    left, right = (None if value is None else number(value) for value in (a, b))
    finite = isinstance(left, float) and isinstance(right, float)
    return MetricChange(key=change.key, a=left, b=right, delta=b - a if finite else None)


def _governed(scope: Scope, run: int | None) -> dict[str, dict[str, Any]]:
    if run is None:
        return {}
    facts: dict[str, dict[str, Any]] = {}
    for edge in scope.store.edges.get_in(scope.tx, [run]):
        if edge.kind == EdgeKind.USED and edge.role in _GOVERNS:
            facts[edge.role] = facet_of(scope, edge.src, f"lineal.{edge.role}/1") or {}
    if launch := facet_of(scope, run, "lineal.launch/1"):
        command = " ".join(str(word) for word in launch.get("argv") or launch.get("command") or [])
        facts["code"] = {**facts.get("code", {}), "command": command}
    if sources := facet_of(scope, run, "lineal.sources/1"):
        facts["code"] = {**facts.get("code", {}), "sources": sources.get("files")}
    return facts


def _code_facts(governed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    code = dict(governed.get("code", {}))
    sources = code.pop("sources", None) or {}
    untracked = code.pop("untracked", None) or []
    flat = flatten(code)
    flat.update({f"untracked {file['path']}": file["sha256"] for file in untracked})
    flat.update({f"ran {path}": digest for path, digest in sources.items()})
    return flat


def _environment_facts(governed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    environment = dict(governed.get("environment", {}))
    packages = environment.pop("packages", None) or {}
    flat = flatten(environment)
    flat.update({f"package {name}": version for name, version in packages.items()})
    return flat


def _inputs(scope: Scope, a: int | None, b: int | None) -> tuple[list[InputChange], int]:
    sides = [_input_versions(scope, node) for node in (a, b)]
    found: list[InputChange] = []
    same = 0
    for key in sorted({*sides[0], *sides[1]}):
        left, right = sides[0].get(key), sides[1].get(key)
        if (
            left
            and right
            and left[0].node == right[0].node
            and left[0].level in (Level.CONTENT, Level.NATIVE)
        ):
            same += 1
            continue
        found.append(_input_change(scope, left, right))
    return found, same


def _input_versions(scope: Scope, run: int | None) -> dict[tuple[str, str], tuple[VersionRecord, str]]:
    """By artifact, what the run read (the last version, when it read several)."""
    if run is None:
        return {}
    used = [
        edge
        for edge in scope.store.edges.get_in(scope.tx, [run])
        if edge.kind == EdgeKind.USED and edge.role not in _GOVERNS
    ]
    versions = scope.store.artifacts.get_versions(scope.tx, [edge.src for edge in used])
    return {
        (versions[edge.src].namespace, versions[edge.src].name): (versions[edge.src], edge.role)
        for edge in sorted(used, key=lambda edge: edge.at)
    }


def _input_change(
    scope: Scope, left: tuple[VersionRecord, str] | None, right: tuple[VersionRecord, str] | None
) -> InputChange:
    either = right or left
    assert either is not None
    version, role = either
    refs = [references.artifact_ref(side[0]) if side else None for side in (left, right)]
    if left is None or right is None:
        return InputChange(
            name=version.name, role=role, status="removed" if right is None else "added", a=refs[0], b=refs[1]
        )
    known = all(side[0].level in (Level.CONTENT, Level.NATIVE) for side in (left, right))
    schemas = [facet_of(scope, side[0].node, "lineal.schema/1") for side in (left, right)]
    profiles = [facet_of(scope, side[0].node, "lineal.profile/1") for side in (left, right)]
    compared = all(schemas)
    if compared:
        columns, columns_same = changes(_columns(schemas[0]), _columns(schemas[1]))
    else:  # a folder of tables has no digest of each column, so that nothing is said of those with the same type
        columns, columns_same = changes(_types(profiles[0]), _types(profiles[1]))[0], 0
    members = [
        {member.path: member.digest for member in scope.store.artifacts.get_members(scope.tx, side[0].node)}
        for side in (left, right)
    ]
    files, _ = changes(members[0], members[1])
    return InputChange(
        name=version.name,
        role=role,
        status="changed" if known else "unknown",
        a=refs[0],
        b=refs[1],
        columns=[
            Change(key=change.key, a=change.a and change.a.get("type"), b=change.b and change.b.get("type"))
            for change in columns
        ]
        if compared or all(profiles)
        else [],
        columns_same=columns_same,
        rows_a=_rows(schemas[0] or profiles[0]),
        rows_b=_rows(schemas[1] or profiles[1]),
        files=files[:_FILES],
        drift=drifts(profiles[0] or {}, profiles[1] or {}),
        drift_unknown=next((str(p["reason"]) for p in profiles if p and p.get("reason")), ""),
        columns_unknown="" if compared or any(members) else _why_no_columns(version.name),
    )


def _types(profile: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    return {column["name"]: {"type": column.get("type")} for column in (profile or {}).get("columns", [])}


def _rows(facet: dict[str, Any] | None) -> int | None:
    rows = (facet or {}).get("rows")
    return rows if isinstance(rows, int) else None


def _why_no_columns(name: str) -> str:
    """What to say of a table whose columns are not recorded; nothing of a file that is no table."""
    if not name.lower().endswith((".parquet", ".pq", ".csv", ".tsv", ".feather", ".arrow")):
        return ""
    return "its columns were not read: pip install 'lineal[data]' where Lineal is installed"


def _columns(schema: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in (schema or {}).get("columns", [])}
