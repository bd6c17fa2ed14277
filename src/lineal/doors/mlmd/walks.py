"""The two calls that ask for lineage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lineal.core import mlmd
from lineal.core.errors import Invalid
from lineal.core.mlmd import Kind
from lineal.doors.mlmd import mlmd_pb2 as pb
from lineal.doors.mlmd import wire
from lineal.doors.mlmd.encoding import repeated, varint
from lineal.service.mlmd_lineage import Direction, Ending, Subgraph, SubgraphQuery, subgraph, whole_graph
from lineal.service.operations import Scope

_DIRECTIONS: dict[int, Direction] = {0: "both", 1: "up", 2: "down", 3: "both"}
_NUMBERS = {field.name: field.number for field in pb.LineageGraph.DESCRIPTOR.fields}
_FIELDS = frozenset(_NUMBERS)
_MOST_NODES = 20  # what the protocol takes where no limit is said
_FARTHEST = 20  # hops of the older question, likewise


def lineage_subgraph(scope: Scope, message: Any) -> bytes:
    """Numbers of what is before or behind the nodes that a filter finds, with the events between them: the answer's bytes."""
    asked = message.lineage_subgraph_query_options
    start = asked.WhichOneof("starting_nodes")
    if start is None:
        raise Invalid("Missing arguments for listing starting nodes.", hint="send a filter_query for them")
    if asked.direction not in _DIRECTIONS:
        raise Invalid(f"{asked.direction} is no direction", hint="send 1 upstream, 2 downstream, 3 both")
    query = SubgraphQuery(
        start=Kind.ARTIFACT if start == "starting_artifacts" else Kind.EXECUTION,
        filter=getattr(asked, start).filter_query,
        hops=wire.optional(asked, "max_num_hops"),
        direction=_DIRECTIONS[asked.direction],
        endings={
            kind: Ending(ending.filter_query, ending.include_ending_nodes)
            for kind in (Kind.ARTIFACT, Kind.EXECUTION)
            if (ending := wire.optional(asked, f"ending_{mlmd.missing(kind)}s")) is not None
        },
        fields=frozenset(message.read_mask.paths) or _FIELDS,
    )
    found = subgraph(scope, query)
    graph = b"".join(_encoded(found, query.fields))
    return b"\x0a" + varint(len(graph)) + graph  # the only field of the answer


def _encoded(found: Subgraph, fields: frozenset[str]) -> Iterator[bytes]:
    """The fields of the graph that were asked for, as they are sent. The order of fields does not matter."""
    for kind, ids in found.ids.items():
        if (field := f"{mlmd.missing(kind)}s") in fields:
            yield _numbered(field, [ids])
    if "contexts" in fields:
        yield _numbered("contexts", [found.contexts])
    if "attributions" in fields:
        yield _numbered("attributions", list(zip(*found.attributions, strict=True)))
    if "associations" in fields:
        yield _numbered("associations", list(zip(*found.associations, strict=True)))
    if (events := found.events) is not None:
        place = {id: place for place, id in enumerate(events.id.tolist())} if found.paths else {}
        paths = {place[id]: wire.path_bytes(path) for id, path in found.paths.items()}
        columns: list[tuple[int, Any]] = [
            (1, events.artifact),
            (2, events.execution),
            (3, paths),
            (4, events.type),
            (5, events.at),
        ]
        yield repeated(_NUMBERS["events"], len(events.id), columns)
    types = pb.LineageGraph()
    _types_out(found.types, types)
    yield types.SerializeToString()


def _numbered(field: str, columns: Sequence[Sequence[int]]) -> bytes:
    """A field of messages whose first fields are these numbers."""
    count = len(columns[0]) if columns else 0
    said: list[tuple[int, Any]] = [
        (number, np.array(column, dtype=np.int64)) for number, column in enumerate(columns, 1)
    ]
    return repeated(_NUMBERS[field], count, said)


def lineage_graph(scope: Scope, message: Any) -> Any:
    """Nodes around artifacts, as they are, up to a number of nodes."""
    asked = message.options
    listing = wire.listing_in(asked, "artifacts_options")
    if listing is None:
        raise Invalid("Missing arguments for listing query nodes.", hint="send artifacts_options")
    stop = asked.stop_conditions
    hops = stop.max_num_hops if stop.HasField("max_num_hops") else _FARTHEST
    most = asked.max_node_size if asked.HasField("max_node_size") else _MOST_NODES
    if hops < 0 or most <= 0:
        raise Invalid(
            f"max_num_hops {hops} and max_node_size {most} were sent", hint="send at least 0 and at least 1"
        )
    listing.size = min(listing.size, most)
    found = whole_graph(
        scope,
        listing,
        hops=hops,
        most=most,
        boundaries={Kind.ARTIFACT: stop.boundary_artifacts, Kind.EXECUTION: stop.boundary_executions},
    )
    reply = pb.GetLineageGraphResponse()
    graph = reply.subgraph
    wire.nodes_out(found.artifacts, graph.artifacts)
    wire.nodes_out(found.executions, graph.executions)
    wire.events_out(found.events, graph.events)
    _types_out(found.types, graph)
    return reply


def _types_out(types: dict[Kind, list[mlmd.Type]], graph: Any) -> None:
    for kind, some in types.items():
        getattr(graph, f"{mlmd.missing(kind)}_types").extend(wire.type_out(type) for type in some)
