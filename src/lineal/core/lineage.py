"""Walking the graph: ancestry by the time of each read, impact by every edge, and the same-bytes rule.

The same bytes may be written again by a descendant (an idempotent rewrite, a round trip), so the raw graph can hold
cycles. Ancestry follows, per reader, the latest producer whose bytes were complete before the read and whose own
ancestry does not lead back to the version; its answer is always a DAG. The other producers are listed as `also`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

import msgspec

from lineal.core.model import Edge, EdgeKind

FOREVER = 2**63 - 1
SHORTEST_SAME_BYTES = (
    64  # equal content of this many bytes or fewer (empty files, bare headers) proves nothing
)


class Ancestry(msgspec.Struct, frozen=True):
    """What something was made from.

    edges: those followed, a DAG. also: producers of a version that were not followed ("also produced by"). loops: edges
    left out because a reader's and a writer's stories contradict each other in time.
    """

    edges: list[Edge]
    also: list[Edge]
    loops: list[Edge]


class Holder(msgspec.Struct, frozen=True):
    """A version with some digest: when a run first completed it (None: never seen written) and when it was first read."""

    node: int
    artifact: int
    size: int | None
    generated_at: int | None
    read_at: int | None


def same_bytes(holders: Sequence[Holder]) -> tuple[list[tuple[int, int]], dict[int, list[int]]]:
    """Which unexplained versions came from equal bytes elsewhere, whatever the order in which we learnt of them.

    A version that nobody was seen writing derives from the version with equal bytes if exactly one other artifact was
    written with them before it was read. Returns (links source -> derived, candidates by version where several
    artifacts qualify and none is taken). ARCHITECTURE.md section 2, rules 2 and 3.
    """
    links: list[tuple[int, int]] = []
    unsure: dict[int, list[int]] = {}
    for source in holders:
        if source.generated_at is not None or source.size is None or source.size <= SHORTEST_SAME_BYTES:
            continue
        read_at = FOREVER if source.read_at is None else source.read_at
        makers = [
            other
            for other in holders
            if other.artifact != source.artifact
            and other.generated_at is not None
            and other.generated_at <= read_at
        ]
        if len(makers) == 1:
            links.append((makers[0].node, source.node))
        elif makers:
            unsure[source.node] = sorted(maker.node for maker in makers)
    return links, unsure


def ancestry(start: int, edges: Iterable[Edge], *, at: int = FOREVER) -> Ancestry:
    """The DAG of what `start` was made from, out of the raw edges of its upstream closure.

    Args:
        edges: at least every edge of the closure; others do no harm.
        at: for a version: as it stood for a reader at this time (microseconds UTC).

    O(edges) while the raw closure is acyclic; with rewrites, each contested version costs one walk of its producers.
    """
    raw = _Raw(edges)
    cyclic = raw.has_cycle()
    chosen: dict[tuple[int, int, int], Edge] = {}
    also: dict[tuple[int, int], Edge] = {}
    loops: list[Edge] = []
    graph = _Growing()
    seen: set[tuple[int, int]] = set()
    queue: deque[tuple[int, int]] = deque([(start, at)])
    while queue:
        node, read_at = queue.popleft()
        if (node, read_at) in seen:
            continue
        seen.add((node, read_at))
        follow, others = raw.choose(node, read_at, careful=cyclic)
        for edge in others:
            also[edge.src, edge.dst] = edge
        for edge in [*raw.into_run[node], *follow]:
            key = (edge.src, edge.dst, edge.kind)
            if key not in chosen:
                if cyclic and not graph.add(edge.src, edge.dst):
                    loops.append(edge)
                    continue
                chosen[key] = edge
            queue.append((edge.src, FOREVER if edge.kind == EdgeKind.GENERATED else edge.at))
    followed = {(edge.src, edge.dst) for edge in chosen.values()}
    return Ancestry(
        list(chosen.values()), [edge for ends, edge in also.items() if ends not in followed], loops
    )


class _Raw:
    """The closure's edges by where they lead."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        self.into_run: dict[int, list[Edge]] = defaultdict(list)
        self.into_version: dict[int, list[Edge]] = defaultdict(list)
        for edge in edges:
            (self.into_run if edge.kind == EdgeKind.USED else self.into_version)[edge.dst].append(edge)
        for into in self.into_version.values():
            into.sort(key=lambda edge: (edge.kind == EdgeKind.GENERATED, edge.at, edge.src), reverse=True)

    def choose(self, version: int, read_at: int, *, careful: bool) -> tuple[list[Edge], list[Edge]]:
        """(edges to follow, other producers) of a version for a reader at that time.

        An inferred derivation stands only where no run was seen writing the bytes in time.
        """
        makers = [edge for edge in self.into_version[version] if edge.kind == EdgeKind.GENERATED]
        derived = [
            edge
            for edge in self.into_version[version]
            if edge.kind == EdgeKind.DERIVED and edge.at <= read_at
        ]
        for index, edge in enumerate(makers):
            if edge.at <= read_at and not (careful and self._leads_to(edge.src, version)):
                declared = [other for other in derived if not other.rule]
                return [edge, *declared], makers[:index] + makers[index + 1 :]
        return derived, makers

    def _leads_to(self, run: int, version: int) -> bool:
        """Whether the run's own ancestry, read by read in time, contains the version."""
        latest: dict[int, int] = {}
        stack = [(edge.src, edge.at) for edge in self.into_run[run]]
        while stack:
            node, read_at = stack.pop()
            if node == version:
                return True
            if latest.get(node, -1) >= read_at:
                continue
            latest[node] = read_at
            for edge in self.into_version[node]:
                if edge.at > read_at:
                    continue
                if edge.kind == EdgeKind.DERIVED:
                    stack.append((edge.src, edge.at))
                else:
                    stack.extend((used.src, used.at) for used in self.into_run[edge.src])
        return False

    def has_cycle(self) -> bool:
        """Whether the raw edges hold a cycle (Kahn's algorithm)."""
        out: dict[int, list[int]] = defaultdict(list)
        waiting: dict[int, int] = defaultdict(int)
        nodes: set[int] = set()
        for into in (self.into_run, self.into_version):
            for dst, incoming in into.items():
                for edge in incoming:
                    out[edge.src].append(dst)
                    waiting[dst] += 1
                    nodes.update((edge.src, dst))
        ready = [node for node in nodes if not waiting[node]]
        done = 0
        while ready:
            node = ready.pop()
            done += 1
            for dst in out[node]:
                waiting[dst] -= 1
                if not waiting[dst]:
                    ready.append(dst)
        return done < len(nodes)


class _Growing:
    """A graph that refuses the edge that would close a cycle."""

    def __init__(self) -> None:
        self._sources: dict[int, set[int]] = defaultdict(set)

    def add(self, src: int, dst: int) -> bool:
        if src == dst or self._reaches(src, dst):
            return False
        self._sources[dst].add(src)
        return True

    def _reaches(self, node: int, ancestor: int) -> bool:
        stack, seen = [node], {node}
        while stack:
            for source in self._sources[stack.pop()]:
                if source == ancestor:
                    return True
                if source not in seen:
                    seen.add(source)
                    stack.append(source)
        return False
