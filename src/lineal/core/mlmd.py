"""The words of ML Metadata: types, nodes, events, what may be asked of them, and the rules that decide what is refused.

A refusal that its clients tell from others by status carries that status in `subject["status"]`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum
from typing import Any, Literal

import msgspec

from lineal.core.errors import Conflict, Invalid, LinealError, NotFound

DOOR = "mlmd"
LONGEST_NAME = (
    1000  # characters of a name, version or external id: what an index entry can hold on both engines
)


class Kind(IntEnum):
    """What a type describes and a node is, by the number that an ML Metadata database has for it."""

    EXECUTION = 0
    ARTIFACT = 1
    CONTEXT = 2


class Of(IntEnum):
    """What a value is: the number of its field in a message."""

    INT = 1
    DOUBLE = 2
    STRING = 3
    STRUCT = 4
    PROTO = 5
    BOOL = 6


# Of which kind, and what: text, a number, or for STRUCT and PROTO the bytes of their message.
Value = tuple[int, Any]
Properties = dict[str, Value]

PROPERTY_TYPES = {int(of): of.name for of in Of}
UNKNOWN, INPUTS, OUTPUTS = 0, frozenset({2, 3, 5}), frozenset({1, 4, 6})
PENDING_OUTPUT = 7
EVENT_NAMES = {
    1: "DECLARED_OUTPUT",
    2: "DECLARED_INPUT",
    3: "INPUT",
    4: "OUTPUT",
    5: "INTERNAL_INPUT",
    6: "INTERNAL_OUTPUT",
    7: "PENDING_OUTPUT",
}
ARTIFACT_STATES = (
    "UNKNOWN",
    "PENDING",
    "LIVE",
    "MARKED_FOR_DELETION",
    "DELETED",
    "ABANDONED",
    "REFERENCE",
)
EXECUTION_STATES = ("UNKNOWN", "NEW", "RUNNING", "COMPLETE", "FAILED", "CACHED", "CANCELED")
STATES = {Kind.ARTIFACT: ARTIFACT_STATES, Kind.EXECUTION: EXECUTION_STATES, Kind.CONTEXT: ()}

# Types that every store has from the beginning; others say that they are one of these by the number here.
BASES: dict[Kind, tuple[str, ...]] = {
    Kind.ARTIFACT: ("mlmd.Dataset", "mlmd.Model", "mlmd.Metrics", "mlmd.Statistics"),
    Kind.EXECUTION: ("mlmd.Train", "mlmd.Transform", "mlmd.Process", "mlmd.Evaluate", "mlmd.Deploy"),
    Kind.CONTEXT: (),
}


class Type(msgspec.Struct, gc=False, kw_only=True):
    """A type as it stands or is sent. base: number of the base type as in the protocol, 0 for none, None unsaid.

    id: 0 before it has one. properties: by name the `Of` of their values. input, output: bytes of a message.
    """

    kind: Kind
    name: str
    id: int = 0
    version: str = ""
    description: str | None = None
    external_id: str | None = None
    base: int | None = None
    properties: dict[str, int] = {}
    input: bytes | None = None
    output: bytes | None = None


class Node(msgspec.Struct, gc=False, kw_only=True):
    """An artifact, execution or context. id, type_id: 0 where none was given. Times in milliseconds.

    type: what the sender says its type is called; a stored node is called after its type. vertex: of an artifact or
    execution its vertex in the graph, of a context its group.
    """

    kind: Kind
    id: int = 0
    type_id: int = 0
    type: str | None = None
    name: str | None = None
    uri: str | None = None
    external_id: str | None = None
    state: int | None = None
    properties: Properties = {}
    custom: Properties = {}
    created: int = 0
    updated: int = 0
    vertex: int = 0

    @property
    def said(self) -> tuple[object, ...]:
        """What of it makes an update one, besides properties."""
        return self.type, self.name, self.uri, self.external_id, self.state


class Event(msgspec.Struct, gc=False, kw_only=True):
    """That an execution used or made an artifact. at: milliseconds; path: indexes and keys, None when none was sent."""

    artifact: int = 0
    execution: int = 0
    type: int = 0
    at: int | None = None
    path: list[int | str] | None = None
    id: int = 0


class Part(msgspec.Struct, gc=False, kw_only=True):
    """A part of what another store of ML Metadata holds, under its numbers and in the order in which it relies on each other.

    members: context, kind of the member, member; parents: child, parent.
    """

    types: list[Type] = []
    nodes: list[Node] = []
    events: list[Event] = []
    members: list[tuple[int, int, int]] = []
    parents: list[tuple[int, int]] = []


class Listing(msgspec.Struct, gc=False, kw_only=True):
    """How a list is wanted. size: most items of a page; token: what the page before gave."""

    size: int = 20
    order: Literal["id", "created", "updated"] = "id"
    ascending: bool = True
    token: str = ""
    filter: str = ""


def missing(kind: Kind) -> str:
    """The word for a node of a kind."""
    return kind.name.lower()


def refusal(status: str, message: str, hint: str = "") -> LinealError:
    """A refusal with a status that only this protocol knows."""
    return Conflict(message, hint=hint, status=status)


def merged(stored: Type, given: Type, *, can_add: bool, can_omit: bool) -> Type:
    """A stored type after another of its name was put. The very same object when nothing changes.

    Raises Conflict: their properties differ in a way that the caller did not allow.
    """

    def differs(why: str) -> Conflict:
        return Conflict(
            f"Type already exists with different properties: {why} ({given.name!r} has "
            f"{_listed(stored.properties)}, {_listed(given.properties)} came)"
        )

    for name, of in stored.properties.items():
        if given.properties.get(name, of) != of:
            raise differs(f"the property {name!r} would change its type")
    if not can_omit and stored.properties.keys() - given.properties.keys():
        raise differs("properties were left out and can_omit_fields is false")
    added = given.properties.keys() - stored.properties.keys()
    if added and not can_add:
        raise differs("properties were added and can_add_fields is false")
    check_property_types({name: given.properties[name] for name in added})
    external = given.external_id if given.external_id is not None else stored.external_id
    if not added and external == stored.external_id:
        return stored
    properties = stored.properties | {name: given.properties[name] for name in sorted(added)}
    return msgspec.structs.replace(stored, properties=properties, external_id=external)


def check_property_types(properties: Mapping[str, int]) -> None:
    """Raises Invalid: a property is of no type that is known."""
    for name, of in properties.items():
        if of not in PROPERTY_TYPES:
            said = "UNKNOWN" if of == UNKNOWN else f"{of}, which is no type of property"
            raise Invalid(
                f"Property {name} is {said}", hint="declare it INT, DOUBLE, STRING, STRUCT, PROTO or BOOLEAN"
            )


def check_properties(node: Node, type: Type, names: Collection[str] | None = None) -> None:
    """Raises Invalid: a property is not one of the type's, or of another type. names: only these are looked at."""
    for name, (of, _) in node.properties.items():
        if names is not None and name not in names:
            continue
        wanted = type.properties.get(name)
        if wanted is None:
            raise Invalid(
                f"Found unknown property: {name}",
                hint=f"add it to the type {type.name!r} with can_add_fields, or send it among custom_properties",
            )
        if wanted != of:
            raise Invalid(
                f"Found unmatched property type: {name}",
                hint=f"the type {type.name!r} declares it {PROPERTY_TYPES[wanted]}, {PROPERTY_TYPES.get(of, 'nothing')} came",
            )


def check_state(node: Node) -> None:
    """Raises Invalid: the state is none that the protocol knows."""
    if node.state is not None and not 0 <= node.state < len(STATES[node.kind]):
        raise Invalid(
            f"{node.state} is no state of an {missing(node.kind)}",
            hint=f"send 0 to {len(STATES[node.kind]) - 1}: {', '.join(STATES[node.kind])}",
        )


def check_text(what: str, text: str | None) -> None:
    """Raises Invalid: a text by which things are found is too long."""
    if text is not None and len(text) > LONGEST_NAME:
        raise Invalid(
            f"the {what} has {len(text)} characters, at most {LONGEST_NAME} are kept", hint="shorten it"
        )


def check_event(event: Event) -> None:
    """Raises Invalid: an event names no artifact, no execution or no type that is known."""
    if not event.artifact:
        raise Invalid("No artifact id is specified.")
    if not event.execution:
        raise Invalid("No execution id is specified.")
    if event.type not in EVENT_NAMES:
        said = "No event type is specified." if event.type == UNKNOWN else f"{event.type} is no type of event"
        raise Invalid(said, hint=f"send one of {', '.join(EVENT_NAMES.values())}")


def masked(stored: Node, given: Node, mask: list[str]) -> tuple[Node, frozenset[str] | None]:
    """A stored node after an update of the fields that a mask names, and the properties that it names.

    An empty mask takes everything given, and what is not given away. Raises Invalid: the mask names what cannot be updated.
    """
    if not mask:
        kept: dict[str, Any] = {
            "type_id": stored.type_id,
            "created": stored.created,
            "updated": stored.updated,
        }
        if stored.kind != Kind.CONTEXT:
            kept["name"] = stored.name  # of these it is no update
        return msgspec.structs.replace(given, vertex=stored.vertex, **kept), None
    after = msgspec.structs.replace(stored, properties=dict(stored.properties), custom=dict(stored.custom))
    names: set[str] = set()
    whole = False
    for path in mask:
        field, _, name = path.partition(".")
        name = name.strip("`")
        if field in ("properties", "custom_properties") and name:
            into, given_ones = (
                (after.properties, given.properties)
                if field == "properties"
                else (after.custom, given.custom)
            )
            if field == "properties":
                names.add(name)
            if name in given_ones:
                into[name] = given_ones[name]
            else:
                into.pop(name, None)
        elif field == "properties":
            after.properties, whole = dict(given.properties), True
        elif field == "custom_properties":
            after.custom = dict(given.custom)
        elif field in ("uri", "external_id") or (field == "name" and stored.kind == Kind.CONTEXT):
            if getattr(given, field) is not None:
                setattr(after, field, getattr(given, field))
        elif field in ("state", "last_known_state"):
            if given.state is not None:
                after.state = given.state
    return after, None if whole else frozenset(names)


def not_found(message: str) -> NotFound:
    """Nothing is known under that name or number."""
    return NotFound(message)


def _listed(properties: Mapping[str, int]) -> str:
    names = [f"{name} {PROPERTY_TYPES.get(of, of)}" for name, of in sorted(properties.items())]
    return ", ".join(names[:20]) or "none"
