"""Conflicts and gaps: what sources claim against each other, versions that do not go together, and what nobody told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import msgspec

from lineal.core.conflicts import Claim, Conflict
from lineal.core.errors import Invalid, NotFound
from lineal.core.events import Level, State
from lineal.core.lineage import ancestry
from lineal.core.model import Edge, EdgeKind, RunRecord, VersionRecord
from lineal.core.paths import distances
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.show import facet_of
from lineal.store.base import Term

BUDGET, DEPTH = 20_000, 1000  # as of a trace
GOVERNS = ("environment", "code")
_DATA = ("dataset", "features")
_COMPONENTS = ("features", "model", "prompt", "dataset")
DEPLOYMENT = "deployment"
_MOST_LIVE = 200  # live deployments that are compared with each other


class ConflictsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a run or version, with everything it was made from; empty: what runs live now, compared with one another.

    resolved: also contradictions that were decided.
    """

    ref: str = ""
    resolved: bool = False
    as_of: int | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What is not known. kind: `output-without-run`, `run-without-end`, `unknown-origin`, `unknown-data`."""

    kind: str
    subject: str
    said: str


class ConflictsReply(msgspec.Struct, frozen=True, kw_only=True):
    """Contradictions and version conflicts that stand, and gaps. cut: the ancestry was too large to look at whole."""

    ref: str
    conflicts: list[Conflict]
    gaps: list[Gap]
    cut: bool


class ResolveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """id: of a conflict. choice: which claim counts, or any word on how it was settled; empty: take the decision back."""

    id: str
    choice: str
    reason: str = ""


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """The decision as it stands; choice is empty when it was taken back."""

    id: str
    choice: str
    reason: str
    actor: str
    recorded_at: int


@operation(
    "conflicts", permission="record:read", path="/conflicts", summary="What contradicts, and what is missing"
)
def conflicts(scope: Scope, request: ConflictsRequest) -> ConflictsReply:
    """The contradictions, version conflicts and gaps in what something was made from, or among what runs live."""
    if not request.ref:
        found = list(_live(scope))
        return ConflictsReply(ref="", conflicts=_decided(scope, found, request), gaps=[], cut=False)
    root = references.find(scope, request.ref, as_of=request.as_of).node
    edges, cut = scope.store.edges.upstream(scope.tx, root, depth=DEPTH, budget=BUDGET, as_of=request.as_of)
    around = _Around(scope, root, edges)
    found = [*_digests(around), *_inputs(around), *_parents(around), *_mixed(around)]
    return ConflictsReply(
        ref=request.ref, conflicts=_decided(scope, found, request), gaps=list(_gaps(around)), cut=cut
    )


@operation(
    "resolve",
    permission="record:write",
    path="/conflicts/resolve",
    summary="Decide a contradiction",
    write=True,
)
def resolve(scope: Scope, request: ResolveRequest) -> Resolved:
    """Record a decision about a contradiction; both claims stay. An empty choice takes the decision back.

    Raises Invalid: it is no id of a conflict. NotFound: no decision is there to be taken back.
    """
    kind, colon, rest = request.id.partition(":")
    if not colon or not rest or kind not in _KINDS or len(request.id) > 500:
        raise Invalid(
            f"{request.id!r:.120} is no id of a conflict", hint="`lineal conflicts REF` prints them"
        )
    standing = scope.store.joins.get_decisions(scope.tx, [request.id])
    if not request.choice and not standing:
        raise NotFound(
            f"{request.id!r} was not decided", hint="`lineal conflicts REF` lists what stands open"
        )
    scope.store.joins.decide(
        scope.tx, request.id, request.choice, actor=scope.actor, reason=request.reason, at=scope.at
    )
    return Resolved(
        id=request.id, choice=request.choice, reason=request.reason, actor=scope.actor, recorded_at=scope.at
    )


_KINDS = ("digest", "inputs", "parent", "mixed-versions", "live-component", "serving-code")


def _decided(scope: Scope, found: list[Conflict], request: ConflictsRequest) -> list[Conflict]:
    """With their decisions; those that were decided left out unless asked for."""
    decisions = scope.store.joins.get_decisions(
        scope.tx, [conflict.id for conflict in found], as_of=request.as_of
    )
    listed = []
    for conflict in found:
        if conflict.id in decisions:
            if not request.resolved:
                continue
            choice, actor, reason, at = decisions[conflict.id]
            conflict = msgspec.structs.replace(
                conflict, choice=choice, actor=actor, reason=reason, decided_at=at
            )
        listed.append(conflict)
    return listed


def within(scope: Scope, root: int, edges: list[Edge], *, as_of: int | None = None) -> list[Conflict]:
    """The contradictions and version conflicts that stand in an ancestry, given its edges."""
    around = _Around(scope, root, edges)
    found = [*_digests(around), *_inputs(around), *_parents(around), *_mixed(around)]
    decided = scope.store.joins.get_decisions(scope.tx, [conflict.id for conflict in found], as_of=as_of)
    return [conflict for conflict in found if conflict.id not in decided]


class _Around:
    """What something was made from, with the reports that were joined into it."""

    def __init__(self, scope: Scope, root: int, edges: list[Edge]) -> None:
        self.scope, self.root = scope, root
        self.every = edges
        data = [edge for edge in edges if not (edge.kind == EdgeKind.USED and edge.role in GOVERNS)]
        self.dag = ancestry(root, data).edges
        self.reached = sorted({root, *(end for edge in self.dag for end in (edge.src, edge.dst))})
        self.all = scope.store.joins.expand(scope.tx, self.reached)
        self.runs = scope.store.runs.get_runs(scope.tx, self.all)
        self.versions = scope.store.artifacts.get_versions(
            scope.tx, [node for node in self.all if node not in self.runs]
        )
        self.stands = {node: node for node in self.all} | scope.store.joins.canonical(scope.tx, self.all)

    def ref(self, node: int) -> str:
        if (run := self.runs.get(node)) is not None:
            return f"run:{run.run_id}"
        return references.artifact_ref(self.versions[node]) if node in self.versions else str(node)

    def together(self, kind: dict[int, Any]) -> dict[int, list[int]]:
        """By the vertex that stands for them, the reports that are one."""
        found: dict[int, list[int]] = defaultdict(list)
        for node in kind:
            found[self.stands[node]].append(node)
        return {first: sorted(nodes) for first, nodes in found.items() if len(nodes) > 1}


def _digests(around: _Around) -> Iterable[Conflict]:
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


def _inputs(around: _Around) -> Iterable[Conflict]:
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


def _parents(around: _Around) -> Iterable[Conflict]:
    """One run, and two parents."""
    scope = around.scope
    for first in sorted({around.stands[node] for node in around.runs}):
        claims: dict[int, str] = {}
        for node in [node for node in around.runs if around.stands[node] == first]:
            if (parent := around.runs[node].parent) is not None:
                claims.setdefault(parent, around.ref(node))
            for claim in (facet_of(scope, node, "lineal.claims/1") or {}).get("parents", []):
                other = scope.store.runs.find_run(scope.tx, str(claim.get("run", "")))
                if other is not None:
                    claims.setdefault(other, f"message {claim.get('message', 0)}")
        canonical = scope.store.joins.canonical(scope.tx, list(claims))
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


def _mixed(around: _Around) -> Iterable[Conflict]:
    """Runs that were made from two versions of one dataset, neither of which was made from the other."""
    by_artifact: dict[int, list[int]] = defaultdict(list)
    for node in around.reached:
        version = around.versions.get(node)
        if version is not None and version.kind in _DATA:
            by_artifact[version.artifact].append(node)
    several = {artifact: nodes for artifact, nodes in by_artifact.items() if len(nodes) > 1}
    if not several:
        return
    before = {node: set(distances(node, around.dag, up=True)) for nodes in several.values() for node in nodes}
    readers = [node for node in around.reached if node in around.runs]
    above = {node: set(distances(node, around.dag, up=True)) for node in readers}
    for nodes in several.values():
        for a, b in combinations(nodes, 2):
            if a in before[b] or b in before[a]:
                continue
            meeting = [run for run in readers if a in above[run] and b in above[run]]
            # The run where the two came together: none of those before it has both.
            first = [
                run for run in meeting if not any(other in above[run] for other in meeting if other != run)
            ]
            for run in first:
                yield Conflict(
                    id=f"mixed-versions:{around.ref(run)}:{around.ref(a)}:{around.ref(b)}"[:500],
                    kind="mixed-versions",
                    subject=around.ref(run),
                    said=f"{around.runs[run].job} was made from two versions of {around.versions[a].name}",
                    claims=[Claim(value=around.ref(node), by=_via(around, node, run)) for node in (a, b)],
                )


def _via(around: _Around, node: int, run: int) -> str:
    """By which of its inputs the version came into the run."""
    from lineal.core.paths import shortest

    way = next(iter(shortest(node, run, around.dag, most=1)), [])
    return around.ref(way[-1].src) if way else ""


def _gaps(around: _Around) -> Iterable[Gap]:
    made = {edge.dst for edge in around.dag if edge.kind != EdgeKind.USED}
    used: dict[int, list[int]] = defaultdict(list)
    outputs: dict[int, list[int]] = defaultdict(list)
    for edge in around.dag:
        if edge.kind == EdgeKind.USED:
            used[edge.dst].append(edge.src)
        elif edge.kind == EdgeKind.GENERATED:
            outputs[edge.src].append(edge.dst)
    for node in around.reached:
        version, run = around.versions.get(node), around.runs.get(node)
        if version is not None and node not in made and version.kind not in GOVERNS:
            yield _unmade(around, node, version)
        if run is None or run.kind == DEPLOYMENT:
            continue
        if run.state in (State.RUNNING, State.LOST):
            why = "its process vanished" if run.state == State.LOST else "no end was recorded"
            yield Gap(kind="run-without-end", subject=around.ref(node), said=f"{run.job}: {why}")
        yield from _unknown_data(around, node, run, used[node], outputs[node])


def _unmade(around: _Around, node: int, version: VersionRecord) -> Gap:
    if node == around.root or version.kind == "model":
        return Gap(
            kind="output-without-run",
            subject=around.ref(node),
            said=f"no run is known to have produced this {version.kind}",
        )
    return Gap(kind="unknown-origin", subject=around.ref(node), said="nobody is known to have produced it")


def _unknown_data(
    around: _Around, node: int, run: RunRecord, used: list[int], outputs: list[int]
) -> Iterable[Gap]:
    models = [n for n in outputs if n in around.versions and around.versions[n].kind == "model"]
    if not models:
        return
    data = [n for n in used if n in around.versions and around.versions[n].kind in (*_DATA, "other")]
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


# ---- what runs live


def _live(scope: Scope) -> Iterable[Conflict]:
    live = scope.store.search.search_runs(
        scope.tx, [Term("kind", "=", DEPLOYMENT), Term("state", "=", "running")], order=[], limit=_MOST_LIVE
    )
    sides: list[tuple[int, _Around]] = []
    for node in live:
        first = scope.store.joins.canonical(scope.tx, [node]).get(node, node)
        edges, _ = scope.store.edges.upstream(scope.tx, first, depth=DEPTH, budget=BUDGET)
        sides.append((first, _Around(scope, first, edges)))
    for (a, left), (b, right) in combinations(sides, 2):
        yield from _shared(a, left, b, right)
    for node, around in sides:
        yield from _serving(node, around)


def _shared(a: int, left: _Around, b: int, right: _Around) -> Iterable[Conflict]:
    """Two live models on different versions of one component, whose columns do not fit or whose content is another."""
    for artifact, mine in _newest(left).items():
        other = _newest(right).get(artifact)
        if other is None or other == mine:
            continue
        one, two = left.versions[mine], right.versions[other]
        why = _unlike(left.scope, mine, other)
        yield Conflict(
            id=f"live-component:{one.name}:{left.ref(a)}:{right.ref(b)}"[:500],
            kind="live-component",
            subject=one.name,
            said=f"{left.runs[a].name or left.runs[a].job} and {right.runs[b].name or right.runs[b].job} run on different versions of it"
            + (f": {why}" if why else ""),
            claims=[
                Claim(value=references.artifact_ref(one), by=left.ref(a)),
                Claim(value=references.artifact_ref(two), by=right.ref(b)),
            ],
        )


def _newest(around: _Around) -> dict[int, int]:
    """By artifact, the last version of each shared kind in an ancestry, the deployed model itself left out."""
    deployed = {edge.src for edge in around.dag if edge.dst == around.root}
    found: dict[int, int] = {}
    for node in around.reached:
        version = around.versions.get(node)
        if version is None or version.kind not in _COMPONENTS or node in deployed:
            continue
        known = found.get(version.artifact)
        if known is None or around.versions[known].number < version.number:
            found[version.artifact] = node
    return found


def _unlike(scope: Scope, a: int, b: int) -> str:
    """How the columns of two versions differ, where they are known."""
    one, two = (_columns(facet_of(scope, node, "lineal.schema/1")) for node in (a, b))
    if not one or not two or one == two:
        return ""
    gone, new = sorted(set(one) - set(two)), sorted(set(two) - set(one))
    changed = sorted(name for name in set(one) & set(two) if one[name] != two[name])
    said = [f"only the first has {', '.join(gone[:5])}"] if gone else []
    said += [f"only the second has {', '.join(new[:5])}"] if new else []
    said += [f"other types of {', '.join(changed[:5])}"] if changed else []
    return "; ".join(said)


def _columns(schema: dict[str, Any] | None) -> dict[str, str]:
    return {
        str(column.get("name")): str(column.get("type"))
        for column in (schema or {}).get("columns", [])
        if isinstance(column, dict)
    }


def _serving(node: int, around: _Around) -> Iterable[Conflict]:
    """A live model whose features were built by other code than those that the deployment reads."""
    scope = around.scope
    live = [
        edge.src
        for edge in around.dag
        if edge.dst == node and edge.src in around.versions and around.versions[edge.src].kind == "features"
    ]
    if not live:
        return
    makers = {edge.dst: edge.src for edge in around.dag if edge.kind == EdgeKind.GENERATED}
    code = {edge.dst: edge.src for edge in around.every if edge.kind == EdgeKind.USED and edge.role == "code"}
    trained = [
        n
        for n in around.reached
        if n in around.versions and around.versions[n].kind == "features" and n not in live
    ]
    for served in live:
        for learnt in trained:
            a, b = makers.get(learnt), makers.get(served)
            if a is None or b is None or around.versions[served].artifact != around.versions[learnt].artifact:
                continue
            if code.get(a) is not None and code.get(b) is not None and code[a] != code[b]:
                versions = scope.store.artifacts.get_versions(scope.tx, [code[a], code[b]])
                yield Conflict(
                    id=f"serving-code:{around.ref(node)}:{around.versions[served].name}"[:500],
                    kind="serving-code",
                    subject=around.ref(node),
                    said=f"{around.versions[served].name} was built by other code for training than for serving",
                    claims=[
                        Claim(value=references.artifact_ref(versions[code[a]]), by=around.ref(learnt)),
                        Claim(value=references.artifact_ref(versions[code[b]]), by=around.ref(served)),
                    ],
                )
