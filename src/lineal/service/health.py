"""Health: how complete is the record behind a model, and what exactly is not known."""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.core.conflicts import Conflict
from lineal.core.events import Level, State
from lineal.core.health import Check, percent
from lineal.core.lineage import ancestry
from lineal.core.model import EdgeKind, RunRecord, VersionRecord
from lineal.service import references
from lineal.service.conflicts import within
from lineal.service.leases import why_lost
from lineal.service.lineage import BUDGET, DEPTH
from lineal.service.operations import Scope, operation
from lineal.service.registry import DEPLOYMENT
from lineal.service.show import facet_of, gaps_of

_GOVERNS = ("environment", "code")


class HealthRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a model's version, or any run or version; its whole ancestry is examined."""

    ref: str


class HealthReply(msgspec.Struct, frozen=True, kw_only=True):
    """percent: known facts among all facts asked for (0 to 100). cut: the ancestry was too large to examine whole.

    conflicts: what contradicts in it, see `conflicts`.
    """

    ref: str
    percent: float
    checks: list[Check]
    runs: int
    versions: int
    cut: bool
    conflicts: list[Conflict] = []


@operation(
    "health",
    permission="record:read",
    path="/health-of",
    summary="How complete is a record, and what is unknown",
)
def health(scope: Scope, request: HealthRequest) -> HealthReply:
    """The completeness of what is recorded behind a version or run."""
    root = references.find(scope, request.ref).node
    edges, cut = scope.store.edges.upstream(scope.tx, root, depth=DEPTH, budget=BUDGET)
    data = [edge for edge in edges if edge.role not in _GOVERNS]
    dag = ancestry(root, data).edges
    reached = sorted({root, *(end for edge in dag for end in (edge.src, edge.dst))})
    runs = {
        node: run
        for node, run in scope.store.runs.get_runs(scope.tx, reached).items()
        if run.kind != DEPLOYMENT
    }
    versions = scope.store.artifacts.get_versions(scope.tx, [node for node in reached if node not in runs])
    made = {edge.dst for edge in dag if edge.kind != EdgeKind.USED}
    governing: dict[int, dict[str, int]] = {}
    for edge in scope.store.edges.get_in(scope.tx, list(runs)):
        if edge.kind == EdgeKind.USED and edge.role in _GOVERNS:
            governing.setdefault(edge.dst, {})[edge.role] = edge.src
    checks = [
        _data_known(list(versions.values())),
        _origin_known(scope, versions, made),
        *_run_checks(scope, runs, governing),
    ]
    return HealthReply(
        ref=request.ref,
        percent=percent(checks),
        checks=checks,
        runs=len(runs),
        versions=len(versions),
        cut=cut,
        conflicts=within(scope, root, edges),
    )


def _data_known(versions: list[VersionRecord]) -> Check:
    missing = [
        f"{references.artifact_ref(v)}: {v.reason or 'no digest'}"
        for v in versions
        if v.level not in (Level.CONTENT, Level.NATIVE)
    ]
    return Check(
        name="data identified",
        means="every version read or written is identified by its content or by its store's own version",
        known=len(versions) - len(missing),
        total=len(versions),
        missing=missing,
    )


def _origin_known(scope: Scope, versions: dict[int, VersionRecord], made: set[int]) -> Check:
    missing = [
        f"{references.artifact_ref(version)}: nobody is known to have produced it"
        for node, version in versions.items()
        if node not in made
    ]
    return Check(
        name="origin known",
        means="a run was seen producing it, or equal bytes elsewhere explain it",
        known=len(versions) - len(missing),
        total=len(versions),
        missing=missing,
    )


def _run_checks(
    scope: Scope, runs: dict[int, RunRecord], governing: dict[int, dict[str, int]]
) -> list[Check]:
    ended: list[str] = []
    code: list[str] = []
    environment: list[str] = []
    observed: list[str] = []
    lost = why_lost(scope, [node for node, run in runs.items() if run.state == State.LOST])
    for node, run in runs.items():
        name = f"run:{run.run_id[:12]} {run.job}"
        if run.state in (State.LOST, State.RUNNING):
            ended.append(f"{name}: {lost.get(node, 'still running')}")
        facts = {
            role: facet_of(scope, vertex, f"lineal.{role}/1")
            for role, vertex in governing.get(node, {}).items()
        }
        if reason := _code_gap(facts.get("code")):
            code.append(f"{name}: {reason}")
        if reason := _environment_gap(facts.get("environment")):
            environment.append(f"{name}: {reason}")
        observed.extend(f"{name}: {note}" for note in gaps_of(scope, node))
    total = len(runs)
    unobserved = len({line.split(":", 2)[1] for line in observed})
    return [
        Check(
            name="run ended",
            means="the end of every run was recorded",
            known=total - len(ended),
            total=total,
            missing=ended,
        ),
        Check(
            name="code known",
            means="the commit is known, and the difference where the checkout was dirty",
            known=total - len(code),
            total=total,
            missing=code,
        ),
        Check(
            name="environment pinned",
            means="every installed distribution's version was recorded, and a lock file or exact versions rebuild it",
            known=total - len(environment),
            total=total,
            missing=environment,
        ),
        Check(
            name="observed inside",
            means="file accesses inside the program were seen",
            known=total - unobserved,
            total=total,
            missing=observed,
        ),
    ]


def _code_gap(code: dict[str, Any] | None) -> str:
    if not code:
        return "no code was recorded"
    if code.get("commit"):
        return (
            ""
            if not code.get("dirty") or code.get("diff") or code.get("untracked")
            else "dirty without its difference"
        )
    return "" if code.get("script") or code.get("sources") else "no commit and no source"


def _environment_gap(environment: dict[str, Any] | None) -> str:
    if not environment:
        return "no environment was recorded"
    if not environment.get("packages"):
        return "the installed distributions are not known"
    return "" if environment.get("lock") else "no lock file: versions are recorded, hashes are not"
