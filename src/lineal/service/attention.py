"""Attention: registered models that deserve a look, since what they were made from moved on, contradicts itself or is not known."""

from __future__ import annotations

import msgspec

from lineal.core.lineage import ancestry
from lineal.core.model import Edge
from lineal.service.operations import Scope, operation
from lineal.service.registry import live
from lineal.service.scene_marks import Mark, marks_of

_GOVERNS = ("environment", "code")
_BUDGET = 3000  # edges of one ancestry that are looked at
_DEPTH = 1000


class AttentionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """models: how many are looked at, the last registered first, 1 to 200."""

    models: int = 30


class Attends(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version. aliases, targets: what points at it, and where it is live. marks: `stale`, `withdrawn` and `conflict`, at
    most eight; gaps: how many things before it are not known. cut: its ancestry was too large to look at whole."""

    name: str
    number: int
    ref: str
    aliases: list[str]
    targets: list[str]
    marks: list[Mark]
    gaps: int
    cut: bool


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of which something is to be said, those that are live first. looked: at how many models."""

    versions: list[Attends]
    looked: int
    cut: bool


@operation(
    "attention",
    permission="record:read",
    path="/attention",
    summary="Which models are stale, broken or incomplete",
)
def attention(scope: Scope, request: AttentionRequest) -> Attention:
    """The newest version of each registered name, and those that are live or have an alias, with what is wrong behind them."""
    most = max(1, min(request.models, 200))
    named = scope.store.registry.list_named(scope.tx, None, limit=100_000)
    newest = {entry.name: entry for entry in named}
    order = sorted(newest.values(), key=lambda entry: -entry.recorded_at)
    chosen = {entry.name for entry in order[:most]}
    aliases: dict[tuple[str, int], list[str]] = {}
    for alias in scope.store.registry.list_aliases(scope.tx, None):
        aliases.setdefault((alias.name, alias.number), []).append(alias.alias)
    standing = live(scope)
    runs = scope.store.runs.get_runs(scope.tx, [node for node, _ in standing])
    targets: dict[int, list[str]] = {}
    for node, version in standing:
        targets.setdefault(version.node, []).append(runs[node].name)
    found = []
    for entry in named:
        points = aliases.get((entry.name, entry.number), [])
        if entry.name not in chosen or not (entry is newest[entry.name] or points or targets.get(entry.node)):
            continue
        marks, gaps, cut = _behind(scope, entry.node)
        if marks or gaps:
            found.append(
                Attends(
                    name=entry.name,
                    number=entry.number,
                    ref=f"{entry.name}@{entry.number}",
                    aliases=sorted(points),
                    targets=sorted(targets.get(entry.node, [])),
                    marks=marks,
                    gaps=gaps,
                    cut=cut,
                )
            )
    found.sort(key=lambda one: (not one.targets, not one.aliases, not one.marks, one.name, -one.number))
    return Attention(versions=found, looked=len(chosen), cut=len(order) > most)


def _behind(scope: Scope, node: int) -> tuple[list[Mark], int, bool]:
    """(what is to be said of a version itself, how many gaps lie in its ancestry, whether that was cut)."""
    edges, cut = scope.store.edges.upstream(scope.tx, node, depth=_DEPTH, budget=_BUDGET)
    data: list[Edge] = [edge for edge in edges if edge.role not in _GOVERNS]
    dag = ancestry(node, data).edges
    drawn = {node, *(end for edge in dag for end in (edge.src, edge.dst))}
    before: dict[int, list[int]] = {one: [] for one in drawn}
    for edge in dag:
        before[edge.dst].append(edge.src)
    nodes = sorted(drawn)
    runs = scope.store.runs.get_runs(scope.tx, nodes)
    versions = scope.store.artifacts.get_versions(scope.tx, nodes)
    marks = marks_of(scope, drawn, dag, before, {node}, runs=runs, versions=versions)
    gaps = sum(mark.kind == "gap" for one in drawn for mark in marks.nodes.get(one, ()))
    conflicts = [mark for one in drawn for mark in marks.nodes.get(one, ()) if mark.kind == "conflict"]
    own = [mark for mark in marks.of([node]) if mark.kind in ("stale", "withdrawn")]
    return [*own, *dict.fromkeys(conflicts)][:8], gaps, cut
