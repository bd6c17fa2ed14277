"""What was made from what, with the reports that were joined into it: what contradicts there, and what nobody told."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import combinations
from typing import Any

import msgspec

from lineal.core import openlineage_story as tales
from lineal.core.conflicts import Claim, Conflict, mixed
from lineal.core.events import Level, State
from lineal.core.lineage import ancestry
from lineal.core.model import Edge, EdgeKind, RunRecord, VersionRecord
from lineal.service import references
from lineal.service.openlineage_parents import left_out
from lineal.service.operations import Scope

GOVERNS = ("environment", "code")
DATA = ("dataset", "features")
DEPLOYMENT = "deployment"
CLAIMS = "lineal.claims/1"
_CLAIMS = 50  # claims of one contradiction that are named


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What is not known. kind: `output-without-run`, `run-without-end`, `unknown-origin`, `unknown-data`, `parent-left-out`,
    `doubtful` (what OpenLineage's events of a run lack, or say against each other)."""

    kind: str
    subject: str
    said: str


class Around:
    """Vertices and the edges among them, with the reports that were joined into them.

    edges: everything between them, also code and environment; root: whose ancestry they are, or None for a picture of several. runs,
    versions: those of them that were read already.
    """

    def __init__(
        self,
        scope: Scope,
        root: int | None,
        edges: Sequence[Edge],
        *,
        nodes: Iterable[int] = (),
        as_of: int | None = None,
        runs: Mapping[int, RunRecord] | None = None,
        versions: Mapping[int, VersionRecord] | None = None,
    ) -> None:
        self.scope, self.root, self.as_of = scope, root, as_of
        self.every = edges
        data = [edge for edge in edges if not (edge.kind == EdgeKind.USED and edge.role in GOVERNS)]
        self.dag = data if root is None else ancestry(root, data).edges
        own = () if root is None else (root,)
        self.reached = sorted({*own, *nodes, *(end for edge in self.dag for end in (edge.src, edge.dst))})
        joins, tx = scope.store.joins, scope.tx
        self.all = joins.expand(tx, self.reached, as_of=as_of)
        known_runs, known_versions = runs or {}, versions or {}
        missing = [node for node in self.all if node not in known_runs and node not in known_versions]
        fresh = scope.store.runs.get_runs(tx, missing, as_of=as_of)
        self.runs = {n: known_runs[n] for n in self.all if n in known_runs} | fresh
        self.versions = {n: known_versions[n] for n in self.all if n in known_versions}
        self.versions |= scope.store.artifacts.get_versions(tx, [n for n in missing if n not in fresh])
        self.stands = {node: node for node in self.all} | joins.canonical(tx, self.all, as_of=as_of)

    def ref(self, node: int) -> str:
        """How to name a vertex."""
        if (run := self.runs.get(node)) is not None:
            return f"run:{run.run_id}"
        return references.artifact_ref(self.versions[node]) if node in self.versions else str(node)

    def together(self, kind: dict[int, Any]) -> dict[int, list[int]]:
        """By the vertex that stands for them, the reports that are one."""
        found: dict[int, list[int]] = defaultdict(list)
        for node in kind:
            found[self.stands[node]].append(node)
        return {first: sorted(nodes) for first, nodes in found.items() if len(nodes) > 1}


def contradictions(around: Around) -> list[Conflict]:
    """What sources claim against each other, and runs that mix states of one dataset; decided or not."""
    return [*_digests(around), *_inputs(around), *_parents(around), *_mixed(around)]


def _digests(around: Around) -> Iterable[Conflict]:
    """One version, and two sources that say what bytes it is."""
    for first, nodes in around.together(around.versions).items():
        claims: dict[str, str] = {}
        for node in nodes:
            version = around.versions[node]
            if version.digest and version.level == Level.CONTENT:
                claims.setdefault(version.digest, around.ref(node))
        schemes = {digest.partition(":")[0] for digest in claims}
        if len(claims) > 1 and len(schemes) == 1:
            yield Conflict(
                id=f"digest:{around.ref(first)}",
                kind="digest",
                subject=around.ref(first),
                said="reports of one version claim different bytes",
                claims=[Claim(value=digest, by=by) for digest, by in sorted(claims.items())],
            )


def _inputs(around: Around) -> Iterable[Conflict]:
    """One run, and two reports that name different versions of one artifact as its input."""
    together = around.together(around.runs)
    if not together:
        return
    given = around.scope.store.joins.list_given(around.scope.tx, sorted(together))
    for first, nodes in together.items():
        claims: dict[tuple[str, str], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
        for src, dst in given.get(first, ()):
            version = around.versions.get(src)
            if version is not None and dst in nodes and version.kind not in GOVERNS:
                claims[version.namespace, version.name][dst].add(around.stands.get(src, src))
        for (_, name), by_report in sorted(claims.items()):
            sets = list(by_report.values())
            if len(sets) > 1 and any(a != b for a, b in combinations(sets, 2)):
                yield Conflict(
                    id=f"inputs:{around.ref(first)}:{name}"[:500],
                    kind="inputs",
                    subject=around.ref(first),
                    said=f"reports of one run claim different versions of {name}",
                    claims=[
                        Claim(value=around.ref(version), by=around.ref(report))
                        for report, versions in sorted(by_report.items())
                        for version in sorted(versions)
                    ],
                )


def _parents(around: Around) -> Iterable[Conflict]:
    """One run, and two parents."""
    scope = around.scope
    claimed = scope.store.attributes.get_facet(scope.tx, list(around.runs), CLAIMS, as_of=around.as_of)
    reports: dict[int, list[int]] = defaultdict(list)
    for node in around.runs:
        reports[around.stands[node]].append(node)
    for first, nodes in sorted(reports.items()):
        claims: dict[int, str] = {}
        for node in nodes:
            if (parent := around.runs[node].parent) is not None:
                claims.setdefault(parent, around.ref(node))
            for claim in _parents_claimed(claimed.get(node)):
                other = scope.store.runs.find_run(scope.tx, str(claim.get("run", "")))
                if other is not None:
                    message = claim.get("message")
                    claims.setdefault(other, f"message {message}" if message else around.ref(node))
        if len(claims) < 2:
            continue
        canonical = scope.store.joins.canonical(scope.tx, list(claims), as_of=around.as_of)
        if len({canonical.get(node, node) for node in claims}) > 1:
            parents = scope.store.runs.get_runs(scope.tx, list(claims))
            yield Conflict(
                id=f"parent:{around.ref(first)}",
                kind="parent",
                subject=around.ref(first),
                said="sources claim different parents of one run",
                claims=[
                    Claim(value=f"run:{parents[node].run_id}", by=by)
                    for node, by in sorted(claims.items())
                    if node in parents
                ],
            )


def _parents_claimed(body: bytes | None) -> list[dict[str, Any]]:
    if body is None:
        return []
    said = msgspec.json.decode(body)
    parents = said.get("parents", []) if isinstance(said, dict) else []
    return [claim for claim in parents if isinstance(claim, dict)]


def _mixed(around: Around) -> Iterable[Conflict]:
    """Runs that were made from several states of one dataset, none of which was made from another."""
    series = {
        node: version.artifact
        for node in around.reached
        if (version := around.versions.get(node)) is not None and version.kind in DATA
    }
    runs = {node for node in around.reached if node in around.runs}
    for run, nodes in mixed([(edge.src, edge.dst) for edge in around.dag], series, runs):
        name = around.versions[nodes[0]].name
        refs = [around.ref(node) for node in nodes]
        several = "two" if len(nodes) == 2 else f"{len(nodes):,}"
        vias = _vias(around, run)
        end = ":".join(refs) if len(nodes) == 2 else name
        apart = "neither made from the other" if len(nodes) == 2 else "none made from another"
        yield Conflict(
            id=f"mixed-versions:{around.ref(run)}:{end}"[:500],
            kind="mixed-versions",
            subject=around.ref(run),
            said=f"{around.runs[run].job or 'it'} mixes {several} versions of {name}, {apart}",
            claims=[
                Claim(value=ref, by=around.ref(vias[node]) if node in vias else "")
                for ref, node in zip(refs[:_CLAIMS], nodes, strict=False)
            ],
        )


def _vias(around: Around, run: int) -> dict[int, int]:
    """By vertex before a run, the input of the run by which it came there on a shortest way."""
    before: dict[int, list[int]] = defaultdict(list)
    for edge in around.dag:
        before[edge.dst].append(edge.src)
    found = {source: source for source in before[run]}
    queue = deque(found)
    while queue:
        node = queue.popleft()
        for source in before[node]:
            if source not in found and source != run:
                found[source] = found[node]
                queue.append(source)
    return found


def gaps(around: Around, partial: AbstractSet[int] = frozenset()) -> Iterable[Gap]:
    """What is not known of the vertices. partial: those of which not everything before them is here; of them nothing is said."""
    made = {edge.dst for edge in around.dag if edge.kind != EdgeKind.USED}
    used: dict[int, list[int]] = defaultdict(list)
    outputs: dict[int, list[int]] = defaultdict(list)
    for edge in around.dag:
        if edge.kind == EdgeKind.USED:
            used[edge.dst].append(edge.src)
        elif edge.kind == EdgeKind.GENERATED:
            outputs[edge.src].append(edge.dst)
    alone = [node for node, run in around.runs.items() if run.parent is None]
    facet_of = around.scope.store.attributes.get_facet
    parents = facet_of(around.scope.tx, alone, "parent", as_of=around.as_of)
    doubts = _together(around, facet_of(around.scope.tx, list(around.runs), tales.GAPS, as_of=around.as_of))
    for node in around.reached:
        version, run = around.versions.get(node), around.runs.get(node)
        if node in partial:
            continue
        if version is not None and node not in made and version.kind not in GOVERNS:
            yield _unmade(around, node, version)
        if run is None or run.kind == DEPLOYMENT:
            continue
        if run.state in (State.RUNNING, State.LOST):
            why = "nothing is heard of it any more" if run.state == State.LOST else "no end was recorded"
            yield Gap(kind="run-without-end", subject=around.ref(node), said=f"{run.job}: {why}")
        if circle := left_out(run, parents.get(node)):
            yield Gap(kind="parent-left-out", subject=around.ref(node), said=f"{run.job}: {circle}")
        for doubt in doubts.get(node, ()):
            yield Gap(kind="doubtful", subject=around.ref(node), said=f"{run.job}: {doubt}")
        yield from _unknown_data(around, node, run, used[node], outputs[node])


def _together(around: Around, facets: Mapping[int, bytes]) -> dict[int, list[str]]:
    """By the vertex that stands for their run, what is doubtful according to such facets."""
    found: dict[int, list[str]] = defaultdict(list)
    for node, body in sorted(facets.items()):
        said = msgspec.json.decode(body)
        told = said.get("gaps") if isinstance(said, dict) else None
        if isinstance(told, list):  # that only the end was told takes nothing from what a run did
            found[around.stands.get(node, node)] += [str(gap) for gap in told if gap != tales.NO_START]
    return found


def _unmade(around: Around, node: int, version: VersionRecord) -> Gap:
    if node == around.root or version.kind == "model":
        return Gap(
            kind="output-without-run",
            subject=around.ref(node),
            said=f"no run is known to have produced this {version.kind}",
        )
    return Gap(kind="unknown-origin", subject=around.ref(node), said="nobody is known to have produced it")


def _unknown_data(
    around: Around, node: int, run: RunRecord, used: list[int], outputs: list[int]
) -> Iterable[Gap]:
    models = [n for n in outputs if n in around.versions and around.versions[n].kind == "model"]
    if not models:
        return
    data = [n for n in used if n in around.versions and around.versions[n].kind in (*DATA, "other")]
    if not data:
        yield Gap(
            kind="unknown-data",
            subject=around.ref(models[0]),
            said=f"{run.job} made it, and no data that it read was recorded",
        )
    for n in data:
        version = around.versions[n]
        if version.level not in (Level.CONTENT, Level.NATIVE):
            yield Gap(
                kind="unknown-data",
                subject=around.ref(models[0]),
                said=f"it was made from {around.ref(n)}, of which the version is not known: {version.reason or 'no digest'}",
            )
