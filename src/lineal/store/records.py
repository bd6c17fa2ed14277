"""Door records: what a foreign protocol keeps of its own about a thing, for which the record has no word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lineal.core.errors import Conflict, Invalid, NotFound
from lineal.store.history import STANDS
from lineal.store.lists import each
from lineal.store.text import above, give, keep
from lineal.store.tx import Row, Tx

_LONGEST_KEY = 2000  # bytes; an index entry of PostgreSQL has a size limit
_COLUMNS = "id, door, kind, key, number, parent, node, revision, body, created_at, recorded_at, retracted_at"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a door as it stands: `key` names it within its kind, `body` is JSON that only the door reads.

    number: its number within the kind, if it has one; parent: the number of what it belongs to; node: the vertex it is
    about. created_at: when the first row of it was recorded, recorded_at: when this revision was (microseconds UTC).
    """

    id: int
    door: str
    kind: str
    key: str
    number: int | None
    parent: int | None
    node: int | None
    revision: int
    body: bytes
    created_at: int
    recorded_at: int
    retracted_at: int | None = None


class Records:
    """RecordStore."""

    def add_record(
        self,
        tx: Tx,
        door: str,
        kind: str,
        key: str,
        body: bytes,
        *,
        number: int | None = None,
        numbered: bool = False,
        parent: int | None = None,
        node: int | None = None,
        at: int,
    ) -> Record:
        """Add a thing.

        Args:
            number: given by the caller; `numbered`: the next of its kind instead, counted from 1, never given twice.

        Raises Conflict: one of that key stands already; Invalid: the key is empty or longer than 2,000 bytes.
        """
        if numbered:
            number = _next(tx, door, kind)
        said = {
            "door": door,
            "kind": kind,
            "key": _key(key),
            "number": number,
            "parent": parent,
            "node": node,
        }
        row = tx.row(
            "INSERT INTO door_record (door, kind, key, number, parent, node, revision, body, created_at, recorded_at) "
            "VALUES (:door, :kind, :key, :number, :parent, :node, 1, :body, :at, :at) "
            f"ON CONFLICT (door, kind, key) WHERE {STANDS} DO NOTHING RETURNING {_COLUMNS}",
            body=body,
            at=at,
            **said,
        )
        if row is None:
            raise Conflict(
                f"the {kind} {key!r} exists already", hint="choose another name", kind=kind, key=key
            )
        return _record(row)

    def get_record(self, tx: Tx, door: str, kind: str, key: str) -> Record | None:
        """The thing of that key as it stands, or None."""
        row = tx.row(
            f"SELECT {_COLUMNS} FROM door_record WHERE door = :door AND kind = :kind AND key = :key AND {STANDS}",
            door=door,
            kind=kind,
            key=keep(key),
        )
        return None if row is None else _record(row)

    def find_by_number(self, tx: Tx, door: str, kind: str, number: int) -> Record | None:
        """The oldest thing of that number as it stands, or None."""
        row = tx.row(
            f"SELECT {_COLUMNS} FROM door_record "
            f"WHERE door = :door AND kind = :kind AND number = :number AND {STANDS} ORDER BY id LIMIT 1",
            door=door,
            kind=kind,
            number=number,
        )
        return None if row is None else _record(row)

    def find_by_nodes(self, tx: Tx, door: str, kind: str, nodes: Sequence[int]) -> dict[int, Record]:
        """The things about these vertices; the newest, where several are about one."""
        rows = (
            tx.rows(
                f"SELECT {_COLUMNS} FROM door_record WHERE node IN ({each(tx, 'nodes')}) "
                f"AND door = :door AND kind = :kind AND {STANDS} ORDER BY id",
                door=door,
                kind=kind,
                nodes=list(nodes),
            )
            if nodes
            else []
        )
        return {row[6]: _record(row) for row in rows}

    def list_records(
        self,
        tx: Tx,
        door: str,
        kind: str,
        *,
        parents: Sequence[int] | None = None,
        prefix: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> list[Record]:
        """Things in byte order of their keys: those of some parents, with a prefix, or behind the key `after`."""
        where = ["door = :door", "kind = :kind", STANDS]
        values: dict[str, Any] = {}
        if parents is not None:
            where.append(f"parent IN ({each(tx, 'parents')})")
            values["parents"] = list(parents)
        if prefix:
            where.append("key >= :prefix AND key < :above")
            values |= {"prefix": keep(prefix), "above": above(keep(prefix))}
        if after:
            where.append("key > :after")
            values["after"] = keep(after)
        rows = tx.rows(
            f"SELECT {_COLUMNS} FROM door_record WHERE {' AND '.join(where)} ORDER BY key LIMIT :limit",
            door=door,
            kind=kind,
            limit=limit,
            **values,
        )
        return [_record(row) for row in rows]

    def replace_record(
        self,
        tx: Tx,
        record: Record,
        *,
        body: bytes | None = None,
        key: str | None = None,
        parent: int | None = None,
        node: int | None = None,
        at: int,
    ) -> Record:
        """A further revision of a thing with what is given changed; what stood before remains as history.

        Raises Conflict: it changed since `record` was read, or the new key is taken; NotFound: it is no more.
        """
        self.retract_record(tx, record, at=at)
        row = tx.row(
            "INSERT INTO door_record (door, kind, key, number, parent, node, revision, body, created_at, recorded_at) "
            "VALUES (:door, :kind, :key, :number, :parent, :node, :revision, :body, :created_at, :at) "
            f"ON CONFLICT (door, kind, key) WHERE {STANDS} DO NOTHING RETURNING {_COLUMNS}",
            door=record.door,
            kind=record.kind,
            key=_key(record.key if key is None else key),
            number=record.number,
            parent=record.parent if parent is None else parent,
            node=record.node if node is None else node,
            revision=record.revision + 1,
            body=record.body if body is None else body,
            created_at=record.created_at,
            at=at,
        )
        if row is None:
            raise Conflict(
                f"the {record.kind} {key!r} exists already", hint="choose another name", kind=record.kind
            )
        return _record(row)

    def retract_record(self, tx: Tx, record: Record, *, at: int) -> None:
        """Let a thing cease to stand, which frees its key. Raises Conflict: it changed or ended since it was read."""
        ended = tx.row(
            f"UPDATE door_record SET retracted_at = :at WHERE id = :id AND {STANDS} RETURNING id",
            id=record.id,
            at=at,
        )
        if ended is None:
            raise Conflict(
                f"the {record.kind} {record.key!r} changed meanwhile",
                hint="read it again and decide again",
                kind=record.kind,
                key=record.key,
            )

    def list_history(self, tx: Tx, door: str, kind: str, key: str, *, limit: int = 1000) -> list[Record]:
        """Every revision of things that had this key, oldest first. Raises NotFound: none ever had."""
        rows = tx.rows(
            f"SELECT {_COLUMNS} FROM door_record WHERE door = :door AND kind = :kind AND key = :key "
            "ORDER BY id LIMIT :limit",
            door=door,
            kind=kind,
            key=keep(key),
            limit=limit,
        )
        if not rows:
            raise NotFound(f"there never was a {kind} {key!r}", hint="look the name up again", kind=kind)
        return [_record(row) for row in rows]


def _next(tx: Tx, door: str, kind: str) -> int:
    return int(
        tx.value(
            "INSERT INTO door_number (door, kind, last) VALUES (:door, :kind, 1) "
            "ON CONFLICT (door, kind) DO UPDATE SET last = door_number.last + 1 RETURNING last",
            door=door,
            kind=kind,
        )
    )


def _key(key: str) -> str:
    stored = keep(key)
    if not stored or len(stored.encode()) > _LONGEST_KEY:
        raise Invalid(
            f"a name of {len(key)} characters was given",
            hint=f"between 1 and {_LONGEST_KEY} bytes of UTF-8 are wanted",
        )
    return stored


def _record(row: Row) -> Record:
    return Record(
        id=row[0],
        door=row[1],
        kind=row[2],
        key=give(row[3]),
        number=row[4],
        parent=row[5],
        node=row[6],
        revision=row[7],
        body=bytes(row[8]),
        created_at=row[9],
        recorded_at=row[10],
        retracted_at=row[11],
    )
