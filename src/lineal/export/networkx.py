"""A graph as a networkx object, for algorithms of one's own."""

from __future__ import annotations

from typing import Any

from lineal.core.errors import Unavailable
from lineal.export.graph import Graph, known_edges

_NODE = ("type", "label", "kind", "at", "state", "digest", "size", "names", "origin_unknown")
_EDGE = ("kind", "role", "evidence", "rule", "again", "at")


def to_networkx(graph: Graph) -> Any:
    """A `networkx.MultiDiGraph`: vertices by reference (`run:ID`, `NAME@NUMBER`), edges in the direction data flows.

    Vertices and edges carry what the answer says of them; `followed` is False on another producer's edge. The graph's
    own attribute `root` is the reference that was asked for.

    Raises Unavailable: networkx is not installed.
    """
    try:
        import networkx as nx
    except ImportError:
        raise Unavailable(
            "networkx is not installed in this environment", hint="pip install networkx"
        ) from None
    refs = {node.id: node.ref for node in graph.nodes}
    made = nx.MultiDiGraph(root=refs.get(graph.root, ""))
    for node in graph.nodes:
        made.add_node(node.ref, **{name: getattr(node, name) for name in _NODE})
    for edge, followed in known_edges(graph):
        facts = {name: getattr(edge, name) for name in _EDGE}
        made.add_edge(refs[edge.src], refs[edge.dst], followed=followed, **facts)
    return made
