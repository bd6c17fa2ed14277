"""ML Metadata's own rows: types, nodes, events, memberships and parents, under the numbers that its clients know."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from lineal.core.mlmd import Event, Kind, Node, Of, Properties, Type
from lineal.store.bulk import insert
from lineal.store.lists import each, each_pair, pairs
from lineal.store.text import give, keep
from lineal.store.tx import Row, Tx
from lineal.store.words import add_words, find_word

_LOCK = 0x4C494E4C4D4C4D44  # advisory lock of PostgreSQL: numbers are given by one server at a time
_TYPE = "id, kind, name, version, description, external_id, base, properties, input, output"
_TYPES = (
    ("id", "bigint"),
    ("kind", "smallint"),
    ("name", "text"),
    ("version", "text"),
    ("description", "text"),
    ("external_id", "text"),
    ("base", "smallint"),
    ("properties", "bytea"),
    ("input", "bytea"),
    ("output", "bytea"),
)
_NODE = "n.kind, n.id, n.type, n.name, n.uri, n.external_id, n.state, n.properties, n.created, n.updated, n.vertex"
_NODES = (
    ("kind", "smallint"),
    ("id", "bigint"),
    ("type", "bigint"),
    ("name", "text"),
    ("uri", "text"),
    ("external_id", "text"),
    ("state", "smallint"),
    ("properties", "bytea"),
    ("created", "bigint"),
    ("updated", "bigint"),
    ("vertex", "bigint"),
    ("uri_key", "bigint"),
)
_PROPERTIES = (
    ("name", "bigint"),
    ("kind", "smallint"),
    ("custom", "smallint"),
    ("owner", "bigint"),
    ("int_value", "bigint"),
    ("double_value", "double precision"),
    ("text", "text"),
    ("text_key", "bigint"),
    ("bool_value", "smallint"),
)
_EVENTS = (
    ("id", "bigint"),
    ("artifact", "bigint"),
    ("execution", "bigint"),
    ("type", "smallint"),
    ("at", "bigint"),
    ("path", "bytea"),
)
_pack = msgspec.msgpack.Encoder().encode
_unpack_types = msgspec.msgpack.Decoder(dict[str, int]).decode
_unpack = msgspec.msgpack.Decoder(tuple[dict[str, tuple[int, Any]], dict[str, tuple[int, Any]]]).decode
_unpack_path = msgspec.msgpack.Decoder(list[int | str]).decode
_NO_PROPERTIES = _pack(({}, {}))
_NOTHING: Properties = {}

Membership = tuple[int, int, int]  # context, kind of the member, member


class Mlmd:
    """MlmdStore."""

    def hold_numbers(self, tx: Tx) -> None:
        """Let no other server put anything until the commit. SQLite has one writer at a time anyway."""
        if tx.engine == "postgres":
            tx.rows("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)

    def last_numbers(self, tx: Tx) -> dict[str, int]:
        """The greatest number given so far, by `type`, `event`, and the kinds of nodes as text."""
        parts = [f"(SELECT max(id) FROM mlmd_node WHERE kind = {int(kind)})" for kind in Kind]
        row = tx.row(
            f"SELECT (SELECT max(id) FROM mlmd_type), (SELECT max(id) FROM mlmd_event), {', '.join(parts)}"
        )
        assert row is not None
        names = ("type", "event", *(kind.name for kind in Kind))
        return {name: number or 0 for name, number in zip(names, row, strict=True)}

    # ---- types ---------------------------------------------------------------------------------------------------------

    def get_types(self, tx: Tx, ids: Iterable[int]) -> dict[int, Type]:
        """Types by number; unknown ones are left out."""
        rows = tx.rows(f"SELECT {_TYPE} FROM mlmd_type WHERE id IN ({each(tx, 'ids')})", ids=list(ids))
        return {type.id: type for type in map(_type, rows)}

    def list_types(self, tx: Tx, kind: Kind) -> list[Type]:
        """All types of a kind, by number."""
        rows = tx.rows(f"SELECT {_TYPE} FROM mlmd_type WHERE kind = :kind ORDER BY id", kind=int(kind))
        return [_type(row) for row in rows]

    def find_types(self, tx: Tx, kind: Kind, names: Iterable[str]) -> list[Type]:
        """Types of these names, of every version."""
        rows = tx.rows(
            f"SELECT {_TYPE} FROM mlmd_type WHERE kind = :kind AND name IN ({each(tx, 'names', 'text')}) ORDER BY id",
            kind=int(kind),
            names=[keep(name) for name in names],
        )
        return [_type(row) for row in rows]

    def find_external_types(self, tx: Tx, kind: Kind, external_ids: Iterable[str]) -> list[Type]:
        """Types by what others call them."""
        rows = tx.rows(
            f"SELECT {_TYPE} FROM mlmd_type WHERE kind = :kind "
            f"AND external_id IN ({each(tx, 'ids', 'text')}) ORDER BY id",
            kind=int(kind),
            ids=[keep(id) for id in external_ids],
        )
        return [_type(row) for row in rows]

    def put_types(self, tx: Tx, types: Sequence[Type]) -> None:
        """Keep types; one whose number is known stands as it is given now."""
        rows = [
            (
                t.id,
                int(t.kind),
                keep(t.name),
                keep(t.version),
                _kept(t.description),
                _kept(t.external_id),
                t.base or 0,
                _pack(t.properties) if t.properties else None,
                t.input,
                t.output,
            )
            for t in types
        ]
        insert(
            tx,
            "mlmd_type",
            _TYPES,
            rows,
            conflict="ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id, base = excluded.base, "
            "properties = excluded.properties",
        )

    # ---- nodes ---------------------------------------------------------------------------------------------------------

    def get_nodes(self, tx: Tx, kind: Kind, ids: Iterable[int]) -> dict[int, Node]:
        """Nodes by number, in its order; unknown ones are left out. They are not called after their types."""
        rows = tx.rows(
            f"SELECT {_NODE} FROM mlmd_node n WHERE n.kind = :kind AND n.id IN ({each(tx, 'ids')}) ORDER BY n.id",
            kind=int(kind),
            ids=list(ids),
        )
        return {node.id: node for node in map(_node, rows)}

    def find_named(self, tx: Tx, names: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Node]:
        """Nodes by the number of their type and their name."""
        if not names:
            return {}
        rows = tx.rows(
            f"SELECT {_NODE} FROM ({each_pair(tx, 'names', 'bigint', 'text')}) w "
            "JOIN mlmd_node n ON n.type = w.one AND n.name = w.other",
            **pairs(tx, "names", [(type, keep(name)) for type, name in names]),
        )
        return {(node.type_id, node.name or ""): node for node in map(_node, rows)}

    def find_external(self, tx: Tx, kind: Kind, external_ids: Iterable[str]) -> dict[str, Node]:
        """Nodes by what others call them."""
        rows = tx.rows(
            f"SELECT {_NODE} FROM mlmd_node n WHERE n.kind = :kind "
            f"AND n.external_id IN ({each(tx, 'ids', 'text')}) ORDER BY n.id",
            kind=int(kind),
            ids=[keep(id) for id in external_ids],
        )
        return {node.external_id or "": node for node in map(_node, rows)}

    def find_by_uri(self, tx: Tx, uris: Iterable[str]) -> list[Node]:
        """Artifacts at these addresses, by number."""
        wanted = {keep(uri) for uri in uris}
        rows = tx.rows(
            f"SELECT {_NODE} FROM mlmd_node n WHERE n.uri_key IN ({each(tx, 'keys')}) ORDER BY n.id",
            keys=[key_of(uri) for uri in wanted],
        )
        return [node for node in map(_node, rows) if keep(node.uri or "") in wanted]

    def put_nodes(self, tx: Tx, nodes: Sequence[Node], before: dict[tuple[Kind, int], Node]) -> None:
        """Keep nodes; before: those among them that were known, as they stood."""
        rows = [
            (
                int(n.kind),
                n.id,
                n.type_id,
                _kept(n.name),
                _kept(n.uri),
                _kept(n.external_id),
                n.state,
                _pack((n.properties, n.custom)) if n.properties or n.custom else _NO_PROPERTIES,
                n.created,
                n.updated,
                n.vertex,
                key_of(keep(n.uri)) if n.uri else None,
            )
            for n in nodes
        ]
        changed = [name for name, _ in _NODES if name not in {"kind", "id", "type", "created"}]
        sets = ", ".join(f"{name} = excluded.{name}" for name in changed)
        insert(tx, "mlmd_node", _NODES, rows, conflict=f"ON CONFLICT (kind, id) DO UPDATE SET {sets}")
        self._put_properties(tx, nodes, before)

    def _put_properties(self, tx: Tx, nodes: Sequence[Node], before: dict[tuple[Kind, int], Node]) -> None:
        known = [before[n.kind, n.id] for n in nodes if (n.kind, n.id) in before]
        named = {name for n in (*nodes, *known) for side in (n.properties, n.custom) for name in side}
        if not named:
            return
        word = add_words(tx, named)
        tx.many(
            "DELETE FROM mlmd_property WHERE name = :name AND kind = :kind AND custom = :custom AND owner = :owner",
            [
                {"name": word[name], "kind": int(n.kind), "custom": custom, "owner": n.id}
                for n in known
                for custom, side in enumerate((n.properties, n.custom))
                for name in side
            ],
        )
        insert(
            tx,
            "mlmd_property",
            _PROPERTIES,
            [
                (word[name], int(n.kind), custom, n.id, *_columns(of, value))
                for n in nodes
                for custom, side in enumerate((n.properties, n.custom))
                for name, (of, value) in side.items()
            ],
            conflict="",
        )

    # ---- events --------------------------------------------------------------------------------------------------------

    def list_events(
        self, tx: Tx, side: str, ids: Sequence[int], types: Collection[int] | None = None
    ) -> list[Event]:
        """The events of artifacts or (side `execution`) executions. types: only of these, in no order; else by number."""
        among = "" if types is None else f"AND type IN ({', '.join(str(int(type)) for type in types)})"
        rows = tx.rows(
            "SELECT id, artifact, execution, type, at, path FROM mlmd_event "
            f"WHERE {side} IN ({each(tx, 'ids')}) {among}",
            ids=list(ids),
        )
        if types is None:
            rows.sort(key=itemgetter(0))
        return [_event(row) for row in rows]

    def get_paths(self, tx: Tx, ids: Sequence[int]) -> dict[int, list[int | str]]:
        """The paths of events that have one, by number."""
        rows = tx.rows(
            f"SELECT id, path FROM mlmd_event WHERE id IN ({each(tx, 'ids')}) AND path IS NOT NULL",
            ids=list(ids),
        )
        return {id: _unpack_path(path) for id, path in rows}

    def known_events(self, tx: Tx, ends: Sequence[tuple[int, int]]) -> set[tuple[int, int, int]]:
        """Artifact, execution and type of the events between these pairs of artifact and execution."""
        if not ends:
            return set()
        rows = tx.rows(
            f"SELECT e.artifact, e.execution, e.type FROM ({each_pair(tx, 'ends', 'bigint', 'bigint')}) w "
            "JOIN mlmd_event e ON e.artifact = w.one AND e.execution = w.other",
            **pairs(tx, "ends", ends),
        )
        return {(artifact, execution, type) for artifact, execution, type in rows}

    def add_events(self, tx: Tx, events: Sequence[Event]) -> None:
        """Keep events, whose numbers are new."""
        rows = [
            (e.id, e.artifact, e.execution, e.type, e.at, None if e.path is None else _pack(e.path))
            for e in events
        ]
        insert(tx, "mlmd_event", _EVENTS, rows, conflict="")

    # ---- contexts ------------------------------------------------------------------------------------------------------

    def list_members(self, tx: Tx, context: int, kind: Kind) -> list[int]:
        """The numbers of a context's artifacts or executions."""
        rows = tx.rows(
            "SELECT member FROM mlmd_member WHERE context = :context AND kind = :kind ORDER BY member",
            context=context,
            kind=int(kind),
        )
        return [member for (member,) in rows]

    def list_contexts(self, tx: Tx, kind: Kind, ids: Sequence[int]) -> list[tuple[int, int]]:
        """(member, context) for the contexts that artifacts or executions are in."""
        rows = tx.rows(
            f"SELECT member, context FROM mlmd_member WHERE kind = :kind AND member IN ({each(tx, 'ids')})",
            kind=int(kind),
            ids=list(ids),
        )
        rows.sort()
        return [(member, context) for member, context in rows]

    def known_members(self, tx: Tx, contexts: Sequence[int], members: Sequence[int]) -> set[Membership]:
        """What of these is in these contexts."""
        rows = tx.rows(
            f"SELECT context, kind, member FROM mlmd_member WHERE context IN ({each(tx, 'contexts')}) "
            f"AND member IN ({each(tx, 'members')})",
            contexts=list(contexts),
            members=list(members),
        )
        return {(context, kind, member) for context, kind, member in rows}

    def add_members(self, tx: Tx, members: Sequence[Membership]) -> None:
        """Put artifacts and executions into contexts; what is there already stays."""
        columns = (("context", "bigint"), ("kind", "smallint"), ("member", "bigint"))
        insert(tx, "mlmd_member", columns, members)

    def list_parents(self, tx: Tx, side: str, ids: Sequence[int]) -> list[tuple[int, int]]:
        """(child, parent) of contexts that are the children or (side `parent`) the parents."""
        rows = tx.rows(
            f"SELECT child, parent FROM mlmd_parent WHERE {side} IN ({each(tx, 'ids')})", ids=list(ids)
        )
        rows.sort()
        return [(child, parent) for child, parent in rows]

    def add_parents(self, tx: Tx, links: Sequence[tuple[int, int]]) -> None:
        """Make contexts the children of others, given as (child, parent)."""
        insert(tx, "mlmd_parent", (("child", "bigint"), ("parent", "bigint")), links, conflict="")

    # ---- imports -------------------------------------------------------------------------------------------------------

    def get_imported(
        self, tx: Tx, source: str, kind: int, theirs: Iterable[int]
    ) -> dict[int, tuple[int, int]]:
        """By its number at a source (kind 3: of a type): the number here, and when it was updated there."""
        word = find_word(tx, source)
        if word is None:
            return {}
        rows = tx.rows(
            "SELECT theirs, ours, updated FROM mlmd_imported WHERE source = :source AND kind = :kind "
            f"AND theirs IN ({each(tx, 'theirs')})",
            source=word,
            kind=kind,
            theirs=list(theirs),
        )
        return {number: (ours, updated) for number, ours, updated in rows}

    def put_imported(self, tx: Tx, source: str, rows: Sequence[tuple[int, int, int, int]]) -> None:
        """Remember what was imported: kind, number there, number here, when it was updated there."""
        columns = ("source", "kind", "theirs", "ours", "updated")
        word = add_words(tx, (source,))[source] if rows else 0
        insert(
            tx,
            "mlmd_imported",
            tuple((name, "smallint" if name == "kind" else "bigint") for name in columns),
            [(word, *row) for row in rows],
            conflict="ON CONFLICT (source, kind, theirs) DO UPDATE SET updated = excluded.updated",
        )


def key_of(stored: str) -> int:
    """The number by which a text of any length is found in an index."""
    return int.from_bytes(hashlib.blake2b(stored.encode(), digest_size=8).digest(), "big", signed=True)


def columns_of_node() -> str:
    """What `node_of` wants, from a table called `n`."""
    return _NODE


def node_of(row: Row) -> Node:
    """A node out of a row."""
    return _node(row)


def _columns(of: int, value: Any) -> tuple[Any, ...]:
    """int, double, text, its key, bool; where the value is none of them all are NULL."""
    if of == Of.INT:
        return value, None, None, None, None
    if of == Of.DOUBLE:
        return None, value, None, None, None
    if of == Of.STRING:
        text = keep(value)
        return None, None, text, key_of(text), None
    if of == Of.BOOL:
        return None, None, None, None, int(value)
    return None, None, None, None, None


def _kept(text: str | None) -> str | None:
    return None if text is None else keep(text)


def _given(text: str | None) -> str | None:
    return None if text is None else give(text)


def _type(row: Row) -> Type:
    return Type(
        id=row[0],
        kind=Kind(row[1]),
        name=give(row[2]),
        version=give(row[3]),
        description=_given(row[4]),
        external_id=_given(row[5]),
        base=row[6],
        properties=_unpack_types(row[7]) if row[7] is not None else {},
        input=None if row[8] is None else bytes(row[8]),
        output=None if row[9] is None else bytes(row[9]),
    )


def _node(row: Row) -> Node:
    properties, custom = (_NOTHING, _NOTHING) if row[7] == _NO_PROPERTIES else _unpack(row[7])
    return Node(
        kind=Kind(row[0]),
        id=row[1],
        type_id=row[2],
        name=_given(row[3]),
        uri=_given(row[4]),
        external_id=_given(row[5]),
        state=row[6],
        properties=properties,
        custom=custom,
        created=row[8],
        updated=row[9],
        vertex=row[10],
    )


def _event(row: Row) -> Event:
    return Event(
        id=row[0],
        artifact=row[1],
        execution=row[2],
        type=row[3],
        at=row[4],
        path=None if row[5] is None else _unpack_path(row[5]),
    )
