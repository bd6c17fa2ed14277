"""Reads a store of ML Metadata from its SQLite file, in parts that rely on what came before."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

import apsw

from lineal.core.errors import Invalid, LinealError, Unavailable
from lineal.core.mlmd import BASES, Event, Kind, Node, Of, Part, Properties, Type
from lineal.core.mlmd_struct import any_of, struct_of

TOGETHER = 1000  # things of one part
_OLDEST = 6  # schema, of ml-metadata 0.22; earlier ones have no parent contexts
_STRUCT = "mlmd-struct::"
_TABLES = {Kind.ARTIFACT: "Artifact", Kind.EXECUTION: "Execution", Kind.CONTEXT: "Context"}
_STATES = {Kind.ARTIFACT: "state", Kind.EXECUTION: "last_known_state"}


class File:
    """A store in a file. Raises Invalid: it is none, or of a kind too old. Unavailable: it cannot be read."""

    def __init__(self, path: str) -> None:
        if not os.path.exists(path):
            raise Unavailable(
                f"there is no file {path!r}", hint="name the SQLite file of ML Metadata, or HOST:PORT"
            )
        self.name = os.path.abspath(path)
        uri = f"file:{quote(self.name)}?mode=ro"
        try:
            self._database = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
            tables = {name for (name,) in self._rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        except apsw.Error as error:
            raise Unavailable(f"{path!r} cannot be read: {error}", hint="is it an SQLite file?") from error
        if not {"MLMDEnv", "Artifact", "Execution", "Type"} <= tables:
            raise Invalid(
                f"{path!r} is no store of ML Metadata", hint="its tables are Artifact, Execution, Type ..."
            )
        [(schema,)] = self._rows("SELECT max(schema_version) FROM MLMDEnv")
        if schema is None or schema < _OLDEST:
            raise Invalid(
                f"{path!r} has schema {schema}, {_OLDEST} or newer is wanted",
                hint="open it once with ml-metadata 1.17 and enable_upgrade_migration",
            )
        self.left: list[str] = []

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def count(self) -> int:
        """How many things there are."""
        tables = ["Type", *_TABLES.values(), "Event", "Association", "Attribution", "ParentContext"]
        return sum(self._rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables)

    def parts(self) -> Iterator[Part]:
        """All of it, oldest first within each sort of thing."""
        yield Part(types=list(self._types()))
        for kind in (Kind.CONTEXT, Kind.ARTIFACT, Kind.EXECUTION):
            for nodes in _batches(self._nodes(kind)):
                yield Part(nodes=nodes)
        for links in _batches(
            self._each("SELECT context_id, parent_context_id FROM ParentContext ORDER BY 1, 2")
        ):
            yield Part(parents=[(child, parent) for child, parent in links])
        for table, kind in (("Association", Kind.EXECUTION), ("Attribution", Kind.ARTIFACT)):
            column = f"{_TABLES[kind].lower()}_id"
            rows = self._each(f"SELECT context_id, {column} FROM {table} ORDER BY id")
            for some in _batches(rows):
                yield Part(members=[(context, int(kind), member) for context, member in some])
        for events in _batches(self._events()):
            yield Part(events=events)

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self._database.execute(sql, values).fetchall()

    def _each(self, sql: str) -> Iterator[Any]:
        return iter(self._database.execute(sql))

    def _columns(self, table: str) -> set[str]:
        return {row[1] for row in self._rows(f"PRAGMA table_info({table})")}

    def _types(self) -> Iterator[Type]:
        external = "external_id" if "external_id" in self._columns("Type") else "NULL"
        properties: dict[int, dict[str, int]] = {}
        for type, name, of in self._each("SELECT type_id, name, data_type FROM TypeProperty"):
            properties.setdefault(type, {})[name] = of
        bases = dict(
            self._rows("SELECT p.type_id, t.name FROM ParentType p JOIN Type t ON t.id = p.parent_type_id")
        )
        rows = self._each(
            f"SELECT id, name, version, type_kind, description, {external}, input_type, output_type FROM Type ORDER BY id"
        )
        for id, name, version, kind, description, external_id, input, output in rows:
            if input or output:
                self.left.append(f"type {name!r}: what it says of the structure of inputs and outputs")
            known = BASES[Kind(kind)]
            yield Type(
                id=id,
                kind=Kind(kind),
                name=name,
                version=version or "",
                description=description,
                external_id=external_id,
                base=known.index(bases[id]) + 1 if bases.get(id) in known else None,
                properties=properties.get(id, {}),
            )

    def _nodes(self, kind: Kind) -> Iterator[Node]:
        table = _TABLES[kind]
        columns = self._columns(table)
        wanted = ["name", "external_id", _STATES.get(kind, ""), "uri"]
        found = ", ".join(name if name in columns else "NULL" for name in wanted)
        after = 0
        while True:
            rows = self._rows(
                f"SELECT id, type_id, create_time_since_epoch, last_update_time_since_epoch, {found} FROM {table} "
                "WHERE id > ? ORDER BY id LIMIT ?",
                after,
                TOGETHER,
            )
            if not rows:
                return
            properties = self._properties(table, rows[0][0], rows[-1][0])
            for id, type, created, updated, name, external, state, uri in rows:
                own, custom = properties.get(id, ({}, {}))
                yield Node(
                    kind=kind,
                    id=id,
                    type_id=type,
                    name=name,
                    external_id=external,
                    state=state,
                    uri=uri,
                    properties=own,
                    custom=custom,
                    created=created,
                    updated=updated,
                )
            after = rows[-1][0]

    def _properties(self, table: str, first: int, last: int) -> dict[int, tuple[Properties, Properties]]:
        owner, columns = f"{table.lower()}_id", self._columns(f"{table}Property")
        more = ", ".join(name if name in columns else "NULL" for name in ("proto_value", "bool_value"))
        found: dict[int, tuple[Properties, Properties]] = {}
        for id, name, custom, *values in self._rows(
            f"SELECT {owner}, name, is_custom_property, int_value, double_value, string_value, {more} "
            f"FROM {table}Property WHERE {owner} BETWEEN ? AND ?",
            first,
            last,
        ):
            value = self._value(f"{table.lower()} {id}: property {name!r}", *values)
            if value is not None:
                found.setdefault(id, ({}, {}))[1 if custom else 0][name] = value
        return found

    def _value(
        self, what: str, whole: Any, real: Any, text: Any, proto: Any, truth: Any
    ) -> tuple[int, Any] | None:
        if whole is not None:
            return int(Of.INT), int(whole)
        if real is not None:
            return int(Of.DOUBLE), float(real)
        if isinstance(text, str) and text.startswith(_STRUCT):
            try:
                body = base64.b64decode(text.removeprefix(_STRUCT), validate=True)
                struct_of(body)
                return int(Of.STRUCT), body
            except (binascii.Error, LinealError):
                self.left.append(f"{what}: a struct that cannot be read")
                return None
        if text is not None:
            return int(Of.STRING), text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")
        if proto is not None:
            return self._message(what, proto)
        if truth is not None:
            return int(Of.BOOL), bool(truth)
        self.left.append(f"{what}: it holds no value")
        return None

    def _message(self, what: str, kept: Any) -> tuple[int, Any] | None:
        """The bytes of a message of any type, which the file holds as base64."""
        try:
            body = base64.b64decode(kept, validate=True)
            any_of(body)
        except (binascii.Error, ValueError, LinealError):
            self.left.append(f"{what}: a message that cannot be read")
            return None
        return int(Of.PROTO), body

    def _events(self) -> Iterator[Event]:
        after = 0
        while True:
            rows = self._rows(
                "SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event WHERE id > ? ORDER BY id LIMIT ?",
                after,
                TOGETHER,
            )
            if not rows:
                return
            paths: dict[int, list[int | str]] = {}
            for id, is_index, index, key in self._rows(
                "SELECT event_id, is_index_step, step_index, step_key FROM EventPath WHERE event_id BETWEEN ? AND ? ORDER BY rowid",
                rows[0][0],
                rows[-1][0],
            ):
                paths.setdefault(id, []).append(index if is_index else key or "")
            for id, artifact, execution, type, at in rows:
                yield Event(artifact=artifact, execution=execution, type=type, at=at or 0, path=paths.get(id))
            after = rows[-1][0]


def _batches(things: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(things, TOGETHER)):
        yield batch
