"""The audit log: received messages, an append-only Merkle tree over what was done, and how far each stream is recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from lineal.core import merkle
from lineal.core.errors import NotFound
from lineal.store.bulk import insert
from lineal.store.packing import pack, unpack
from lineal.store.text import give, keep
from lineal.store.tx import Asked, Row, Tx
from lineal.store.words import add_words, find_word, get_words

_LOCK = 0x4C494E4C4C454146  # advisory lock of PostgreSQL: leaves are numbered in the order of their commits
_PACK_ABOVE = 512  # bytes; what is shorter hardly shrinks
_PAGE = 10_000
_TREE = "SELECT size, frontier FROM tree WHERE id = 1"
_HOLD = _TREE + " FOR UPDATE"  # waits for whoever holds it, and sees what they committed
_LEAF = (("sequence", "bigint"), ("entry", "bytea"), ("body", "bytea"), ("hash", "bytea"))


class MessageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Whence and when a message came. digest: `sha256:...` of its bytes as received."""

    number: int
    door: str
    source: str
    digest: str
    recorded_at: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a leaf commits to. body: `sha256:...` of what was recorded; digest: of the bytes as received, if any."""

    sequence: int
    at: int
    door: str
    actor: str
    action: str
    digest: str
    body: str


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be appended. body: what was recorded; digest: of the bytes as received, if any."""

    door: str
    actor: str
    action: str
    digest: str
    body: bytes
    at: int


class Audit:
    """AuditStore."""

    def add_message(self, tx: Tx, *, door: str, source: str, body: bytes, digest: str, at: int) -> int:
        """Keep a message as received; its number, by which edges and facets name it as their `batch`."""
        return self.ask_message(tx, door=door, source=source, body=body, digest=digest, at=at)()

    def ask_message(self, tx: Tx, *, door: str, source: str, body: bytes, digest: str, at: int) -> Asked[int]:
        """As `add_message`, for who needs the number later."""
        word = add_words(tx, (door, source))
        packed = _pack(body)
        rows = tx.ask(
            "INSERT INTO message (door, source, digest, packed, body, recorded_at) "
            "VALUES (:door, :source, :digest, :packed, :body, :at) RETURNING id",
            door=word[door],
            source=word[source],
            digest=keep(digest),
            packed=int(len(packed) < len(body)),
            body=min(packed, body, key=len),
            at=at,
        )
        return lambda: int(rows()[0][0])

    def get_message(self, tx: Tx, message: int) -> bytes:
        """The bytes of a message. Raises NotFound: there is no message of that number."""
        row = tx.row("SELECT packed, body FROM message WHERE id = :message", message=message)
        if row is None:
            raise NotFound(f"there is no message {message}", hint="edges name their message as `batch`")
        return unpack(bytes(row[1])) if row[0] else bytes(row[1])

    def describe_message(self, tx: Tx, message: int) -> MessageRecord:
        """Whence and when a message came. Raises NotFound: there is no message of that number."""
        row = tx.row(
            "SELECT door, source, digest, recorded_at FROM message WHERE id = :message", message=message
        )
        if row is None:
            raise NotFound(f"there is no message {message}", hint="edges name the message that brought them")
        words = get_words(tx, row[:2])
        return MessageRecord(
            number=message,
            door=words[row[0]],
            source=words[row[1]],
            digest=give(row[2]),
            recorded_at=row[3],
        )

    def get_position(self, tx: Tx, door: str, source: str) -> int:
        """How far a stream is recorded, as its door counts (bytes of a journal); 0 for one never seen."""
        found = tx.value(
            "SELECT position FROM position WHERE door = :door AND source = :source",
            door=find_word(tx, door),
            source=find_word(tx, source),
        )
        return int(found or 0)

    def set_position(self, tx: Tx, door: str, source: str, position: int) -> None:
        """Record how far a stream is taken in."""
        word = add_words(tx, (door, source))
        tx.run(
            "INSERT INTO position (door, source, position) VALUES (:door, :source, :position) "
            "ON CONFLICT (door, source) DO UPDATE SET position = excluded.position",
            door=word[door],
            source=word[source],
            position=position,
        )

    def add_leaf(
        self, tx: Tx, *, door: str, actor: str, action: str, digest: str, body: bytes, at: int
    ) -> int:
        """Append to the log; the leaf's sequence number, from 1 without gaps, in the order of the commits.

        Call it last in a transaction: from here to the commit other servers' transactions wait.
        """
        leaf = Leaf(door=door, actor=actor, action=action, digest=digest, body=body, at=at)
        return self.add_leaves(tx, [leaf])

    def add_leaves(self, tx: Tx, leaves: Sequence[Leaf]) -> int:
        """Append several to the log; the last one's sequence number. As `add_leaf`, in one go."""
        size, frontier = _held_tree(tx)
        rows = []
        for leaf in leaves:
            entry = msgspec.json.encode(
                Entry(
                    sequence=size + 1,
                    at=leaf.at,
                    door=leaf.door,
                    actor=leaf.actor,
                    action=leaf.action,
                    digest=leaf.digest,
                    body=_digest(leaf.body),
                ),
                order="sorted",
            )
            hashed = merkle.leaf_hash(entry)
            rows.append((size + 1, entry, leaf.body, hashed))
            frontier = merkle.append(frontier, size, hashed)
            size += 1
        insert(tx, "leaf", _LEAF, rows, conflict="")
        tx.run(
            "INSERT INTO tree (id, size, frontier) VALUES (1, :size, :frontier) "
            "ON CONFLICT (id) DO UPDATE SET size = excluded.size, frontier = excluded.frontier",
            size=size,
            frontier=b"".join(frontier),
        )
        return size

    def get_head(self, tx: Tx) -> tuple[int, bytes]:
        """How many leaves the log has, and its 32 byte tree head."""
        size, frontier = _tree(tx)
        return size, merkle.head(frontier)

    def list_leaves(self, tx: Tx, *, after: int, limit: int) -> list[msgspec.Raw]:
        """The entries that follow the leaf `after`, as the JSON that was hashed, in order."""
        rows = tx.rows(
            "SELECT entry FROM leaf WHERE sequence > :after ORDER BY sequence LIMIT :limit",
            after=after,
            limit=limit,
        )
        return [msgspec.Raw(bytes(entry)) for (entry,) in rows]

    def verify(self, tx: Tx) -> list[str]:
        """Compute every hash again; one sentence on the first leaf that is broken or missing, and on the tree head."""
        size, frontier = _tree(tx)
        computed, reached = merkle.EMPTY, 0
        while rows := tx.rows(
            "SELECT sequence, entry, body, hash FROM leaf WHERE sequence > :reached ORDER BY sequence LIMIT :page",
            reached=reached,
            page=_PAGE,
        ):
            for sequence, entry, body, leaf in rows:
                if sequence != reached + 1:
                    return [f"leaf {reached + 1} is missing: leaf {sequence} follows leaf {reached}"]
                if broken := _broken(sequence, bytes(entry), bytes(body), bytes(leaf)):
                    return [f"leaf {sequence} {broken}"]
                computed = merkle.append(computed, reached, bytes(leaf))
                reached = sequence
        if reached != size:
            return [f"the log has {reached} leaves, its tree was grown to {size}"]
        if merkle.head(computed) != merkle.head(frontier):
            return [f"the tree head over {size} leaves is not the one that was recorded: a leaf was replaced"]
        return []


def _broken(sequence: int, entry: bytes, body: bytes, leaf: bytes) -> str:
    if merkle.leaf_hash(entry) != leaf:
        return "was changed: its entry does not have the hash that was recorded"
    try:
        committed = msgspec.json.decode(entry, type=Entry)
    except msgspec.DecodeError as error:
        return f"cannot be read: {error}"
    if committed.sequence != sequence:
        return f"was moved: its entry says it is leaf {committed.sequence}"
    if committed.body != _digest(body):
        return "was changed: its body does not have the digest that its entry commits to"
    return ""


def _tree(tx: Tx) -> tuple[int, merkle.Frontier]:
    return _grown(tx.row(_TREE))


def _grown(row: Row | None) -> tuple[int, merkle.Frontier]:
    if row is None:
        return 0, merkle.EMPTY
    heads = bytes(row[1])
    return int(row[0]), tuple(heads[i : i + 32] for i in range(0, len(heads), 32))


def _held_tree(tx: Tx) -> tuple[int, merkle.Frontier]:
    """The tree as it was last committed; from here to the commit nobody else adds a leaf."""
    if tx.engine == "sqlite":  # one writer at a time
        return _tree(tx)
    row = tx.row(_HOLD)
    if row is None:  # the very first leaf: there is no row to hold yet
        tx.rows("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
        row = tx.row(_HOLD)
    return _grown(row)


def _digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _pack(body: bytes) -> bytes:
    return body if len(body) <= _PACK_ABOVE else pack(body)
