"""A graph in the DOT language, for Graphviz and what reads it."""

from __future__ import annotations

from lineal.export.graph import Graph, Node, caption, evidence, known_edges


def to_dot(graph: Graph) -> str:
    """The text of a digraph in which data flows from left to right.

    Versions are boxes, runs are ellipses; edges that were not observed are dashed and labelled.
    """
    lines = [
        "digraph lineage {",
        "  rankdir=LR;",
        '  node [fontname="Helvetica", fontsize=10];',
        '  edge [fontname="Helvetica", fontsize=8];',
    ]
    for node in graph.nodes:
        text = "\\n".join(_escape(line) for line in caption(node))
        lines.append(f'  n{node.id} [label="{text}", {_look(node)}];')
    for edge, followed in known_edges(graph):
        label = evidence(edge) if followed else "also produced"
        look = f' [style=dashed, label="{_escape(label)}"]' if label else ""
        lines.append(f"  n{edge.src} -> n{edge.dst}{look};")
    return "\n".join([*lines, "}"]) + "\n"


def _look(node: Node) -> str:
    if node.type == "run":
        return 'shape=ellipse, style=filled, fillcolor="#e8f0fe"'
    if node.origin_unknown:
        return 'shape=box, style="filled,dashed", fillcolor="#fff8e1"'
    return f'shape=box, style=filled, fillcolor="{"#e6f4ea" if node.kind == "model" else "#f4f4f0"}"'


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
