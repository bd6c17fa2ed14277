"""What narrows every question, and the walks and filters that the questions share."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineal.core import paths
from lineal.core.errors import Invalid
from lineal.core.model import Edge, EdgeKind
from lineal.service.lineage import DEPTH, GOVERNS, GraphNode, check_evidence, graph_nodes
from lineal.service.operations import Scope
from lineal.store.conditions import Term

# Kinds that mean something though there may be nothing of them yet; `run` and `version` are all runs and all versions.
_KINDS = frozenset(
    "run version dataset features model prompt code environment report deployment other declaration stream statement".split()
)
_TAGGED = 1_000_000  # runs or versions with the tag that a question is narrowed to


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What narrows every question.

    as_of: as recorded by then; valid_at: only what had happened by then; since: only edges of things that happened from then on
    (all microseconds UTC). evidence: only edges known so. kinds, namespace, tag: only these of what is found are listed; what
    lies between still counts. governing: also code and environment.
    """

    as_of: int | None = None
    valid_at: int | None = None
    since: int | None = None
    evidence: list[str] = []
    kinds: list[str] = []
    namespace: str = ""
    tag: str = ""
    governing: bool = False

    def __post_init__(self) -> None:
        check_evidence(self.evidence)


def walk(scope: Scope, root: int, asked: Asked, *, up: bool, budget: int) -> tuple[list[Edge], bool]:
    """The edges of a closure that the request lets through, and whether the budget cut it short.

    An edge that is not let through leads nowhere: what lies only behind it is not reached.
    """
    ask = scope.store.edges.upstream if up else scope.store.edges.downstream
    edges, over = ask(scope.tx, root, depth=DEPTH, budget=budget, as_of=asked.as_of)
    kept = [edge for edge in edges if passes(edge, asked)]
    if len(kept) < len(edges):
        reached = paths.distances(root, kept, up=up)
        kept = [edge for edge in kept if edge.src in reached and edge.dst in reached]
    return kept, over


def passes(edge: Edge, asked: Asked) -> bool:
    """Whether the request lets an edge through."""
    if not asked.governing and edge.kind == EdgeKind.USED and edge.role in GOVERNS:
        return False
    if asked.valid_at is not None and edge.at > asked.valid_at:
        return False
    if asked.since is not None and edge.at < asked.since:
        return False
    return not asked.evidence or str(edge.evidence) in asked.evidence


def wanted(scope: Scope, nodes: list[int], asked: Asked) -> list[int]:
    """Those of the vertices, in their order, that are of the kinds, namespace and tag that were asked for. Raises Invalid: there is
    no such kind."""
    check_kinds(scope, asked.kinds)
    if asked.kinds or asked.namespace:
        kept = set(
            scope.store.neighbours.narrow(scope.tx, nodes, kinds=asked.kinds, namespace=asked.namespace)
        )
        nodes = [node for node in nodes if node in kept]
    if asked.tag:
        tagged = _tagged(scope, asked)
        nodes = [node for node in nodes if node in tagged]
    return nodes


def check_kinds(scope: Scope, kinds: Sequence[str]) -> None:
    """Raises Invalid: a kind that no run and no version ever had, and that has no meaning of its own."""
    if all(kind in _KINDS for kind in kinds):
        return
    known = set(_KINDS) | scope.store.neighbours.list_kinds(scope.tx)
    for kind in kinds:
        if kind not in known:
            raise Invalid(
                f"nothing is of the kind {kind!r:.60}", hint=f"kinds are {', '.join(sorted(known))}"
            )


def _tagged(scope: Scope, asked: Asked) -> set[int]:
    """Everything that has the tag, each by the vertex that stands for it."""
    search, terms = scope.store.search, [Term("tag", "=", asked.tag)]
    found = [
        *search.search_runs(
            scope.tx, terms, order=[], limit=_TAGGED, include_deleted=True, as_of=asked.as_of
        ),
        *search.search_versions(
            scope.tx, terms, order=[], limit=_TAGGED, include_deleted=True, as_of=asked.as_of
        ),
    ]
    stands = scope.store.joins.canonical(scope.tx, found, as_of=asked.as_of)
    return {stands.get(node, node) for node in found}


def nodes_of(scope: Scope, nodes: list[int]) -> list[GraphNode]:
    """The vertices, described."""
    if not nodes:
        return []
    loose = [Edge(src=node, dst=node, kind=EdgeKind.DERIVED, at=0) for node in nodes]
    return graph_nodes(scope, nodes[0], loose, [], explain=False)


def refs_of(scope: Scope, nodes: list[int]) -> dict[int, str]:
    """How to name the vertices."""
    return {node.id: node.ref for node in nodes_of(scope, nodes)}
