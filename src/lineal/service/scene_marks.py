"""What deserves a second look in a picture: gaps, contradictions, what is out of date, and what was made from withdrawn data."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from lineal.core.conflicts import Conflict
from lineal.core.events import State
from lineal.core.model import Edge, EdgeKind, RunRecord, VersionRecord
from lineal.service import references
from lineal.service.conflicts_around import DATA, DEPLOYMENT, Around, contradictions, gaps
from lineal.service.operations import Scope

MOST_MARKS = 8  # of one card or line; the further ones are counted
_AGES = (
    *DATA,
    "model",
    "prompt",
    "other",
)  # kinds of which a newer version makes what was made from an older one stale


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at.

    kind: `gap` (something is not known), `conflict` (sources or versions contradict each other), `stale` (what it was made from has
    a newer version), `withdrawn` (it was deleted, or was made from what was deleted). said: in words. ref: the run or version that is
    the cause. id: of a conflict, what `resolve` takes.
    """

    kind: str
    said: str
    ref: str = ""
    id: str = ""


class Marks:
    """The marks of what is drawn, by vertex and by pair of vertices."""

    def __init__(self) -> None:
        self.nodes: dict[int, list[Mark]] = defaultdict(list)
        self.pairs: dict[tuple[int, int], list[Mark]] = defaultdict(list)

    def of(self, nodes: Iterable[int]) -> list[Mark]:
        """The marks of a card: each once, contradictions before gaps, at most MOST_MARKS."""
        return _few(mark for node in nodes for mark in self.nodes.get(node, ()))

    def between(self, pairs: Iterable[tuple[int, int]]) -> list[Mark]:
        """The marks of a line, likewise."""
        return _few(mark for pair in pairs for mark in self.pairs.get(pair, ()))


_ORDER = ("conflict", "withdrawn", "stale", "gap")


def _few(marks: Iterable[Mark]) -> list[Mark]:
    once = dict.fromkeys(marks)
    return sorted(once, key=lambda mark: _ORDER.index(mark.kind))[:MOST_MARKS]


def marks_of(
    scope: Scope,
    drawn: AbstractSet[int],
    edges: Sequence[Edge],
    before: Mapping[int, Sequence[int]],
    living: AbstractSet[int],
    *,
    runs: Mapping[int, RunRecord],
    versions: Mapping[int, VersionRecord],
    as_of: int | None = None,
) -> Marks:
    """The marks of a picture.

    Args:
        drawn: its vertices; edges: those among them. before: what lies before each vertex, drawn or not, where that is known.
        living: vertices that somebody points at, although they may not be the newest (aliases). runs, versions: what is known of them.
    """
    marks = Marks()
    around = Around(scope, None, edges, nodes=drawn, as_of=as_of, runs=runs, versions=versions)
    named = {around.ref(node): node for node in around.reached}
    partial = {node for node in drawn if node not in before or not drawn >= set(before[node])}
    for gap in gaps(around, partial):
        marks.nodes[named[gap.subject]].append(Mark(kind="gap", said=gap.said))
    _contradictions(marks, scope, around, named, as_of)
    _withdrawn(marks, around)
    _stale(marks, scope, around, living, as_of)
    return marks


def _contradictions(
    marks: Marks, scope: Scope, around: Around, named: Mapping[str, int], as_of: int | None
) -> None:
    found = contradictions(around)
    decided = scope.store.joins.get_decisions(scope.tx, [conflict.id for conflict in found], as_of=as_of)
    for conflict in found:
        if conflict.id in decided:
            continue
        subject = named[conflict.subject]
        mark = Mark(kind="conflict", said=conflict.said, ref=conflict.subject, id=conflict.id)
        marks.nodes[subject].append(mark)
        for src in _claimed(conflict, named):
            marks.pairs[src, subject].append(mark)


def _claimed(conflict: Conflict, named: Mapping[str, int]) -> set[int]:
    """The inputs by which a contradiction came to its subject."""
    if conflict.kind == "inputs":
        texts = [claim.value for claim in conflict.claims]
    elif conflict.kind == "mixed-versions":
        texts = [claim.by for claim in conflict.claims]
    else:
        texts = []
    return {named[text] for text in texts if text in named}


def _withdrawn(marks: Marks, around: Around) -> None:
    """What was deleted, and what was made from it."""
    gone = [
        node
        for node in around.reached
        if (record := around.runs.get(node) or around.versions.get(node)) is not None
        and record.deleted_at is not None
    ]
    for node in gone:
        marks.nodes[node].append(Mark(kind="withdrawn", said="it was deleted", ref=around.ref(node)))
    behind = _beside(around.dag, up=False)
    for node in gone:
        if node not in around.versions:
            continue
        said = Mark(
            kind="withdrawn", said=f"made from {around.ref(node)}, which was deleted", ref=around.ref(node)
        )
        for src, dst in _walked(node, behind):
            marks.pairs[src, dst].append(said)
            marks.nodes[dst].append(said)


def _stale(marks: Marks, scope: Scope, around: Around, living: AbstractSet[int], as_of: int | None) -> None:
    """What stands newest, is pointed at or runs live, and was made from an input of which there is a newer version."""
    aged = [v for v in around.versions.values() if v.kind in _AGES and around.stands[v.node] == v.node]
    newer = scope.store.logical.list_newer(scope.tx, {v.node: v.artifact for v in aged}, as_of=as_of)
    if not newer:
        return
    described = scope.store.artifacts.get_versions(scope.tx, sorted(set(newer.values())))
    into = _beside(around.dag, up=True)
    made = {edge.dst for edge in around.dag if edge.kind != EdgeKind.USED}
    current = {v.node for v in aged if v.node in made and (v.node not in newer or v.node in living)}
    current |= {
        node
        for node, run in around.runs.items()
        if run.kind == DEPLOYMENT and run.state == State.RUNNING and around.stands[node] == node
    }
    for node in sorted(current):
        for src, dst in _first_old(node, into, newer, around):
            found = described.get(newer[src])
            if found is None or found.deleted_at is not None:
                continue
            by = references.artifact_ref(found)
            said = Mark(kind="stale", said=f"made from {around.ref(src)}; there is {by}", ref=by)
            marks.nodes[node].append(said)
            if said not in marks.pairs[src, dst]:
                marks.pairs[src, dst].append(said)
            if dst in around.runs and said not in marks.nodes[dst]:
                marks.nodes[dst].append(said)


def _first_old(
    start: int, into: Mapping[int, Sequence[int]], newer: Mapping[int, int], around: Around
) -> list[tuple[int, int]]:
    """Going up from `start`, the first inputs on each way that are not the newest, with what read them. A version of the same
    artifact as what it went into is carried on, not outdated."""
    own = around.versions[start].artifact if start in around.versions else None
    found, seen, stack = [], {start}, [start]
    while stack:
        node = stack.pop()
        for src in into.get(node, ()):
            version = around.versions.get(src)
            if version is not None and src in newer:
                if version.artifact != own:
                    found.append((src, node))
                continue
            if src not in seen:
                seen.add(src)
                stack.append(src)
    return sorted(set(found))


def _beside(edges: Iterable[Edge], *, up: bool) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for edge in edges:
        near, far = (edge.dst, edge.src) if up else (edge.src, edge.dst)
        found[near].append(far)
    return found


def _walked(start: int, behind: Mapping[int, Sequence[int]]) -> list[tuple[int, int]]:
    """Every edge that lies behind a vertex."""
    found, seen, queue = [], {start}, deque([start])
    while queue:
        node = queue.popleft()
        for other in behind.get(node, ()):
            found.append((node, other))
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return found
