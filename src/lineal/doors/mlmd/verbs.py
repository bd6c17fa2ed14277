"""The service's 52 calls: what each asks of the services, and how the answer is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineal.core import mlmd
from lineal.core.errors import Invalid
from lineal.core.mlmd import Kind
from lineal.core.mlmd_requests import (
    Put,
    PutEvents,
    PutExecution,
    PutMembers,
    PutNodes,
    PutParents,
    PutSubgraph,
    PutTypes,
    Request,
)
from lineal.doors.mlmd import mlmd_pb2 as pb
from lineal.doors.mlmd import wire
from lineal.doors.mlmd.walks import lineage_graph, lineage_subgraph
from lineal.service import mlmd_read as reading
from lineal.service.operations import Scope
from lineal.store.mlmd_lists import Page

Reading = Callable[[Scope, Any], Any]  # message in, message out
Writing = tuple[Callable[[Any], Request], Callable[[Put, Any], Any]]  # what is asked; the answer to a message

_NAMES = {Kind.ARTIFACT: "Artifact", Kind.EXECUTION: "Execution", Kind.CONTEXT: "Context"}


def request_class(method: str) -> Any:
    """The message that a call takes."""
    return getattr(pb, f"{method}Request")


# ---- writing ---------------------------------------------------------------------------------------------------------------


def _put_type(kind: Kind) -> Writing:
    field, reply = f"{mlmd.missing(kind)}_type", getattr(pb, f"Put{_NAMES[kind]}TypeResponse")

    def asked(message: Any) -> Request:
        return _types(message, [wire.type_in(kind, getattr(message, field))])

    return asked, lambda put, _: reply(type_id=put.ids[0])


def _put_types() -> Writing:
    def asked(message: Any) -> Request:
        return _types(
            message,
            [
                wire.type_in(kind, each)
                for kind in (Kind.ARTIFACT, Kind.EXECUTION, Kind.CONTEXT)
                for each in getattr(message, f"{mlmd.missing(kind)}_types")
            ],
        )

    def told(put: Put, message: Any) -> Any:
        ids = iter(put.ids)
        return pb.PutTypesResponse(
            artifact_type_ids=[next(ids) for _ in message.artifact_types],
            execution_type_ids=[next(ids) for _ in message.execution_types],
            context_type_ids=[next(ids) for _ in message.context_types],
        )

    return asked, told


def _types(message: Any, types: list[mlmd.Type]) -> PutTypes:
    if message.HasField("all_fields_match") and not message.all_fields_match:
        raise mlmd.refusal("UNIMPLEMENTED", "Must match all fields.")
    return PutTypes(types, message.can_add_fields, message.can_omit_fields)


def _put_nodes(kind: Kind) -> Writing:
    field = f"{mlmd.missing(kind)}s"
    reply, ids = getattr(pb, f"Put{_NAMES[kind]}sResponse"), f"{mlmd.missing(kind)}_ids"

    def asked(message: Any) -> Request:
        return PutNodes(
            wire.nodes_in(kind, getattr(message, field)),
            list(message.update_mask.paths),
            kind == Kind.ARTIFACT and message.options.abort_if_latest_updated_time_changed,
        )

    return asked, lambda put, _: reply(**{ids: put.ids})


def _put_execution(message: Any) -> Request:
    options = message.options
    return PutExecution(
        execution=wire.node_in(Kind.EXECUTION, message.execution) if message.HasField("execution") else None,
        pairs=[
            (
                wire.node_in(Kind.ARTIFACT, pair.artifact) if pair.HasField("artifact") else None,
                wire.event_in(pair.event) if pair.HasField("event") else None,
            )
            for pair in message.artifact_event_pairs
        ],
        contexts=wire.nodes_in(Kind.CONTEXT, message.contexts),
        reuse_context=options.reuse_context_if_already_exist,
        reuse_artifact=options.reuse_artifact_if_already_exist_by_external_id,
        force_update=options.force_update_time,
        force_reuse_context=options.force_reuse_context,
    )


def _put_subgraph(message: Any) -> Request:
    return PutSubgraph(
        executions=wire.nodes_in(Kind.EXECUTION, message.executions),
        artifacts=wire.nodes_in(Kind.ARTIFACT, message.artifacts),
        contexts=wire.nodes_in(Kind.CONTEXT, message.contexts),
        edges=[
            (
                wire.optional(edge, "execution_index"),
                wire.optional(edge, "artifact_index"),
                wire.event_in(edge.event) if edge.HasField("event") else None,
            )
            for edge in message.event_edges
        ],
        reuse_context=message.options.reuse_context_if_already_exist,
        reuse_artifact=message.options.reuse_artifact_if_already_exist_by_external_id,
    )


def _put_members(message: Any) -> Request:
    return PutMembers(
        [(each.context_id, Kind.ARTIFACT, each.artifact_id) for each in message.attributions]
        + [(each.context_id, Kind.EXECUTION, each.execution_id) for each in message.associations]
    )


WRITING: dict[str, Writing] = {
    "PutArtifactType": _put_type(Kind.ARTIFACT),
    "PutExecutionType": _put_type(Kind.EXECUTION),
    "PutContextType": _put_type(Kind.CONTEXT),
    "PutTypes": _put_types(),
    "PutArtifacts": _put_nodes(Kind.ARTIFACT),
    "PutExecutions": _put_nodes(Kind.EXECUTION),
    "PutContexts": _put_nodes(Kind.CONTEXT),
    "PutEvents": (
        lambda message: PutEvents([wire.event_in(event) for event in message.events]),
        lambda _, __: pb.PutEventsResponse(),
    ),
    "PutExecution": (
        _put_execution,
        lambda put, _: pb.PutExecutionResponse(
            execution_id=put.ids[0], artifact_ids=put.artifacts, context_ids=put.contexts
        ),
    ),
    "PutLineageSubgraph": (
        _put_subgraph,
        lambda put, _: pb.PutLineageSubgraphResponse(
            execution_ids=put.ids, artifact_ids=put.artifacts, context_ids=put.contexts
        ),
    ),
    "PutAttributionsAndAssociations": (
        _put_members,
        lambda _, __: pb.PutAttributionsAndAssociationsResponse(),
    ),
    "PutParentContexts": (
        lambda message: PutParents([(each.child_id, each.parent_id) for each in message.parent_contexts]),
        lambda _, __: pb.PutParentContextsResponse(),
    ),
}


# ---- reading ---------------------------------------------------------------------------------------------------------------


def _of_types(kind: Kind) -> dict[str, Reading]:
    """The calls about the types of a kind of node."""
    one, name = mlmd.missing(kind), _NAMES[kind]

    def get_type(scope: Scope, message: Any) -> Any:
        type = reading.get_type(scope, kind, message.type_name, message.type_version)
        return _reply(f"Get{name}Type", **{f"{one}_type": wire.type_out(type)})

    def get_types(scope: Scope, message: Any) -> Any:
        return types(f"Get{name}Types", reading.list_types(scope, kind))

    def by_id(scope: Scope, message: Any) -> Any:
        return types(f"Get{name}TypesByID", reading.get_types(scope, kind, message.type_ids))

    def by_external_ids(scope: Scope, message: Any) -> Any:
        found = reading.types_by_external_ids(scope, kind, list(message.external_ids))
        return types(f"Get{name}TypesByExternalIds", found)

    def types(call: str, found: list[mlmd.Type]) -> Any:
        return _reply(call, **{f"{one}_types": [wire.type_out(type) for type in found]})

    return {
        f"Get{name}Type": get_type,
        f"Get{name}Types": get_types,
        f"Get{name}TypesByID": by_id,
        f"Get{name}TypesByExternalIds": by_external_ids,
    }


def _of_nodes(kind: Kind) -> dict[str, Reading]:
    """The calls about the nodes of a kind themselves."""
    one, name = mlmd.missing(kind), _NAMES[kind]

    def listed(scope: Scope, message: Any) -> Any:
        listing = wire.listing_in(message)
        return _paged(kind, f"Get{name}s", reading.page(scope, kind, listing), listing)

    def by_id(scope: Scope, message: Any) -> Any:
        nodes = reading.nodes_by_id(scope, kind, getattr(message, f"{one}_ids"))
        reply = _told(kind, f"Get{name}sByID", nodes)
        if kind == Kind.ARTIFACT and message.populate_artifact_types:
            found = reading.get_types(scope, kind, sorted({node.type_id for node in nodes}))
            reply.artifact_types.extend(wire.type_out(type) for type in found)
        return reply

    def by_external_ids(scope: Scope, message: Any) -> Any:
        found = reading.nodes_by_external_ids(scope, kind, list(message.external_ids))
        return _told(kind, f"Get{name}sByExternalIds", found)

    def by_type(scope: Scope, message: Any) -> Any:
        listing = wire.listing_in(message)
        found = reading.page_of_type(scope, kind, message.type_name, message.type_version, listing)
        return _paged(kind, f"Get{name}sByType", found, listing)

    def by_type_and_name(scope: Scope, message: Any) -> Any:
        reply = _reply(f"Get{name}ByTypeAndName")
        found = reading.node_named(
            scope, kind, message.type_name, message.type_version, getattr(message, f"{one}_name")
        )
        if found is not None:
            wire.node_out(found, getattr(reply, one))
        return reply

    return {
        f"Get{name}s": listed,
        f"Get{name}sByID": by_id,
        f"Get{name}sByExternalIds": by_external_ids,
        f"Get{name}sByType": by_type,
        f"Get{name}ByTypeAndName": by_type_and_name,
    }


def _in_contexts(kind: Kind) -> dict[str, Reading]:
    """The calls about artifacts or executions and their contexts and events."""
    one, name = mlmd.missing(kind), _NAMES[kind]

    def contexts(scope: Scope, message: Any) -> Any:
        found = reading.contexts_of(scope, kind, getattr(message, f"{one}_id"))
        return _told(Kind.CONTEXT, f"GetContextsBy{name}", found)

    def members(scope: Scope, message: Any) -> Any:
        listing = wire.listing_in(message)
        found = reading.page(scope, kind, listing, context=message.context_id)
        return _paged(kind, f"Get{name}sByContext", found, listing)

    def events(scope: Scope, message: Any) -> Any:
        reply = _reply(f"GetEventsBy{name}IDs")
        wire.events_out(reading.events(scope, kind, list(getattr(message, f"{one}_ids"))), reply.events)
        return reply

    return {
        f"GetContextsBy{name}": contexts,
        f"Get{name}sByContext": members,
        f"GetEventsBy{name}IDs": events,
    }


def _told(kind: Kind, call: str, nodes: list[mlmd.Node]) -> Any:
    reply = _reply(call)
    wire.nodes_out(nodes, getattr(reply, f"{mlmd.missing(kind)}s"))
    return reply


def _paged(kind: Kind, call: str, found: Page, listing: mlmd.Listing | None) -> Any:
    reply = _told(kind, call, found.nodes)
    if listing is not None:
        reply.next_page_token = found.token
    return reply


def _reply(call: str, **fields: Any) -> Any:
    return getattr(pb, f"{call}Response")(**fields)


def _by_uri(scope: Scope, message: Any) -> Any:
    reply = pb.GetArtifactsByURIResponse()
    wire.nodes_out(reading.nodes_by_uri(scope, list(message.uris)), reply.artifacts)
    return reply


def _linked(scope: Scope, message: Any, *, up: bool) -> Any:
    reply = _reply("GetParentContextsByContext" if up else "GetChildrenContextsByContext")
    found = reading.linked_contexts(scope, [message.context_id], up=up)
    wire.nodes_out(found.get(message.context_id, []), reply.contexts)
    return reply


def _all_linked(scope: Scope, message: Any, *, up: bool) -> Any:
    reply = _reply("GetParentContextsByContexts" if up else "GetChildrenContextsByContexts")
    if not message.context_ids:
        raise Invalid("no contexts were named", hint="send their ids in context_ids")
    for id, contexts in reading.linked_contexts(scope, list(message.context_ids), up=up).items():
        into = reply.contexts[id]
        wire.nodes_out(contexts, into.parent_contexts if up else into.children_contexts)
    return reply


READING: dict[str, Reading] = {
    **{call: read for kind in Kind for call, read in (_of_types(kind) | _of_nodes(kind)).items()},
    **_in_contexts(Kind.ARTIFACT),
    **_in_contexts(Kind.EXECUTION),
    "GetArtifactsByURI": _by_uri,
    "GetParentContextsByContext": lambda scope, message: _linked(scope, message, up=True),
    "GetChildrenContextsByContext": lambda scope, message: _linked(scope, message, up=False),
    "GetParentContextsByContexts": lambda scope, message: _all_linked(scope, message, up=True),
    "GetChildrenContextsByContexts": lambda scope, message: _all_linked(scope, message, up=False),
    "GetLineageGraph": lineage_graph,
    "GetLineageSubgraph": lineage_subgraph,
}
