"""Reading what clients of ML Metadata put, as their store answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineal.core import mlmd
from lineal.core.errors import Invalid
from lineal.core.mlmd import Event, Kind, Listing, Node, Type
from lineal.service.operations import Scope
from lineal.store.mlmd_lists import Page, list_nodes


def get_type(scope: Scope, kind: Kind, name: str, version: str) -> Type:
    """The type of that name and version. Raises NotFound."""
    found = find_type(scope, kind, name, version)
    if found is None:
        raise mlmd.not_found(f"No type found for query, name: `{name}`, version: `{version or 'nullopt'}`")
    return found


def find_type(scope: Scope, kind: Kind, name: str, version: str) -> Type | None:
    """The type of that name and version, if there is one."""
    found = scope.store.mlmd.find_types(scope.tx, kind, [name])
    return next((type for type in found if type.version == version), None)


def get_types(scope: Scope, kind: Kind, ids: Iterable[int]) -> list[Type]:
    """Types of a kind by number, in the order asked for; unknown ones are left out."""
    asked = list(ids)
    found = scope.store.mlmd.get_types(scope.tx, asked)
    return [type for id in asked if (type := found.get(id)) is not None and type.kind == kind]


def list_types(scope: Scope, kind: Kind) -> list[Type]:
    """All types of a kind but those that every store begins with."""
    return [type for type in scope.store.mlmd.list_types(scope.tx, kind) if type.name not in mlmd.BASES[kind]]


def types_by_external_ids(scope: Scope, kind: Kind, ids: Sequence[str]) -> list[Type]:
    """Types by what others call them. Raises NotFound: none is there. Invalid: an id is empty."""
    _refuse_empty(ids)
    found = scope.store.mlmd.find_external_types(scope.tx, kind, ids)
    if not found:
        raise mlmd.not_found("No types found for external_ids.")
    return found


def nodes_by_id(scope: Scope, kind: Kind, ids: Iterable[int]) -> list[Node]:
    """Nodes by number; unknown ones are left out."""
    return called(scope, list(scope.store.mlmd.get_nodes(scope.tx, kind, ids).values()))


def nodes_by_external_ids(scope: Scope, kind: Kind, ids: Sequence[str]) -> list[Node]:
    """Nodes by what others call them. Raises NotFound: none is there. Invalid: an id is empty."""
    if not ids:
        return []
    _refuse_empty(ids)
    found = scope.store.mlmd.find_external(scope.tx, kind, ids)
    if not found:
        raise mlmd.not_found(f"No {mlmd.missing(kind)}s found for external_ids.")
    return called(scope, sorted(found.values(), key=lambda node: node.id))


def nodes_by_uri(scope: Scope, uris: Sequence[str]) -> list[Node]:
    """The artifacts at these addresses."""
    return called(scope, scope.store.mlmd.find_by_uri(scope.tx, uris))


def page(scope: Scope, kind: Kind, listing: Listing | None, *, context: int | None = None) -> Page:
    """A page of all nodes of a kind, or of those in a context."""
    found = list_nodes(scope.tx, kind, listing, context=context)
    called(scope, found.nodes)
    return found


def page_of_type(scope: Scope, kind: Kind, name: str, version: str, listing: Listing | None) -> Page:
    """A page of the nodes of a type; empty when there is no such type."""
    type = find_type(scope, kind, name, version)
    if type is None:
        return Page([])
    found = list_nodes(scope.tx, kind, listing, type=type.id)
    for node in found.nodes:
        node.type = type.name
    return found


def node_named(scope: Scope, kind: Kind, type_name: str, version: str, name: str) -> Node | None:
    """The node of that type and name, if there is one."""
    type = find_type(scope, kind, type_name, version)
    if type is None:
        return None
    node = scope.store.mlmd.find_named(scope.tx, [(type.id, name)]).get((type.id, name))
    if node is not None:
        node.type = type.name
    return node


def events(scope: Scope, side: Kind, ids: Sequence[int]) -> list[Event]:
    """The events of artifacts or of executions."""
    return scope.store.mlmd.list_events(scope.tx, mlmd.missing(side), ids)


def contexts_of(scope: Scope, kind: Kind, id: int) -> list[Node]:
    """The contexts of an artifact or execution. Raises NotFound: it is in none."""
    found = [context for _, context in scope.store.mlmd.list_contexts(scope.tx, kind, [id])]
    if not found:
        raise mlmd.not_found(f"No contexts found for {mlmd.missing(kind)}_id: {id}")
    return nodes_by_id(scope, Kind.CONTEXT, found)


def linked_contexts(scope: Scope, ids: Sequence[int], *, up: bool) -> dict[int, list[Node]]:
    """By context: its parents, or (not up) its children."""
    links = scope.store.mlmd.list_parents(scope.tx, "child" if up else "parent", ids)
    other = {parent if up else child for child, parent in links}
    nodes = {node.id: node for node in nodes_by_id(scope, Kind.CONTEXT, other)}
    found: dict[int, list[Node]] = {}
    for child, parent in links:
        found.setdefault(child if up else parent, []).append(nodes[parent if up else child])
    return found


def called(scope: Scope, nodes: list[Node]) -> list[Node]:
    """The same nodes, called after their types."""
    types = scope.store.mlmd.get_types(scope.tx, {node.type_id for node in nodes}) if nodes else {}
    for node in nodes:
        node.type = types[node.type_id].name
    return nodes


def _refuse_empty(ids: Sequence[str]) -> None:
    if not all(ids):
        raise Invalid("Invalid argument because at least one empty external_id exists.")
