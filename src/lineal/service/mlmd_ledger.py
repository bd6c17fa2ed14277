"""What several requests of ML Metadata's clients see and change before it is written: all in one go, each whole or not at all.

The ledger loads what requests mention with a few statements for all of them. Requests work on it in memory, one after the
other; one that is refused leaves nothing behind. In the end what changed is written together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from lineal.core.events import Evidence
from lineal.core.mlmd import Event, Kind, Node, Type
from lineal.core.mlmd_requests import (
    PutEvents,
    PutExecution,
    PutMembers,
    PutNodes,
    PutParents,
    PutSubgraph,
    PutTypes,
    Request,
)
from lineal.service.operations import Scope
from lineal.store.mlmd import Membership

_ABSENT: Any = object()


class Ledger:
    """The part of the rows that a pass over requests needs. now: UTC milliseconds. evidence: of the edges that come of it."""

    def __init__(self, scope: Scope, evidence: Evidence = Evidence.DECLARED) -> None:
        self.scope = scope
        self.evidence = evidence
        self.now = scope.at // 1000
        self._rows = scope.store.mlmd
        self._rows.hold_numbers(scope.tx)
        self._last = self._rows.last_numbers(scope.tx)
        self._types: dict[int, Type | None] = {}
        self._type_names: dict[tuple[Kind, str, str], int] = {}
        self._searched_types: set[tuple[Kind, str]] = set()
        self._external_types: dict[tuple[Kind, str], int | None] = {}
        self._nodes: dict[tuple[Kind, int], Node | None] = {}
        self._names: dict[tuple[int, str], int | None] = {}
        self._externals: dict[tuple[Kind, str], int | None] = {}
        self._events: dict[tuple[int, int, int], bool] = {}
        self._ends: set[tuple[int, int]] = set()
        self._members: dict[Membership, bool] = {}
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self.before: dict[tuple[Kind, int], Node | None] = {}
        self.changed_types: dict[int, Type] = {}
        self.new_events: dict[int, Event] = {}
        self.new_members: dict[Membership, bool] = {}
        self.new_parents: dict[tuple[int, int], bool] = {}
        self.executions: dict[int, int] = {}  # numbers of another store that are others here

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        news = (self.before, self.changed_types, self.new_events, self.new_members, self.new_parents)
        return any(news)

    # ---- one request ---------------------------------------------------------------------------------------------------

    @contextmanager
    def whole(self) -> Iterator[None]:
        """One request: what it changed is taken back when it is refused."""
        self._undo = []
        last = dict(self._last)
        try:
            yield
        except BaseException:
            for into, key, value in reversed(self._undo):
                if value is _ABSENT:
                    into.pop(key, None)
                else:
                    into[key] = value
            self._last = last
            raise
        finally:
            self._undo = []

    def _set(self, into: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((into, key, into.get(key, _ABSENT)))
        into[key] = value

    def _next(self, what: str) -> int:
        self._last[what] += 1
        return self._last[what]

    # ---- types ---------------------------------------------------------------------------------------------------------

    def type(self, id: int) -> Type | None:
        """A type by number."""
        if id not in self._types:
            self.load_types([id])
        return self._types[id]

    def load_types(self, ids: Iterable[int]) -> None:
        """Know these types."""
        missing = {id for id in ids if id not in self._types}
        if missing:
            found = self._rows.get_types(self.scope.tx, missing)
            self._types |= {id: found.get(id) for id in missing}

    def type_named(self, kind: Kind, name: str, version: str) -> Type | None:
        """A type by its name and version."""
        if (kind, name) not in self._searched_types:
            self.load_type_names(kind, [name])
        id = self._type_names.get((kind, name, version))
        return None if id is None else self._types[id]

    def load_type_names(self, kind: Kind, names: Iterable[str]) -> None:
        """Know the types of these names."""
        missing = {name for name in names if (kind, name) not in self._searched_types}
        self._searched_types |= {(kind, name) for name in missing}
        for type in self._rows.find_types(self.scope.tx, kind, missing) if missing else ():
            self._types.setdefault(type.id, type)
            self._type_names[kind, type.name, type.version] = type.id

    def type_external(self, kind: Kind, external_id: str) -> int | None:
        """The number of the type that others call so."""
        key = (kind, external_id)
        if key not in self._external_types:
            found = self._rows.find_external_types(self.scope.tx, kind, [external_id])
            self._external_types[key] = found[0].id if found else None
        return self._external_types[key]

    def put_type(self, type: Type) -> int:
        """Keep a type, new when it has no number; its number."""
        type.id = type.id or self._next("type")
        self._set(self._types, type.id, type)
        self._set(self._type_names, (type.kind, type.name, type.version), type.id)
        if type.external_id:
            self._set(self._external_types, (type.kind, type.external_id), type.id)
        self._set(self.changed_types, type.id, type)
        return type.id

    # ---- nodes ---------------------------------------------------------------------------------------------------------

    def node(self, kind: Kind, id: int) -> Node | None:
        """A node by number."""
        if (kind, id) not in self._nodes:
            self.load_nodes(kind, [id])
        return self._nodes[kind, id]

    def load_nodes(self, kind: Kind, ids: Iterable[int]) -> None:
        """Know these nodes. A number that was not given yet is nobody's."""
        missing = {id for id in ids if (kind, id) not in self._nodes}
        asked = [id for id in missing if 0 < id <= self._last[kind.name]]
        found = self._rows.get_nodes(self.scope.tx, kind, asked) if asked else {}
        for id in missing:
            self._nodes[kind, id] = found.get(id)

    def named(self, type_id: int, name: str) -> int | None:
        """The number of the node of that type and name."""
        if (type_id, name) not in self._names:
            self.load_names([(type_id, name)])
        return self._names[type_id, name]

    def load_names(self, names: Iterable[tuple[int, str]]) -> None:
        """Know the nodes of these types and names."""
        missing = list(dict.fromkeys(name for name in names if name not in self._names))
        found = self._rows.find_named(self.scope.tx, missing)
        for name in missing:
            node = found.get(name)
            self._names[name] = None if node is None else self._learn(node)

    def external(self, kind: Kind, external_id: str) -> int | None:
        """The number of the node that others call so."""
        if (kind, external_id) not in self._externals:
            self.load_externals(kind, [external_id])
        return self._externals[kind, external_id]

    def load_externals(self, kind: Kind, ids: Iterable[str]) -> None:
        """Know the nodes that others call so."""
        missing = {id for id in ids if (kind, id) not in self._externals}
        found = self._rows.find_external(self.scope.tx, kind, missing) if missing else {}
        for id in missing:
            node = found.get(id)
            self._externals[kind, id] = None if node is None else self._learn(node)

    def _learn(self, node: Node) -> int:
        self._nodes.setdefault((node.kind, node.id), node)
        return node.id

    def place(self, kind: Kind, wanted: int) -> int:
        """A number for a node that has one in another store: the same if nobody has it."""
        if self.node(kind, wanted) is None:
            self._last[kind.name] = max(self._last[kind.name], wanted)
            return wanted
        return self._next(kind.name)

    def place_type(self, wanted: int) -> int:
        """A number for a type that has one in another store, likewise."""
        if self.type(wanted) is None:
            self._last["type"] = max(self._last["type"], wanted)
            return wanted
        return self._next("type")

    def put_node(self, node: Node) -> int:
        """Keep a node, new when it has no number; its number. What it was before is remembered."""
        stored = self._nodes.get((node.kind, node.id)) if node.id else None
        node.id = node.id or self._next(node.kind.name)
        key = (node.kind, node.id)
        if key not in self.before:
            self._set(self.before, key, stored)
        self._set(self._nodes, key, node)
        if stored is not None:
            if stored.name and stored.name != node.name:
                self._set(self._names, (stored.type_id, stored.name), None)
            if stored.external_id and stored.external_id != node.external_id:
                self._set(self._externals, (node.kind, stored.external_id), None)
        if node.name is not None:
            self._set(self._names, (node.type_id, node.name), node.id)
        if node.external_id is not None:
            self._set(self._externals, (node.kind, node.external_id), node.id)
        return node.id

    # ---- events, contexts ----------------------------------------------------------------------------------------------

    def has_event(self, event: Event) -> bool:
        """Whether there is one of that type between the two."""
        ends = (event.artifact, event.execution)
        if (*ends, event.type) in self._events:
            return True
        if self._is_new(Kind.ARTIFACT, ends[0]) or self._is_new(Kind.EXECUTION, ends[1]):
            return False
        if ends not in self._ends:
            self.load_events([ends])
        return (*ends, event.type) in self._events

    def _is_new(self, kind: Kind, id: int) -> bool:
        """Whether a node was put by these very requests."""
        return self.before.get((kind, id), _ABSENT) is None

    def load_events(self, ends: Iterable[tuple[int, int]]) -> None:
        """Know the events between these pairs. What was put by these very requests has no others."""
        missing = {pair for pair in ends if pair not in self._ends}
        self._ends |= missing
        old = [
            (artifact, execution)
            for artifact, execution in missing
            if not self._is_new(Kind.ARTIFACT, artifact) and not self._is_new(Kind.EXECUTION, execution)
        ]
        self._events |= dict.fromkeys(self._rows.known_events(self.scope.tx, old), True)

    def put_event(self, event: Event) -> None:
        """Keep a new event."""
        event.id = self._next("event")
        self._set(self._events, (event.artifact, event.execution, event.type), True)
        self._set(self.new_events, event.id, event)

    def put_members(self, members: Iterable[Membership]) -> None:
        """Put things into contexts, where they may be already."""
        wanted = [member for member in members if member not in self._members]
        old = [m for m in wanted if self._is_old(m)]
        if old:
            known = self._rows.known_members(
                self.scope.tx, list({m[0] for m in old}), list({m[2] for m in old})
            )
            self._members |= dict.fromkeys(known, True)
        for member in wanted:
            if member not in self._members:
                self._set(self._members, member, True)
                self._set(self.new_members, member, True)

    def _is_old(self, member: Membership) -> bool:
        context, kind, id = member
        return not self._is_new(Kind.CONTEXT, context) and not self._is_new(Kind(kind), id)

    def parents_of(self, child: int) -> list[int]:
        """The parents of a context."""
        stored = [parent for _, parent in self._rows.list_parents(self.scope.tx, "child", [child])]
        return stored + [parent for other, parent in self.new_parents if other == child]

    def put_parent(self, child: int, parent: int) -> None:
        """Make a context the child of another."""
        self._set(self.new_parents, (child, parent), True)

    # ---- for all requests ----------------------------------------------------------------------------------------------

    def prepare(self, requests: Iterable[Request]) -> None:
        """Load what the requests mention, with a few statements for all of them."""
        wanted = _Wanted()
        for request in requests:
            wanted.look[type(request)](wanted, request)
        for kind, names in wanted.types.items():
            self.load_type_names(kind, names)
        self.load_types(wanted.type_ids)
        for kind, ids in wanted.ids.items():
            self.load_nodes(kind, ids)
        self.load_names(wanted.names)
        for kind, external in wanted.externals.items():
            self.load_externals(kind, external)
        self.load_types(node.type_id for node in self._nodes.values() if node is not None)
        self.load_events(wanted.ends)

    def changed_nodes(self) -> Iterator[tuple[Node, Node | None]]:
        """Nodes that were put, in the order of kinds and numbers, each with what it was before."""
        for key in sorted(self.before):
            node = self._nodes[key]
            if node is not None:
                yield node, self.before[key]

    def write(self) -> None:
        """Write what changed; vertices are known by now."""
        tx, rows = self.scope.tx, self._rows
        rows.put_types(tx, [self.changed_types[id] for id in sorted(self.changed_types)])
        nodes = [node for node, _ in self.changed_nodes()]
        rows.put_nodes(tx, nodes, {key: node for key, node in self.before.items() if node is not None})
        rows.add_events(tx, [self.new_events[id] for id in sorted(self.new_events)])
        rows.add_members(tx, list(self.new_members))
        rows.add_parents(tx, list(self.new_parents))


class _Wanted:
    """What requests mention."""

    def __init__(self) -> None:
        self.types: dict[Kind, set[str]] = {}
        self.type_ids: set[int] = set()
        self.ids: dict[Kind, set[int]] = {}
        self.names: dict[tuple[int, str], None] = {}
        self.externals: dict[Kind, set[str]] = {}
        self.ends: set[tuple[int, int]] = set()

    def _nodes(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if node.type_id:
                self.type_ids.add(node.type_id)
            if node.id:
                self._id(node.kind, node.id)
            if node.name is not None and node.type_id:
                self.names[node.type_id, node.name] = None
            if node.external_id is not None:
                self.externals.setdefault(node.kind, set()).add(node.external_id)

    def _id(self, kind: Kind, id: int) -> None:
        self.ids.setdefault(kind, set()).add(id)

    def _event(self, event: Event | None) -> None:
        if event is not None:
            self._id(Kind.ARTIFACT, event.artifact)
            self._id(Kind.EXECUTION, event.execution)

    def _put_types(self, request: PutTypes) -> None:
        for type in request.types:
            self.types.setdefault(type.kind, set()).add(type.name)

    def _put_nodes(self, request: PutNodes) -> None:
        self._nodes(request.nodes)

    def _put_events(self, request: PutEvents) -> None:
        for event in request.events:
            self._event(event)
            self.ends.add((event.artifact, event.execution))

    def _put_members(self, request: PutMembers) -> None:
        for context, kind, member in request.members:
            self._id(Kind.CONTEXT, context)
            self._id(kind, member)

    def _put_parents(self, request: PutParents) -> None:
        for link in request.links:
            for id in link:
                self._id(Kind.CONTEXT, id)

    def _put_execution(self, request: PutExecution) -> None:
        if request.execution is not None:
            self._nodes([request.execution])
        self._nodes(artifact for artifact, _ in request.pairs if artifact is not None)
        self._nodes(request.contexts)
        for _, event in request.pairs:
            self._event(event)

    def _put_subgraph(self, request: PutSubgraph) -> None:
        for nodes in (request.executions, request.artifacts, request.contexts):
            self._nodes(nodes)
        for _, _, event in request.edges:
            self._event(event)

    look: ClassVar[dict[type, Callable[[_Wanted, Any], None]]] = {
        PutTypes: _put_types,
        PutNodes: _put_nodes,
        PutEvents: _put_events,
        PutMembers: _put_members,
        PutParents: _put_parents,
        PutExecution: _put_execution,
        PutSubgraph: _put_subgraph,
    }
