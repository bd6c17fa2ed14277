"""The two calls that ask for lineage."""

from __future__ import annotations

from typing import Any

from lineal.core import mlmd
from lineal.core.errors import Invalid
from lineal.core.mlmd import Kind
from lineal.doors.mlmd import mlmd_pb2 as pb
from lineal.doors.mlmd import wire
from lineal.service.mlmd_lineage import Direction, Ending, SubgraphQuery, subgraph, whole_graph
from lineal.service.operations import Scope

_DIRECTIONS: dict[int, Direction] = {0: "both", 1: "up", 2: "down", 3: "both"}
_FIELDS = frozenset(field.name for field in pb.LineageGraph.DESCRIPTOR.fields)
_MOST_NODES = 20  # what the protocol takes where no limit is said
_FARTHEST = 20  # hops of the older question, likewise


def lineage_subgraph(scope: Scope, message: Any) -> Any:
    """Numbers of what is before or behind the nodes that a filter finds, with the events between them."""
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
    reply = pb.GetLineageSubgraphResponse()
    graph = reply.lineage_subgraph
    for kind, ids in found.ids.items():
        if (field := f"{mlmd.missing(kind)}s") in query.fields:
            into = getattr(graph, field)
            for id in ids:
                into.add(id=id)
    if "contexts" in query.fields:
        for id in found.contexts:
            graph.contexts.add(id=id)
    wire.events_out(found.events, graph.events)
    if "attributions" in query.fields:
        for artifact, context in found.attributions:
            graph.attributions.add(artifact_id=artifact, context_id=context)
    if "associations" in query.fields:
        for execution, context in found.associations:
            graph.associations.add(execution_id=execution, context_id=context)
    _types_out(found.types, graph)
    return reply


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
