"""ML Metadata's events for walks that touch thousands of them: as columns, out of memory where they are known.

Events are only ever added, in the order of their numbers, so what is in memory stays true and only what came since is read. A walk that
touched many brings the next of them into memory; until all are there, walks read rows.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from lineal.store.lists import each
from lineal.store.tx import Tx

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

MOST = 1_000_000  # events in memory, 100 to 150 bytes each; of a store with more every walk reads rows
_MANY = 500  # events that a walk touched, after which memory is worth its while
_SOON = 5_000  # newer events that a walk reads before it begins
_AT_ONCE = 50_000  # events that one walk brings into memory for those that follow
_TAIL = 10_000  # newer events that are kept apart at least, before all are put in order anew
_COLUMNS = "id, artifact, execution, type, at, CASE WHEN path IS NULL THEN 0 ELSE 1 END"


class EventRows(NamedTuple):
    """Events in columns. pathed: whether there is a path."""

    id: Ints
    artifact: Ints
    execution: Ints
    type: Ints
    at: Ints
    pathed: Ints

    def among(self, places: Any) -> EventRows:
        """Those at these places."""
        return EventRows(*(column[places] for column in self))


def rows_of(found: Sequence[tuple[int, ...]]) -> EventRows:
    """Columns out of rows of the database."""
    columns = np.array(found, dtype=np.int64).reshape(-1, len(EventRows._fields))
    return EventRows(*columns.T)


def together(parts: Sequence[EventRows]) -> EventRows:
    """Several parts behind one another."""
    if not parts:
        return rows_of([])
    return parts[0] if len(parts) == 1 else EventRows(*map(np.concatenate, zip(*parts, strict=True)))


class Met(NamedTuple):
    """Events that were met at nodes. far: their other ends; parts: where they stand, as columns and places in them."""

    far: Ints
    parts: list[tuple[EventRows, NDArray[np.intp]]]

    def among(self, kept: NDArray[np.bool_]) -> Met:
        """Those that are kept."""
        parts, at = [], 0
        for rows, places in self.parts:
            parts.append((rows, places[kept[at : at + len(places)]]))
            at += len(places)
        return Met(self.far[kept], parts)


def in_order(found: Sequence[Met]) -> EventRows:
    """All that was met, each event once, by number."""
    of: dict[int, tuple[EventRows, list[NDArray[np.intp]]]] = {}
    for met in found:
        for rows, places in met.parts:
            of.setdefault(id(rows), (rows, []))[1].append(places)
    whole = together([rows.among(np.concatenate(places)) for rows, places in of.values()])
    _, first = np.unique(whole.id, return_index=True)
    return whole.among(first)


class _Block:
    """Events that are found by either end."""

    def __init__(self, rows: EventRows) -> None:
        self.rows = rows
        self._ends: dict[tuple[str, frozenset[int] | None], tuple[Ints, Ints, NDArray[np.intp]]] = {}

    def met(self, side: str, ends: Ints, types: frozenset[int] | None) -> tuple[Ints, NDArray[np.intp]]:
        """Other ends and places of the events at these ends."""
        found = self._ends.get((side, types))
        if found is None:
            found = self._ends[side, types] = self._sorted(side, types)
        near, far, places = found
        low, high = near.searchsorted(ends, "left"), near.searchsorted(ends, "right")
        count = high - low
        behind = count.cumsum()
        total = int(behind[-1]) if len(behind) else 0
        at = np.arange(total) + (low - behind + count).repeat(count)
        return far[at], places[at]

    def _sorted(self, side: str, types: frozenset[int] | None) -> tuple[Ints, Ints, NDArray[np.intp]]:
        rows = self.rows
        kept = np.arange(len(rows.id))
        if types is not None:
            kept = kept[np.isin(rows.type, list(types))]
        near, far = (rows.artifact, rows.execution) if side == "artifact" else (rows.execution, rows.artifact)
        order = kept[np.argsort(near[kept], kind="stable")]
        return near[order], far[order], order


class Near:
    """The events at nodes, as one transaction sees them."""

    def __init__(self, events: Events, tx: Tx, blocks: Sequence[_Block] | None, last: int) -> None:
        self._events, self._tx, self._blocks, self._last = events, tx, blocks, last
        self._touched = 0
        self.remembers = blocks is not None  # whether nothing is read

    def hop(self, side: str, ids: Sequence[int], types: frozenset[int] | None) -> Met:
        """The events of artifacts or (side `execution`) executions, in no order. types: only of these."""
        if self._blocks is None:
            rows = self._read(side, ids, types)
            self._touched += len(rows.id)
            far = rows.execution if side == "artifact" else rows.artifact
            return Met(far, [(rows, np.arange(len(far)))])
        ends = np.array(ids, dtype=np.int64)
        found = [block.met(side, ends, types) for block in self._blocks]
        parts = [(block.rows, places) for block, (_, places) in zip(self._blocks, found, strict=True)]
        met = Met(np.concatenate([far for far, _ in found]), parts)
        if self._last < 0:
            return met
        return met.among(np.concatenate([rows.id[places] for rows, places in parts]) <= self._last)

    def _read(self, side: str, ids: Sequence[int], types: frozenset[int] | None) -> EventRows:
        among = "" if types is None else f"AND type IN ({', '.join(str(int(type)) for type in types)})"
        return rows_of(
            self._tx.rows(
                f"SELECT {_COLUMNS} FROM mlmd_event WHERE {side} IN ({each(self._tx, 'ids')}) {among}",
                ids=list(ids),
            )
        )

    def over(self) -> None:
        """The walk has ended; what it had to read is worth remembering when it was much."""
        if self._touched > _MANY:
            self._events.learn(self._tx, _AT_ONCE)


class Events:
    """The events of one store that are in memory, shared by all who read it in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = _Known((), 0)

    def near(self, tx: Tx) -> Near:
        """What a walk in this transaction asks."""
        last = _newest(tx)
        if 0 < last - self._known.last <= _SOON:
            self.learn(tx, _SOON)
        blocks, known = self._known
        if known < last or not blocks:
            return Near(self, tx, None, -1)
        return Near(self, tx, blocks, last if known > last else -1)

    def learn(self, tx: Tx, count: int) -> None:
        """Bring so many more events into memory, as far as there are; none of a store of too many."""
        with self._lock:
            blocks, last = self._known
            if _newest(tx) > MOST:
                self._known = _Known((), 0)
                return
            found = tx.rows(
                f"SELECT {_COLUMNS} FROM mlmd_event WHERE id > :after ORDER BY id LIMIT :count",
                after=last,
                count=count,
            )
            if found:
                self._known = _Known(_grown(blocks, rows_of(found)), found[-1][0])


class _Known(NamedTuple):
    """Events in memory, and the number of the newest of them."""

    blocks: tuple[_Block, ...]
    last: int


def _newest(tx: Tx) -> int:
    return int(tx.value("SELECT COALESCE(max(id), 0) FROM mlmd_event"))


def _grown(blocks: tuple[_Block, ...], new: EventRows) -> tuple[_Block, ...]:
    """The blocks with newer events: those that came last are apart, for all take long to be put in order."""
    base, tail = blocks[:1], blocks[1:]
    parts = [*(block.rows for block in tail), new]
    size = sum(len(part.id) for part in parts)
    if base and size <= max(_TAIL, len(base[0].rows.id) // 8):
        return (*base, _Block(together(parts)))
    return (_Block(together([*(block.rows for block in base), *parts])),)


_shared: WeakValueDictionary[tuple[str, int], Events] = WeakValueDictionary()
_sharing = threading.Lock()


def shared(url: str, inode: int) -> Events:
    """The events of the store at that address, the same for all who hold them at one time. inode: of its file, 0 without one."""
    with _sharing:
        found = _shared.get((url, inode))
        if found is None:
            found = _shared[url, inode] = Events()
        return found
