"""Replies made by hand, for tests of what is drawn from them."""

from __future__ import annotations

from lineal.service.lineage import GraphEdge, GraphNode, TraceReply

NOW = 1_763_900_000_000_000
HOUR = 3_600_000_000


class Graph:
    """Collects vertices and edges; `reply` makes the trace's reply of them."""

    def __init__(self) -> None:
        self.nodes: list[GraphNode] = []
        self.edges: list[GraphEdge] = []
        self.also: list[GraphEdge] = []
        self.loops: list[GraphEdge] = []

    def version(self, label: str, number: int = 1, **fields: object) -> int:
        node = len(self.nodes) + 1
        known: dict[str, object] = {
            "kind": "dataset",
            "digest": f"sha256:{node:064x}",
            "level": "content",
            "size": 1000 * node,
        }
        self.nodes.append(
            GraphNode(
                id=node, type="version", ref=f"{label}@{number}", label=label, at=NOW, **{**known, **fields}
            )  # type: ignore[arg-type]
        )
        return node

    def run(self, label: str, **fields: object) -> int:
        node = len(self.nodes) + 1
        known: dict[str, object] = {"kind": "run", "state": "finished"}
        self.nodes.append(
            GraphNode(
                id=node, type="run", ref=f"run:{node:032x}", label=label, at=NOW - HOUR, **{**known, **fields}
            )  # type: ignore[arg-type]
        )
        return node

    def edge(self, src: int, dst: int, kind: str, **fields: object) -> GraphEdge:
        known: dict[str, object] = {
            "role": "input" if kind == "used" else "output",
            "evidence": "observed",
            "via": [],
            "rule": "",
            "again": False,
            "at": NOW,
            "message": 1,
        }
        return GraphEdge(src=src, dst=dst, kind=kind, **{**known, **fields})  # type: ignore[arg-type]

    def used(self, version: int, run: int, **fields: object) -> None:
        self.edges.append(self.edge(version, run, "used", **fields))

    def made(self, run: int, version: int, **fields: object) -> None:
        self.edges.append(self.edge(run, version, "generated", **fields))

    def reply(self, root: int = 1, **fields: object) -> TraceReply:
        known: dict[str, object] = {"direction": "up", "cut": False, "cut_reason": "", "as_of": None}
        return TraceReply(
            root=root,
            nodes=self.nodes,
            edges=self.edges,
            also=self.also,
            loops=self.loops,
            **{**known, **fields},  # type: ignore[arg-type]
        )


def pipeline() -> Graph:
    """model <- train <- features <- prepare <- raw (of unknown origin)."""
    graph = Graph()
    model = graph.version("model.pkl", 2, kind="model", names=["churn@2"])
    train = graph.run("train.py")
    features = graph.version("features.csv")
    prepare = graph.run("prepare.py", state="failed")
    raw = graph.version("raw.csv", origin_unknown=True, candidates=["copy.csv@1"])
    graph.made(train, model)
    graph.used(features, train)
    graph.made(prepare, features)
    graph.used(raw, prepare)
    return graph
