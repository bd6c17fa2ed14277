"""A graph as a Mermaid flowchart, as GitHub and most wikis draw it."""

from __future__ import annotations

from lineal.export.graph import Graph, Node, caption, evidence, known_edges

_SPECIAL = {ord(char): f"#{ord(char)};" for char in "\"'#&<>`\\[](){}|;"}
_CLASSES = (
    "classDef run fill:#e8f0fe,stroke:#4a6fa5,color:#1a1a1a",
    "classDef version fill:#f4f4f0,stroke:#8a8a80,color:#1a1a1a",
    "classDef model fill:#e6f4ea,stroke:#3c7d4f,color:#1a1a1a",
    "classDef unknown fill:#fff8e1,stroke:#b8860b,color:#1a1a1a,stroke-dasharray:4 3",
)


def to_mermaid(graph: Graph) -> str:
    """The text of a flowchart in which data flows from top to bottom.

    Edges that were not observed are dotted and labelled; so are other producers that the answer did not follow.
    """
    lines = ["flowchart TB"]
    for node in graph.nodes:
        opening, closing = ("([", "])") if node.type == "run" else ("[", "]")
        text = "<br>".join(_escape(line) for line in caption(node))
        lines.append(f'  n{node.id}{opening}"{text}"{closing}:::{_class(node)}')
    for edge, followed in known_edges(graph):
        label = evidence(edge) if followed else "also produced"
        arrow = f'-. "{_escape(label)}" .->' if label else "-->"
        lines.append(f"  n{edge.src} {arrow} n{edge.dst}")
    lines += [f"  {text}" for text in _CLASSES]
    return "\n".join(lines) + "\n"


def _class(node: Node) -> str:
    if node.type == "run":
        return "run"
    if node.origin_unknown:
        return "unknown"
    return "model" if node.kind == "model" else "version"


def _escape(text: str) -> str:
    """Mermaid's own entity codes for every character that means something to it or to HTML."""
    return text.translate(_SPECIAL)
