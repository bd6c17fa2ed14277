"""A graph as the rows of a tree: what is drawn where, what is folded, and what was folded in all.

Every vertex is drawn in full once; where it comes again it is one row that says so. Many alike beside each other become
one row. Branches deeper than the page goes on as a tree of their own below.
"""

from __future__ import annotations

import os.path
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from lineal.service.lineage import GraphEdge, GraphNode, TraceReply

SIBLINGS = 6  # alike neighbours drawn before the rest is one row
_FIRST = {"model": 0, "input": 1, "output": 1, "": 1}  # order of roles below a run; others follow


@dataclass(frozen=True)
class Row:
    """One line of the tree.

    kind: node, again (drawn above), far (goes on in another tree, `number`), also (another producer), unknown (no origin),
    candidate (equal bytes elsewhere), further (the answer was cut here), more (`hidden` alike neighbours). guides: for every level above the row whether its
    branch goes on below; last: whether the row ends its own branch.
    """

    kind: str
    guides: tuple[bool, ...] = ()
    last: bool = True
    node: GraphNode | None = None
    edge: GraphEdge | None = None
    text: str = ""
    number: int = 0
    hidden: tuple[GraphNode, ...] = ()


@dataclass
class Tally:
    """How much the answer holds, and what the rows left out or repeated of it."""

    runs: int = 0
    versions: int = 0
    unknown: int = 0
    repeats: int = 0
    folded: int = 0
    folds: int = 0
    far: int = 0
    guessed: int = 0


@dataclass
class Folding:
    """Turns a reply into trees of rows; iterate `trees` once, then `tally` is complete.

    siblings: alike neighbours that are drawn one by one, 0 for all. deepest: levels before a branch goes on below.
    """

    reply: TraceReply
    siblings: int = SIBLINGS
    deepest: int = 12
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._up = self.reply.direction == "up"
        self._nodes = {node.id: node for node in self.reply.nodes}
        self._next: dict[int, list[GraphEdge]] = defaultdict(list)
        self._also: dict[int, list[GraphEdge]] = defaultdict(list)
        for edge in self.reply.edges:
            self._next[edge.dst if self._up else edge.src].append(edge)
        for edge in self.reply.also:
            self._also[edge.dst].append(edge)
        reached = {self.reply.root, *(end for edge in self.reply.edges for end in (edge.src, edge.dst))}
        there = [node for node in self.reply.nodes if node.id in reached]
        self.tally.runs = sum(node.type == "run" for node in there)
        self.tally.versions = len(there) - self.tally.runs
        self.tally.unknown = sum(node.origin_unknown for node in there)
        self.tally.guessed = sum(edge.evidence == "inferred" for edge in self.reply.edges)
        self._drawn: set[int] = set()
        self._far: dict[int, int] = {}
        self._waiting: deque[int] = deque()

    def trees(self) -> Iterator[tuple[int, Iterator[Row]]]:
        """(number, rows) of every tree; the first has number 0 and starts at the root."""
        yield 0, self._rows(Row("node", node=self._nodes[self.reply.root]))
        while self._waiting:
            start = self._waiting.popleft()
            yield self._far[start], self._rows(Row("node", node=self._nodes[start]))

    def _rows(self, root: Row) -> Iterator[Row]:
        stack = [root]
        first = True
        while stack:
            row = stack.pop()
            below = self._open(row, first=first)
            first = False
            if below is None:
                yield row
                continue
            shown, rows = below
            yield shown
            stack.extend(reversed(rows))

    def _open(self, row: Row, *, first: bool) -> tuple[Row, list[Row]] | None:
        """The row as it is drawn and the rows directly below it; None where nothing can be below."""
        node = row.node
        if row.kind != "node" or node is None:
            return None
        if first:
            self._drawn.add(node.id)
            return row, self._below(node, ())
        again = node.id in self._drawn or node.id in self._far
        if again and self._has_below(node):
            self.tally.repeats += 1
            number = 0 if node.id in self._drawn else self._far[node.id]
            return _as(row, "again", number=number), []
        guides = (*row.guides, not row.last)
        if not again:
            if len(guides) >= self.deepest and self._has_below(node):
                number = self._far[node.id] = len(self._far) + 1
                self._waiting.append(node.id)
                self.tally.far += 1
                return _as(row, "far", number=number), []
        self._drawn.add(node.id)
        return row, self._below(node, guides)

    def _has_below(self, node: GraphNode) -> bool:
        return bool(self._next[node.id] or self._also[node.id] or node.candidates)

    def _below(self, node: GraphNode, guides: tuple[bool, ...]) -> list[Row]:
        rows: list[Row] = []
        for edges in self._alike(self._next[node.id]):
            shown = edges if not self.siblings or len(edges) <= self.siblings else edges[: self.siblings - 1]
            rows += [Row("node", node=self._nodes[self._end(edge)], edge=edge) for edge in shown]
            if len(shown) < len(edges):
                rows.append(self._fold(edges[len(shown) :]))
        rows += self._others(node)
        if node.further:
            rows.append(Row("further", node=node))
        if node.origin_unknown:
            rows.append(Row("unknown", node=node))
            rows += [Row("candidate", text=text) for text in node.candidates]
        return [_as(row, row.kind, guides=guides, last=row is rows[-1]) for row in rows]

    def _others(self, node: GraphNode) -> list[Row]:
        """The producers that were not followed; several runs of one job are one row."""
        jobs: dict[str, list[GraphEdge]] = {}
        for edge in self._also[node.id]:
            jobs.setdefault(self._nodes[edge.src].label, []).append(edge)
        rows = []
        for edges in jobs.values():
            if len(edges) > 1 and self.siblings:
                self.tally.folds += 1
                self.tally.folded += len(edges)
                rows.append(Row("also", edge=edges[0], hidden=tuple(self._nodes[edge.src] for edge in edges)))
            else:
                rows += [Row("also", node=self._nodes[edge.src], edge=edge) for edge in edges]
        return rows

    def _fold(self, edges: list[GraphEdge]) -> Row:
        hidden = tuple(self._nodes[self._end(edge)] for edge in edges)
        self.tally.folds += 1
        self.tally.folded += len(hidden)
        return Row("more", hidden=hidden, edge=edges[0])

    def _end(self, edge: GraphEdge) -> int:
        return edge.src if self._up else edge.dst

    def _alike(self, edges: list[GraphEdge]) -> list[list[GraphEdge]]:
        """The edges in drawing order, those to similar neighbours together."""
        groups: dict[tuple[object, ...], list[GraphEdge]] = {}
        for edge in sorted(edges, key=self._order):
            groups.setdefault(self._likeness(edge), []).append(edge)
        return list(groups.values())

    def _order(self, edge: GraphEdge) -> tuple[object, ...]:
        node = self._nodes[self._end(edge)]
        return (_FIRST.get(edge.role, 2), edge.role, node.label, node.at, node.id)

    def _likeness(self, edge: GraphEdge) -> tuple[object, ...]:
        """Alike are runs of one job, and files of one folder and ending, of one role, made by the same jobs."""
        node = self._nodes[self._end(edge)]
        if node.type == "run":
            return ("run", node.label, node.kind, edge.evidence, edge.rule)
        behind = frozenset(self._nodes[self._end(further)].label for further in self._next[node.id])
        folder, name = os.path.split(node.label)
        ending = os.path.splitext(name)[1]
        return (
            "version",
            folder,
            ending,
            edge.role,
            node.kind,
            edge.evidence,
            edge.rule,
            behind,
            node.origin_unknown,
        )


def _as(
    row: Row, kind: str, *, guides: tuple[bool, ...] | None = None, last: bool | None = None, number: int = 0
) -> Row:
    return Row(
        kind,
        row.guides if guides is None else guides,
        row.last if last is None else last,
        row.node,
        row.edge,
        row.text,
        number or row.number,
        row.hidden,
    )
