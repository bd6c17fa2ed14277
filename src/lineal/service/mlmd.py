"""Putting what clients of ML Metadata send: the rules of their store, its rows and the graph in one transaction.

A pass takes any number of requests that arrived together. Each is refused or done by itself; all that was done is written
with a number of statements that does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from lineal.core import mlmd
from lineal.core.errors import Conflict, Invalid, LinealError
from lineal.core.ids import sha256
from lineal.core.mlmd import DOOR, Event, Kind, Node, Type
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
from lineal.service.mlmd_graph import project
from lineal.service.mlmd_ledger import Ledger
from lineal.service.operations import Scope

_pack = msgspec.msgpack.Encoder().encode


class Received(msgspec.Struct, gc=False, frozen=True):
    """A request: its name in the protocol, its bytes as they came, and what it says."""

    method: str
    raw: bytes
    request: Request


def take_in(scope: Scope, calls: Sequence[Received]) -> list[Put | LinealError]:
    """What each request is answered, in their order. Their bytes are kept as one message, which has one audit leaf."""
    ledger = Ledger(scope)
    ledger.prepare(call.request for call in calls)
    answers: list[Put | LinealError] = []
    done: list[Received] = []
    for call in calls:
        try:
            with ledger.whole():
                answers.append(_PUT[type(call.request)](ledger, call.request))
            done.append(call)
        except LinealError as error:
            answers.append(error)
    if done and ledger.changed:
        project(ledger, _keep(scope, done))
        ledger.write()
    return answers


def _keep(scope: Scope, calls: list[Received]) -> int:
    """Keep the requests as received; the message's number."""
    body = _pack([(call.method, call.raw) for call in calls])
    digest = sha256(body)
    audit = scope.store.audit
    message = audit.add_message(
        scope.tx, door=DOOR, source=scope.actor, body=body, digest=digest, at=scope.at
    )
    entry = {"message": message, "requests": len(calls), "body": digest}
    audit.add_leaf(
        scope.tx,
        door=DOOR,
        actor=scope.actor,
        action="ingest",
        digest=digest,
        body=msgspec.json.encode(entry, order="sorted"),
        at=scope.at,
    )
    return message


# ---- types -----------------------------------------------------------------------------------------------------------------


def _put_types(ledger: Ledger, request: PutTypes) -> Put:
    return Put(ids=[_put_type(ledger, type, request) for type in request.types])


def _put_type(ledger: Ledger, given: Type, request: PutTypes) -> int:
    if not given.name:
        raise Invalid("No type name is specified.")
    mlmd.check_text("name of the type", given.name)
    mlmd.check_text("version of the type", given.version)
    mlmd.check_text("external id of the type", given.external_id)
    stored = ledger.type_named(given.kind, given.name, given.version)
    if stored is None:
        mlmd.check_property_types(given.properties)
        after = msgspec.structs.replace(given, id=0, base=_base(None, given))
    else:
        after = mlmd.merged(stored, given, can_add=request.can_add, can_omit=request.can_omit)
        base = _base(stored, given)
        if base != stored.base:
            after = msgspec.structs.replace(after, base=base)
    if after is stored:
        return stored.id
    if after.external_id:
        owner = ledger.type_external(after.kind, after.external_id)
        if owner is not None and owner != after.id:
            raise Conflict(f"another type has the external id {after.external_id!r} already")
    return ledger.put_type(after)


def _base(stored: Type | None, given: Type) -> int:
    """The number of the base type after a put."""
    before = (stored.base or 0) if stored is not None else 0
    if given.base is None:
        return before
    known = mlmd.BASES[given.kind]
    if not 0 <= given.base <= len(known):
        raise Invalid(
            f"{given.base} is no base type", hint=f"known are 1 to {len(known)}: {', '.join(known)}"
        )
    if given.base == 0:
        raise mlmd.refusal("UNIMPLEMENTED", "base_type deletion is not supported yet")
    if before not in {0, given.base}:
        raise mlmd.refusal("UNIMPLEMENTED", "base_type update is not supported yet")
    return given.base


# ---- nodes -----------------------------------------------------------------------------------------------------------------


def _put_nodes(ledger: Ledger, request: PutNodes) -> Put:
    ids = []
    for node in request.nodes:
        if node.id and request.if_unchanged:
            _refuse_changed(ledger, node)
        ids.append(_upsert(ledger, node, request.mask))
    return Put(ids=ids)


def _refuse_changed(ledger: Ledger, node: Node) -> None:
    stored = ledger.node(node.kind, node.id)
    if stored is not None and stored.updated != node.updated:
        raise mlmd.refusal(
            "FAILED_PRECONDITION",
            f"`abort_if_latest_updated_time_changed` is set, and the stored artifact with id = {node.id} has a "
            f"different last_update_time_since_epoch: {stored.updated} from the one in the given artifact: {node.updated}",
            hint="read it again, and put your change on top",
        )


def _upsert(ledger: Ledger, node: Node, mask: Sequence[str] = (), *, force: bool = False) -> int:
    """Add a node, or update the one of its number; its number."""
    mlmd.check_state(node)
    for what, text in (("name", node.name), ("external id", node.external_id)):
        mlmd.check_text(what, text)
    return _update(ledger, node, list(mask), force=force) if node.id else _create(ledger, node)


def _create(ledger: Ledger, node: Node) -> int:
    if not node.type_id:
        raise Invalid(
            "Type id is missing.", hint=f"put the {mlmd.missing(node.kind)}'s type, and send its id"
        )
    type = ledger.type(node.type_id)
    if type is None or type.kind != node.kind:
        raise mlmd.not_found(
            f"Cannot find type for {mlmd.missing(node.kind)}: No type found for query, type_id: {node.type_id}"
        )
    mlmd.check_properties(node, type)
    if node.kind == Kind.CONTEXT and not node.name:
        raise Invalid("Context name should not be empty")
    _refuse_taken(ledger, node, 0)
    fresh = msgspec.structs.replace(node, created=ledger.now, updated=ledger.now, type=type.name)
    return ledger.put_node(fresh)


def _refuse_taken(ledger: Ledger, node: Node, id: int) -> None:
    """Raises Conflict: another has the same type and name, or the same external id."""
    if node.name is not None and ledger.named(node.type_id, node.name) not in {None, id}:
        raise Conflict(
            f"Given node already exists: {mlmd.missing(node.kind)} {node.name!r} of type {node.type_id}",
            hint=f"it has the id {ledger.named(node.type_id, node.name)}",
        )
    if node.external_id is not None and ledger.external(node.kind, node.external_id) not in {None, id}:
        raise Conflict(
            f"Given node already exists: {mlmd.missing(node.kind)} with external_id {node.external_id!r}",
            hint=f"it has the id {ledger.external(node.kind, node.external_id)}",
        )


def _update(ledger: Ledger, node: Node, mask: list[str], *, force: bool) -> int:
    stored = ledger.node(node.kind, node.id)
    if stored is None:
        raise Invalid(f"Cannot find the given id {node.id}", hint="leave the id out to add it")
    if node.type_id and node.type_id != stored.type_id:
        raise Invalid(
            f"Given type_id {node.type_id} is different from the one known before: {stored.type_id}"
        )
    type = ledger.type(stored.type_id)
    assert type is not None
    after, names = mlmd.masked(stored, node, mask)
    mlmd.check_properties(node, type, names)
    if node.kind == Kind.CONTEXT and not after.name:
        raise Invalid("Context name should not be empty")
    _refuse_taken(ledger, after, node.id)
    was = msgspec.structs.replace(stored, type=type.name).said
    same = (stored.properties, stored.custom) == (after.properties, after.custom)
    if not force and same and (after.said if mask else node.said) == was:
        return node.id
    after.type = type.name
    after.updated = max(ledger.now, stored.updated + 1)  # so that it can be seen that it changed
    return ledger.put_node(after)


def _reused(ledger: Ledger, artifact: Node, reuse: bool) -> Node:
    """The artifact, with the number of the stored one of the same external id, if that is wanted."""
    if reuse and not artifact.id and artifact.external_id:
        known = ledger.external(Kind.ARTIFACT, artifact.external_id)
        if known is not None:
            return msgspec.structs.replace(artifact, id=known)
    return artifact


def _put_context(ledger: Ledger, context: Node, reuse: bool) -> int:
    if not context.type_id:
        raise Invalid("Context is missing a type_id", hint="put its type, and send the type's id")
    if context.name is None:
        raise Invalid("Context is missing a name", hint="send one")
    if reuse and not context.id:
        known = ledger.named(context.type_id, context.name)
        if known is not None:
            return known
    return _upsert(ledger, context)


# ---- events and contexts ---------------------------------------------------------------------------------------------------


def _put_events(ledger: Ledger, request: PutEvents) -> Put:
    for event in request.events:
        _put_event(ledger, event)
    return Put()


def _put_event(ledger: Ledger, event: Event) -> None:
    mlmd.check_event(event)
    for kind, id in ((Kind.ARTIFACT, event.artifact), (Kind.EXECUTION, event.execution)):
        if ledger.node(kind, id) is None:
            raise Invalid(f"No {mlmd.missing(kind)} with the given id {id}", hint="put it first")
    if ledger.has_event(event):
        raise Conflict(
            f"Given event already exists: {mlmd.EVENT_NAMES[event.type]} of artifact {event.artifact} and "
            f"execution {event.execution}"
        )
    at = ledger.now if event.at is None else event.at
    ledger.put_event(msgspec.structs.replace(event, at=at))


def _put_members(ledger: Ledger, request: PutMembers) -> Put:
    for context, kind, member in request.members:
        for what, id in (("context", context), (mlmd.missing(kind), member)):
            if not id:
                raise Invalid(f"No {what} id is specified.")
        if ledger.node(Kind.CONTEXT, context) is None:
            raise Invalid("Context id not found.", hint=f"there is no context {context}")
        if ledger.node(kind, member) is None:
            raise Invalid(f"{mlmd.missing(kind).capitalize()} id not found.", hint=f"there is no {member}")
    ledger.put_members((context, int(kind), member) for context, kind, member in request.members)
    return Put()


def _put_parents(ledger: Ledger, request: PutParents) -> Put:
    for child, parent in request.links:
        if not child or not parent:
            raise Invalid("Missing parent / child id in the parent_context", hint="send both")
        for id in (child, parent):
            if ledger.node(Kind.CONTEXT, id) is None:
                raise Invalid(
                    "Given parent / child id in the parent_context cannot be found", hint=f"no context {id}"
                )
        if parent in ledger.parents_of(child):
            raise Conflict(f"Given parent_context already exists: {parent} is a parent of {child}")
        _refuse_circle(ledger, child, parent)
        ledger.put_parent(child, parent)
    return Put()


def _refuse_circle(ledger: Ledger, child: int, parent: int) -> None:
    seen: set[int] = set()
    ahead = [parent]
    while ahead:
        at = ahead.pop()
        if at == child:
            raise Invalid(
                "There is a cycle detected of the given relationship.",
                hint=f"{child} is {parent} or one of its ancestors",
            )
        if at not in seen:
            seen.add(at)
            ahead += ledger.parents_of(at)


# ---- several at once -------------------------------------------------------------------------------------------------------


def _put_execution(ledger: Ledger, request: PutExecution) -> Put:
    if request.execution is None:
        raise Invalid("No execution is found", hint="send one, with the id of its type")
    artifacts = [
        0 if artifact is None else _upsert(ledger, _reused(ledger, artifact, request.reuse_artifact))
        for artifact, _ in request.pairs
    ]
    execution = _upsert(ledger, request.execution, force=request.force_update)
    answered = [
        _link(ledger, execution, id, event) for id, (_, event) in zip(artifacts, request.pairs, strict=True)
    ]
    contexts = []
    for context in request.contexts:
        if context.id and request.force_reuse_context:
            if ledger.node(Kind.CONTEXT, context.id) is None:
                raise mlmd.not_found(f"Context with ID {context.id} was not found in MLMD")
            contexts.append(context.id)
        else:
            contexts.append(_put_context(ledger, context, request.reuse_context))
    _join(ledger, contexts, {id for id in answered if id > 0}, {execution})
    return Put(ids=[execution], artifacts=answered, contexts=contexts)


def _link(ledger: Ledger, execution: int, artifact: int, event: Event | None) -> int:
    """Put the event between an execution and the artifact that came with it, 0 for none; the artifact's number."""
    if event is None:
        return artifact or -1
    if event.execution not in {0, execution}:
        raise Invalid("Request's event.execution_id does not match with the given execution")
    if not artifact and not event.artifact:
        raise Invalid("If no artifact is present, given event must have an artifact_id")
    if artifact and event.artifact not in {0, artifact}:
        raise Invalid(
            "Given event.artifact_id is not aligned with the artifact", hint=f"it has the id {artifact}"
        )
    linked = msgspec.structs.replace(event, execution=execution, artifact=artifact or event.artifact)
    _put_event(ledger, linked)
    return linked.artifact


def _join(ledger: Ledger, contexts: Sequence[int], artifacts: set[int], executions: set[int]) -> None:
    for context in dict.fromkeys(contexts):
        ledger.put_members((context, int(Kind.EXECUTION), id) for id in sorted(executions))
        ledger.put_members((context, int(Kind.ARTIFACT), id) for id in sorted(artifacts))


def _put_subgraph(ledger: Ledger, request: PutSubgraph) -> Put:
    for edge in request.edges:
        _check_edge(request, edge)
    for node in (*request.artifacts, *request.executions, *request.contexts):
        if not node.type_id:
            raise Invalid("Type id is missing.", hint="in a subgraph updates need it too")
    contexts = [_put_context(ledger, context, request.reuse_context) for context in request.contexts]
    artifacts = [
        _upsert(ledger, _reused(ledger, artifact, request.reuse_artifact)) for artifact in request.artifacts
    ]
    executions = [_upsert(ledger, execution) for execution in request.executions]
    _join(ledger, contexts, set(artifacts), set(executions))
    for at_execution, at_artifact, event in request.edges:
        assert event is not None
        linked = msgspec.structs.replace(event)
        if not linked.execution and at_execution is not None:
            linked.execution = executions[at_execution]
        if not linked.artifact and at_artifact is not None:
            linked.artifact = artifacts[at_artifact]
        _put_event(ledger, linked)
    return Put(ids=executions, artifacts=artifacts, contexts=contexts)


def _check_edge(request: PutSubgraph, edge: tuple[int | None, int | None, Event | None]) -> None:
    """Raises Invalid, or OUT_OF_RANGE: the edge does not say between which two things it is."""
    at_execution, at_artifact, event = edge
    if event is None:
        raise Invalid("No event found for event_edge", hint="send one with its type")
    for what, at, id, nodes in (
        ("execution", at_execution, event.execution, request.executions),
        ("artifact", at_artifact, event.artifact, request.artifacts),
    ):
        if at is None:
            if not id:
                raise Invalid(
                    f"Event_edge is missing an {what}. Could not find either an {what}_index or an event.{what}_id"
                )
            continue
        if not 0 <= at < len(nodes):
            raise mlmd.refusal(
                "OUT_OF_RANGE",
                f"The event_edge has an {what}_index {at} that is outside the bounds of the request's {what}s list, "
                f"[0, {len(nodes)})",
            )
        if id and not nodes[at].id:
            raise Invalid(
                f"Missing {what} ID. The referenced {what} at {what}_index {at} does not have an ID even though the "
                f"event_edge specifies an event.{what}_id of {id}"
            )
        if id and nodes[at].id != id:
            raise Invalid(
                f"{what.capitalize()} ID mismatch. The referenced {what} at {what}_index {at} has an ID of "
                f"{nodes[at].id} that does not match the event_edge's event.{what}_id of {id}"
            )


_PUT: dict[type, Callable[[Ledger, Any], Put]] = {
    PutTypes: _put_types,
    PutNodes: _put_nodes,
    PutEvents: _put_events,
    PutMembers: _put_members,
    PutParents: _put_parents,
    PutExecution: _put_execution,
    PutSubgraph: _put_subgraph,
}
