"""Messages of ML Metadata's protocol and the plain values that services work on, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lineal.core.mlmd import Event, Kind, Listing, Node, Of, Properties, Type, Value
from lineal.doors.mlmd import mlmd_pb2 as pb

TYPES: dict[Kind, Any] = {
    Kind.ARTIFACT: pb.ArtifactType,
    Kind.EXECUTION: pb.ExecutionType,
    Kind.CONTEXT: pb.ContextType,
}
NODES: dict[Kind, Any] = {Kind.ARTIFACT: pb.Artifact, Kind.EXECUTION: pb.Execution, Kind.CONTEXT: pb.Context}
_PAGE = 20  # what the protocol takes where no size is said
_ORDERS: dict[int, Any] = {1: "created", 2: "updated", 3: "id"}
_VALUES = {
    "int_value": Of.INT,
    "double_value": Of.DOUBLE,
    "string_value": Of.STRING,
    "struct_value": Of.STRUCT,
    "proto_value": Of.PROTO,
    "bool_value": Of.BOOL,
}
_FIELDS = {int(of): field for field, of in _VALUES.items()}


def optional(message: Any, field: str) -> Any:
    """A field's value, or None where it was not sent."""
    return getattr(message, field) if message.HasField(field) else None


# ---- types -----------------------------------------------------------------------------------------------------------------


def type_in(kind: Kind, message: Any) -> Type:
    """A type as it was sent."""
    structured = kind == Kind.EXECUTION
    return Type(
        kind=kind,
        name=message.name,
        version=message.version,
        description=optional(message, "description"),
        external_id=optional(message, "external_id") or None,
        base=optional(message, "base_type"),
        properties=dict(message.properties),
        input=_bytes(message, "input_type") if structured else None,
        output=_bytes(message, "output_type") if structured else None,
    )


def type_out(type: Type, *, based: bool = True) -> Any:
    """The message of a type. based: with its base type, as most answers have it."""
    message = TYPES[type.kind](id=type.id, name=type.name, properties=type.properties)
    for field in ("version", "description", "external_id"):
        if getattr(type, field):
            setattr(message, field, getattr(type, field))
    if type.base and based:
        message.base_type = type.base
    if type.input is not None:
        message.input_type.ParseFromString(type.input)
    if type.output is not None:
        message.output_type.ParseFromString(type.output)
    return message


def _bytes(message: Any, field: str) -> bytes | None:
    inner = optional(message, field)
    return None if inner is None else inner.SerializeToString(deterministic=True)


# ---- nodes -----------------------------------------------------------------------------------------------------------------


def node_in(kind: Kind, message: Any) -> Node:
    """An artifact, execution or context as it was sent."""
    node = Node(
        kind=kind,
        id=message.id,
        type_id=message.type_id,
        type=optional(message, "type"),
        name=optional(message, "name"),
        external_id=optional(message, "external_id") or None,
        properties=_properties_in(message.properties),
        custom=_properties_in(message.custom_properties),
        updated=message.last_update_time_since_epoch,
    )
    if kind == Kind.ARTIFACT:
        node.uri = optional(message, "uri")
        node.state = optional(message, "state")
    elif kind == Kind.EXECUTION:
        node.state = optional(message, "last_known_state")
    return node


def nodes_in(kind: Kind, messages: Iterable[Any]) -> list[Node]:
    """As `node_in`, of several."""
    return [node_in(kind, message) for message in messages]


def node_out(node: Node, into: Any) -> None:
    """Write a node into its message."""
    into.id = node.id
    into.type_id = node.type_id
    if node.type is not None:
        into.type = node.type
    if node.name is not None:
        into.name = node.name
    if node.external_id is not None:
        into.external_id = node.external_id
    if node.kind == Kind.ARTIFACT:
        if node.uri is not None:
            into.uri = node.uri
        if node.state is not None:
            into.state = node.state
    elif node.kind == Kind.EXECUTION and node.state is not None:
        into.last_known_state = node.state
    into.create_time_since_epoch = node.created
    into.last_update_time_since_epoch = node.updated
    _properties_out(node.properties, into.properties)
    _properties_out(node.custom, into.custom_properties)


def nodes_out(nodes: Iterable[Node], into: Any) -> None:
    """Write nodes into a list of messages."""
    for node in nodes:
        node_out(node, into.add())


def _properties_in(messages: Any) -> Properties:
    return {name: _value_in(message) for name, message in messages.items()}


def _value_in(message: Any) -> Value:
    field = message.WhichOneof("value")
    if field is None:
        return 0, ""
    of = _VALUES[field]
    value = getattr(message, field)
    if of in {Of.STRUCT, Of.PROTO}:
        return int(of), value.SerializeToString(deterministic=True)
    return int(of), value


def _properties_out(properties: Properties, into: Any) -> None:
    for name, (of, value) in properties.items():
        message = into[name]
        if of in {Of.STRUCT, Of.PROTO}:
            field = getattr(message, _FIELDS[of])
            field.SetInParent()
            field.ParseFromString(value)
        elif of:
            setattr(message, _FIELDS[of], value)


# ---- events and lists ------------------------------------------------------------------------------------------------------


def event_in(message: Any) -> Event:
    """An event as it was sent."""
    path: list[int | str] | None = None
    if message.HasField("path"):
        path = []
        for step in message.path.steps:
            field = step.WhichOneof("value")
            path.append("" if field is None else getattr(step, field))
    return Event(
        artifact=message.artifact_id,
        execution=message.execution_id,
        type=message.type,
        at=optional(message, "milliseconds_since_epoch"),
        path=path,
    )


def events_out(events: Iterable[Event], into: Any) -> None:
    """Write events into a list of messages."""
    for event in events:
        message = into.add(
            artifact_id=event.artifact,
            execution_id=event.execution,
            type=event.type,
            milliseconds_since_epoch=event.at or 0,
        )
        if event.path is not None:
            message.path.SetInParent()
            _path_out(event.path, message.path)


def path_bytes(path: Sequence[int | str]) -> bytes:
    """The bytes of the message of an event's path."""
    message = pb.Event.Path()
    _path_out(path, message)
    return bytes(message.SerializeToString())


def _path_out(path: Sequence[int | str], into: Any) -> None:
    for step in path:
        into.steps.add(**{"key" if isinstance(step, str) else "index": step})


def listing_in(message: Any, field: str = "options") -> Listing | None:
    """How a list is wanted; None where nothing was said of it."""
    options = optional(message, field)
    if options is None:
        return None
    order = options.order_by_field
    return Listing(
        size=options.max_result_size if options.HasField("max_result_size") else _PAGE,
        order=_ORDERS.get(order.field, "id") if order.HasField("field") else "id",
        ascending=order.is_asc if order.HasField("is_asc") else True,
        token=options.next_page_token,
        filter=options.filter_query,
    )
