"""What clients of ML Metadata ask to be put, as plain values."""

from __future__ import annotations

import msgspec

from lineal.core.mlmd import Event, Kind, Node, Type


class PutTypes(msgspec.Struct, gc=False):
    """Types to be added, or to be added to. can_add, can_omit: whether a known one may get, or lack, properties."""

    types: list[Type]
    can_add: bool = False
    can_omit: bool = False


class PutNodes(msgspec.Struct, gc=False):
    """Nodes to be added or (with an id) updated. mask: the fields that an update takes, none for all of them.

    if_unchanged: refuse an artifact whose `updated` is another than the stored one's.
    """

    nodes: list[Node]
    mask: list[str] = []
    if_unchanged: bool = False


class PutEvents(msgspec.Struct, gc=False):
    """Events between things that are known."""

    events: list[Event]


class PutMembers(msgspec.Struct, gc=False):
    """Attributions and associations: context, kind of the member, member; 0 where one was not said."""

    members: list[tuple[int, Kind, int]]


class PutParents(msgspec.Struct, gc=False):
    """Contexts that become the children of others: child, parent; 0 where one was not said."""

    links: list[tuple[int, int]]


class PutExecution(msgspec.Struct, gc=False, kw_only=True):
    """An execution with what it used and made, and the contexts that all of it is in.

    reuse_context, reuse_artifact: take the stored one of the same name, or external id. force_reuse_context: contexts with
    an id are taken as they stand. force_update: the execution's time of update moves in any case.
    """

    execution: Node | None
    pairs: list[tuple[Node | None, Event | None]]
    contexts: list[Node]
    reuse_context: bool = False
    reuse_artifact: bool = False
    force_update: bool = False
    force_reuse_context: bool = False


class PutSubgraph(msgspec.Struct, gc=False, kw_only=True):
    """Many nodes at once. edges: places of execution and artifact in their lists, if they were said, and the event."""

    executions: list[Node]
    artifacts: list[Node]
    contexts: list[Node]
    edges: list[tuple[int | None, int | None, Event | None]]
    reuse_context: bool = False
    reuse_artifact: bool = False


Request = PutTypes | PutNodes | PutEvents | PutMembers | PutParents | PutExecution | PutSubgraph


class Put(msgspec.Struct, gc=False):
    """The numbers of what was put, in the order of the request; -1 where nothing was said."""

    ids: list[int] = []
    artifacts: list[int] = []
    contexts: list[int] = []
