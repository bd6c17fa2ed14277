"""Lists of ML Metadata's nodes: filtered, in order, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from lineal.core.errors import Invalid
from lineal.core.mlmd import Kind, Listing, Node
from lineal.core.mlmd_filter import Both, Compare, Field, Filter, Not, Operand, parse
from lineal.store.lists import each
from lineal.store.mlmd import columns_of_node, key_of, node_of
from lineal.store.text import glob_of, keep
from lineal.store.tx import Tx
from lineal.store.words import find_word

MOST = 100  # nodes on a page

_OWN = {
    "id": "n.id",
    "type_id": "n.type",
    "name": "n.name",
    "uri": "n.uri",
    "external_id": "n.external_id",
    "state": "n.state",
    "last_known_state": "n.state",
    "create_time_since_epoch": "n.created",
    "last_update_time_since_epoch": "n.updated",
    "type": "t.name",
}
_EVENT = {
    "type": "type",
    "milliseconds_since_epoch": "at",
    "artifact_id": "artifact",
    "execution_id": "execution",
}
_PROPERTY = {
    "int_value": "int_value",
    "double_value": "double_value",
    "string_value": "text",
    "bool_value": "bool_value",
}
_MEMBERS = {"contexts": None, "artifacts": Kind.ARTIFACT, "executions": Kind.EXECUTION}
_NULL_IS_OTHER = frozenset({"state", "last_known_state"})
_unpack = msgspec.msgpack.Decoder(tuple[str, bool, int, int]).decode


class Page(msgspec.Struct, gc=False):
    """Nodes in their order, and the token that gives the next ones; empty: these were the last."""

    nodes: list[Node]
    token: str = ""


def list_nodes(
    tx: Tx, kind: Kind, listing: Listing | None, *, type: int | None = None, context: int | None = None
) -> Page:
    """Nodes of a kind, of a type, or in a context; without a listing all of them by number.

    Raises Invalid: the filter, the size or the token is wrong.
    """
    if listing is not None and listing.size <= 0:
        raise Invalid(
            "max_result_size field value is required to be greater than 0 and less than or equal to 100. "
            f"Set value: {listing.size}"
        )
    size = None if listing is None else min(listing.size, MOST)
    query = _Query(tx, kind, type, context)
    if listing is None:
        return Page(query.nodes("n.id", ascending=True, limit=None))
    if listing.filter:
        query.where(parse(listing.filter, kind))
    if listing.token:
        query.after(listing)
    nodes = query.nodes(f"n.{listing.order}", ascending=listing.ascending, limit=(size or 0) + 1)
    if size is None or len(nodes) <= size:
        return Page(nodes)
    last = nodes[size - 1]
    value = {"id": last.id, "created": last.created, "updated": last.updated}[listing.order]
    token = msgspec.msgpack.encode((listing.order, listing.ascending, value, last.id))
    return Page(nodes[:size], base64.urlsafe_b64encode(token).decode())


def find_ids(tx: Tx, kind: Kind, filter: str, among: Sequence[int] | None = None) -> list[int]:
    """The numbers of all nodes that a filter lets through. Raises Invalid: it is wrong."""
    query = _Query(tx, kind, None, None)
    query.where(parse(filter, kind))
    return query.ids(among)


class _Query:
    """Builds one SELECT. Every value is bound; names in the text are ours alone."""

    def __init__(self, tx: Tx, kind: Kind, type: int | None, context: int | None) -> None:
        self._tx = tx
        self._kind = kind
        self._values: dict[str, Any] = {"kind": int(kind)}
        self._joins: dict[tuple[str, str], str] = {}
        self._from = ["mlmd_node n"]
        self._where = ["n.kind = :kind"]
        self._typed = False
        if type is not None:
            self._where.append(f"n.type = {self._bind(type)}")
        if context is not None:
            self._from.append(
                "JOIN mlmd_member m ON m.kind = n.kind AND m.member = n.id "
                f"AND m.context = {self._bind(context)}"
            )

    def nodes(self, order: str, *, ascending: bool, limit: int | None) -> list[Node]:
        """The nodes themselves."""
        way = "ASC" if ascending else "DESC"
        by = f"{order} {way}" + ("" if order == "n.id" else f", n.id {way}")
        cut = "" if limit is None else f" LIMIT {int(limit)}"
        if self._joins:  # a node once, however many neighbours fit
            inner = (
                f"SELECT DISTINCT n.id AS id FROM {' '.join(self._from)} WHERE {' AND '.join(self._where)}"
            )
            sql = (
                f"SELECT {columns_of_node()} FROM ({inner}) found JOIN mlmd_node n ON n.kind = :kind AND n.id = found.id "
                f"ORDER BY {by}{cut}"
            )
        else:
            sql = (
                f"SELECT {columns_of_node()} FROM {' '.join(self._from)} WHERE {' AND '.join(self._where)} "
                f"ORDER BY {by}{cut}"
            )
        return [node_of(row) for row in self._tx.rows(sql, **self._values)]

    def ids(self, among: Sequence[int] | None) -> list[int]:
        """Their numbers."""
        if among is not None:
            self._where.append(f"n.id IN ({each(self._tx, 'among')})")
            self._values["among"] = list(among)
        sql = f"SELECT DISTINCT n.id FROM {' '.join(self._from)} WHERE {' AND '.join(self._where)} ORDER BY n.id"
        return [id for (id,) in self._tx.rows(sql, **self._values)]

    def after(self, listing: Listing) -> None:
        """Leave out what the pages before have shown."""
        try:
            order, ascending, value, id = _unpack(base64.urlsafe_b64decode(listing.token))
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise Invalid(
                "Failed to decode next page token string", hint="send the token that the page before gave"
            ) from None
        if (order, ascending) != (listing.order, listing.ascending):
            raise Invalid(
                f"ListOperationOptions mismatch between calls: the first page was ordered by {order}",
                hint="ask for every page with the same order",
            )
        sign = ">" if ascending else "<"
        number, last = self._bind(value), self._bind(id)
        column = f"n.{listing.order}"
        self._where.append(
            f"n.id {sign} {last}"
            if order == "id"
            else f"({column} {sign} {number} OR ({column} = {number} AND n.id {sign} {last}))"
        )

    def where(self, filter: Filter) -> None:
        """Let through only what a filter does."""
        self._where.append(self._condition(filter))

    # ---- conditions ----------------------------------------------------------------------------------------------------

    def _bind(self, value: Any) -> str:
        name = f"v{len(self._values)}"
        self._values[name] = int(value) if isinstance(value, bool) else value
        return f":{name}"

    def _condition(self, filter: Filter) -> str:
        if isinstance(filter, Both):
            return "(" + f" {filter.op.upper()} ".join(self._condition(part) for part in filter.parts) + ")"
        if isinstance(filter, Not):
            return f"(NOT {self._condition(filter.part)})"
        return self._compared(filter)

    def _compared(self, it: Compare) -> str:
        left = self._operand(it.left)
        if it.op == "null":
            return f"({left} IS {'NOT ' if it.negated else ''}NULL)"
        if it.op == "in":
            values = ", ".join(self._operand(value) for value in it.values)
            said = f"{left} {'NOT ' if it.negated else ''}IN ({values})"
            return self._or_null(it.left, left, said, differs=it.negated)
        assert it.right is not None
        if it.op == "like":
            return self._like(left, it)
        right = self._operand(it.right)
        said = f"{left} {it.op} {right}"
        if it.op == "=" and isinstance(it.left, Field) and (key := self._key(it.left)):
            if not isinstance(it.right, Field):
                assert isinstance(it.right.value, str)
                said = f"{key} = {self._bind(key_of(keep(it.right.value)))} AND {said}"
        return self._or_null(it.left, left, said, differs=it.op == "!=")

    def _or_null(self, operand: Operand, column: str, said: str, *, differs: bool) -> str:
        """A state that was never said is another one than every state."""
        if differs and isinstance(operand, Field) and operand.attribute in _NULL_IS_OTHER:
            return f"({said} OR {column} IS NULL)"
        return f"({said})"

    def _like(self, left: str, it: Compare) -> str:
        assert it.right is not None
        assert not isinstance(it.right, Field)
        pattern = keep(str(it.right.value))
        word = "NOT " if it.negated else ""
        if self._tx.engine == "sqlite":  # whose LIKE ignores case
            return f"({left} {word}GLOB {self._bind(glob_of(pattern))})"
        return f"({left} {word}LIKE {self._bind(pattern)})"

    def _key(self, field: Field) -> str:
        """The column by which a text of any length is found, if the field has one."""
        if field.of == "" and field.attribute == "uri":
            return "n.uri_key"
        if field.of.endswith("properties") and field.attribute == "string_value":
            return f"{self._joined(field)}.text_key"
        return ""

    def _operand(self, operand: Operand) -> str:
        if not isinstance(operand, Field):
            value = operand.value
            return self._bind(keep(value) if isinstance(value, str) else value)
        if operand.of == "":
            if operand.attribute == "type" and not self._typed:
                self._typed = True
                self._from.append("JOIN mlmd_type t ON t.id = n.type")
            return _OWN[operand.attribute]
        alias = self._joined(operand)
        if operand.of == "events":
            return f"{alias}.{_EVENT[operand.attribute]}"
        if operand.of.endswith("properties"):
            return f"{alias}.{_PROPERTY[operand.attribute]}"
        if operand.attribute == "type":
            return f"{alias}t.name"
        return _OWN[operand.attribute].replace("n.", f"{alias}.")

    def _joined(self, field: Field) -> str:
        """The alias of a neighbour or property, which is joined when it is named first."""
        key = (field.of, field.which)
        alias = self._joins.get(key)
        if alias is None:
            alias = self._joins[key] = f"j{len(self._joins)}"
            self._from.append(self._join(field, alias))
        return alias

    def _join(self, field: Field, alias: str) -> str:
        if field.of.endswith("properties"):
            name = self._bind(find_word(self._tx, field.which) or -1)
            return (
                f"JOIN mlmd_property {alias} ON {alias}.name = {name} AND {alias}.kind = n.kind "
                f"AND {alias}.custom = {int(field.of == 'custom_properties')} AND {alias}.owner = n.id"
            )
        if field.of == "events":
            side = "artifact" if self._kind == Kind.ARTIFACT else "execution"
            return f"JOIN mlmd_event {alias} ON {alias}.{side} = n.id"
        named = f"JOIN mlmd_type {alias}t ON {alias}t.id = {alias}.type"
        if field.of in {"parent_contexts", "child_contexts"}:
            mine, other = ("child", "parent") if field.of == "parent_contexts" else ("parent", "child")
            return (
                f"JOIN mlmd_parent {alias}p ON {alias}p.{mine} = n.id "
                f"JOIN mlmd_node {alias} ON {alias}.kind = {int(Kind.CONTEXT)} AND {alias}.id = {alias}p.{other} {named}"
            )
        member = _MEMBERS[field.of]
        if member is None:
            return (
                f"JOIN mlmd_member {alias}m ON {alias}m.kind = n.kind AND {alias}m.member = n.id "
                f"JOIN mlmd_node {alias} ON {alias}.kind = {int(Kind.CONTEXT)} AND {alias}.id = {alias}m.context {named}"
            )
        return (
            f"JOIN mlmd_member {alias}m ON {alias}m.kind = {int(member)} AND {alias}m.context = n.id "
            f"JOIN mlmd_node {alias} ON {alias}.kind = {int(member)} AND {alias}.id = {alias}m.member {named}"
        )
