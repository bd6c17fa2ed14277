"""What an export needs of a graph: any answer that has these is exported. (A trace's reply has.)"""

# ruff: noqa: D102 - the names are the documentation of the types they repeat (lineal.service.lineage)
from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Node(Protocol):
    """A vertex: a run or a version."""

    @property
    def id(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def ref(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def digest(self) -> str | None: ...
    @property
    def size(self) -> int | None: ...
    @property
    def names(self) -> list[str]: ...
    @property
    def origin_unknown(self) -> bool: ...


class Edge(Protocol):
    """An edge in the direction in which data flows, with how it is known."""

    @property
    def src(self) -> int: ...
    @property
    def dst(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def evidence(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def again(self) -> bool: ...
    @property
    def at(self) -> int: ...


class Graph(Protocol):
    """Vertices and edges around a root. also: edges known but not followed (another producer of the same bytes)."""

    @property
    def root(self) -> int: ...
    @property
    def nodes(self) -> Sequence[Node]: ...
    @property
    def edges(self) -> Sequence[Edge]: ...
    @property
    def also(self) -> Sequence[Edge]: ...


def known_edges(graph: Graph) -> list[tuple[Edge, bool]]:
    """(edge, whether it was followed) of every edge whose two ends are in the answer."""
    nodes = {node.id for node in graph.nodes}
    return [
        (edge, followed)
        for edges, followed in ((graph.edges, True), (graph.also, False))
        for edge in edges
        if edge.src in nodes and edge.dst in nodes
    ]


def evidence(edge: Edge) -> str:
    """What to write on an edge that was not simply observed: `declared`, `inferred: same-bytes`; else nothing."""
    if edge.evidence == "observed":
        return ""
    return printable(f"{edge.evidence}: {edge.rule}" if edge.rule else edge.evidence)


def printable(text: str) -> str:
    """The text with what does not print written as `\\xHH`, `\\uHHHH`."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable()
        else f"\\x{ord(char):02x}"
        if ord(char) < 0x100
        else f"\\u{ord(char):04x}"
        if ord(char) < 0x10000
        else f"\\U{ord(char):08x}"
        for char in text
    )


def caption(node: Node) -> list[str]:
    """The lines inside a vertex's box."""
    if node.type == "run":
        first = f"deployed at {node.label}" if node.kind == "deployment" else node.label
        return [printable(first), printable(node.state)]
    lines = [printable(node.ref), *(printable(name) for name in node.names)]
    if node.origin_unknown:
        lines.append("? origin unknown")
    return lines
