"""What is before or behind artifacts and executions, as far as it goes: no answer is cut."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from lineal.core import mlmd
from lineal.core.errors import Invalid
from lineal.core.mlmd import Event, Kind, Listing, Node, Type
from lineal.service.mlmd_read import called, list_types, nodes_by_id
from lineal.service.operations import Scope
from lineal.store.mlmd_events import EventRows, Met, in_order
from lineal.store.mlmd_lists import find_ids, list_nodes

Direction = Literal["up", "down", "both"]
_OUTPUTS = mlmd.OUTPUTS | {mlmd.PENDING_OUTPUT}


class Ending(msgspec.Struct, gc=False):
    """Nodes at which a walk ends. included: whether they belong to the answer themselves."""

    filter: str = ""
    included: bool = False


class SubgraphQuery(msgspec.Struct, gc=False, kw_only=True):
    """Where a walk starts, how far and which way it goes. hops: None for as far as there is anything."""

    start: Kind
    filter: str
    hops: int | None = None
    direction: Direction = "both"
    endings: dict[Kind, Ending] = {}
    fields: frozenset[str] = frozenset()


class Subgraph(msgspec.Struct, gc=False, kw_only=True):
    """What was reached: numbers of nodes, and of the fields asked for what belongs to them."""

    ids: dict[Kind, list[int]] = {}
    events: EventRows | None = None
    paths: dict[int, list[int | str]] = {}  # by number of the event
    contexts: list[int] = []
    attributions: list[tuple[int, int]] = []
    associations: list[tuple[int, int]] = []
    types: dict[Kind, list[Type]] = {}


class WholeGraph(msgspec.Struct, gc=False):
    """Nodes as they are, with the events between them and all types."""

    artifacts: list[Node]
    executions: list[Node]
    events: list[Event]
    types: dict[Kind, list[Type]]


def subgraph(scope: Scope, query: SubgraphQuery) -> Subgraph:
    """Walk from what a filter finds. Raises NotFound: it finds nothing. Invalid: the query cannot be right."""
    if not query.filter:
        raise Invalid(
            "Cannot list starting nodes if `filter_query` is unspecified.", hint="for example: id = 7"
        )
    if query.hops is not None and query.hops < 0:
        raise Invalid(f"max_num_hops cannot be negative: max_num_hops = {query.hops}")
    starts = find_ids(scope.tx, query.start, query.filter)
    if not starts:
        raise mlmd.not_found("Cannot find qualified nodes to start the traversal.")
    walk = _Walk(scope, query)
    walk.go(starts)
    return _described(scope, query, walk)


class _Walk:
    """Goes from artifacts to executions and back, one hop for all nodes at once."""

    def __init__(self, scope: Scope, query: SubgraphQuery) -> None:
        self._scope = scope
        self._query = query
        self._near = scope.store.mlmd_events.near(scope.tx)
        self._found: list[Met] = []
        self.visited: dict[Kind, dict[int, None]] = {Kind.ARTIFACT: {}, Kind.EXECUTION: {}}
        self.ended: dict[Kind, dict[int, None]] = {Kind.ARTIFACT: {}, Kind.EXECUTION: {}}

    def go(self, starts: list[int]) -> None:
        at = self._query.start
        front = self._enter(at, starts)
        hops = self._query.hops
        while front and (hops is None or hops > 0):
            at, front = self._hop(at, front)
            hops = None if hops is None else hops - 1
        self._near.over()

    def events(self) -> EventRows:
        """The events that were met, each once, by number."""
        return in_order(self._found)

    def _hop(self, at: Kind, front: list[int]) -> tuple[Kind, list[int]]:
        other = Kind.EXECUTION if at == Kind.ARTIFACT else Kind.ARTIFACT
        found = self._near.hop(mlmd.missing(at), front, self._types(at))
        far: list[int] = found.far.tolist()
        seen, ended = self.visited[other], self.ended[other]
        # Both ways, what leads back was met from the other side.
        back = [id in seen for id in far] if self._query.direction == "both" else []
        new = self._enter(other, list(dict.fromkeys(id for id in far if id not in seen and id not in ended)))
        ending = self._query.endings.get(other)
        if ended or back:
            included = ending is not None and ending.included
            kept = [included if id in ended else not (back and back[place]) for place, id in enumerate(far)]
            found = found.among(np.array(kept, dtype=bool))
        self._found.append(found)
        return other, new

    def _types(self, at: Kind) -> frozenset[int] | None:
        """The types of events that lead on from nodes of a kind; None for all."""
        if self._query.direction == "both":
            return None
        return _OUTPUTS if (self._query.direction == "up") == (at == Kind.ARTIFACT) else mlmd.INPUTS

    def _enter(self, kind: Kind, ids: list[int]) -> list[int]:
        """Those of the nodes from which the walk goes on; the others are where it ends."""
        ending = self._query.endings.get(kind)
        if ids and ending is not None and ending.filter:
            ends = set(find_ids(self._scope.tx, kind, ending.filter, ids))
            self.ended[kind] |= dict.fromkeys(id for id in ids if id in ends)
            ids = [id for id in ids if id not in ends]
        self.visited[kind] |= dict.fromkeys(ids)
        return ids


def _described(scope: Scope, query: SubgraphQuery, walk: _Walk) -> Subgraph:
    rows, tx, fields = scope.store.mlmd, scope.tx, query.fields
    ids = {
        kind: [*walk.visited[kind], *(walk.ended[kind] if _included(query, kind) else ())]
        for kind in (Kind.ARTIFACT, Kind.EXECUTION)
    }
    found = Subgraph(ids=ids)
    if "events" in fields:
        found.events = walk.events()
        found.paths = rows.get_paths(tx, found.events.id[found.events.pathed > 0].tolist())
    if fields & {"contexts", "attributions"}:
        found.attributions = rows.list_contexts(tx, Kind.ARTIFACT, ids[Kind.ARTIFACT])
    if fields & {"contexts", "associations"}:
        found.associations = rows.list_contexts(tx, Kind.EXECUTION, ids[Kind.EXECUTION])
    found.contexts = sorted({context for _, context in (*found.attributions, *found.associations)})
    found.types = {
        kind: rows.list_types(tx, kind) for kind in Kind if f"{mlmd.missing(kind)}_types" in fields
    }
    return found


def _included(query: SubgraphQuery, kind: Kind) -> bool:
    ending = query.endings.get(kind)
    return ending is not None and ending.included


def whole_graph(
    scope: Scope, listing: Listing, *, hops: int, most: int, boundaries: dict[Kind, str]
) -> WholeGraph:
    """The older question: nodes around artifacts, with a limit of nodes, beyond which those that came last are left out.

    boundaries: filters that executions and artifacts must fulfil to be reached.
    """
    artifacts = called(scope, list_nodes(scope.tx, Kind.ARTIFACT, listing).nodes)
    reached: dict[Kind, list[int]] = {Kind.ARTIFACT: [node.id for node in artifacts], Kind.EXECUTION: []}
    events: dict[int, Event] = {}
    at, front, left = Kind.ARTIFACT, reached[Kind.ARTIFACT], most - len(artifacts)
    while front and hops > 0 and left > 0:
        other = Kind.EXECUTION if at == Kind.ARTIFACT else Kind.ARTIFACT
        found = [
            (event, event.execution if at == Kind.ARTIFACT else event.artifact)
            for event in scope.store.mlmd.list_events(scope.tx, mlmd.missing(at), front)
        ]
        known = set(reached[other])
        front = _new(scope, other, list(dict.fromkeys(id for _, id in found if id not in known)), boundaries)
        front = front[:left]
        events |= {event.id: event for event, id in found if id in set(front)}
        reached[other] += front
        at, hops, left = other, hops - 1, left - len(front)
    return WholeGraph(
        artifacts=nodes_by_id(scope, Kind.ARTIFACT, reached[Kind.ARTIFACT]),
        executions=nodes_by_id(scope, Kind.EXECUTION, reached[Kind.EXECUTION]),
        events=[events[id] for id in sorted(events)],
        types={kind: list_types(scope, kind) for kind in Kind},
    )


def _new(scope: Scope, kind: Kind, ids: list[int], boundaries: dict[Kind, str]) -> list[int]:
    filter = boundaries.get(kind)
    if not filter or not ids:
        return ids
    fitting = set(find_ids(scope.tx, kind, filter, ids))
    return [id for id in ids if id in fitting]
