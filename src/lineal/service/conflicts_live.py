"""What runs live, compared: deployments on versions of one thing that do not fit, and features that other code built."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from lineal.core.conflicts import Claim, Conflict
from lineal.core.model import EdgeKind
from lineal.service import references
from lineal.service.conflicts_around import DEPLOYMENT, Around
from lineal.service.operations import Scope
from lineal.service.show import facet_of
from lineal.store.conditions import Term

_BUDGET, _DEPTH = 20_000, 1000  # as of a trace
_COMPONENTS = ("features", "model", "prompt", "dataset")
MOST_LIVE = 200  # live deployments that are compared with each other


def live_conflicts(
    scope: Scope, *, as_of: int | None = None, valid_at: int | None = None
) -> Iterable[Conflict]:
    """What does not go together among the deployments that run, or that ran at a time."""
    sides: list[tuple[int, Around]] = []
    for node in _running(scope, as_of, valid_at):
        first = scope.store.joins.canonical(scope.tx, [node], as_of=as_of).get(node, node)
        edges, _ = scope.store.edges.upstream(scope.tx, first, depth=_DEPTH, budget=_BUDGET, as_of=as_of)
        if valid_at is not None:
            edges = [edge for edge in edges if edge.at <= valid_at]
        sides.append((first, Around(scope, first, edges, as_of=as_of)))
    for (a, left), (b, right) in combinations(sides, 2):
        yield from _shared(a, left, b, right)
    for node, around in sides:
        yield from _serving(node, around)


def _running(scope: Scope, as_of: int | None, valid_at: int | None) -> list[int]:
    """The deployments that run; with a time those that ran then, by what was recorded by `as_of`."""
    terms = [Term("kind", "=", DEPLOYMENT)]
    if valid_at is None:
        terms.append(Term("state", "=", "running"))
    else:
        terms.append(Term("started_at", "<=", valid_at))
    search, tx = scope.store.search, scope.tx
    found = search.search_runs(tx, terms, order=[], limit=MOST_LIVE, as_of=as_of)
    if valid_at is None:
        return found
    runs = scope.store.runs.get_runs(tx, found, as_of=as_of)
    return [node for node in found if (end := runs[node].ended_at) is None or end > valid_at]


def _shared(a: int, left: Around, b: int, right: Around) -> Iterable[Conflict]:
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


def _newest(around: Around) -> dict[int, int]:
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


def _serving(node: int, around: Around) -> Iterable[Conflict]:
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
