"""Changes that arrive while one is being written are written together: one transaction, and each request gets its own answer.

The desk groups changes too, each in a part of its own. Here they become one change, for doors that write many in far fewer
statements than one by one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from lineal.core.errors import LinealError, Unavailable
from lineal.doors.desk import Desk
from lineal.service.operations import Caller, Scope

T = TypeVar("T")


@dataclass(slots=True)
class Waiting(Generic[T]):
    """What one request brought. error: why it alone was refused, set by who writes it."""

    item: T
    caller: Caller
    done: asyncio.Future[None]
    error: LinealError | None = None


Write = Callable[[Scope, list[Waiting[T]]], None]


class Gathering(Generic[T]):
    """One kind of change that is gathered.

    Args:
        write: keeps what several requests brought, in the transaction of the scope. It may run again after a failure, with
            the same and further ones. It sets the `error` of an entry that it refuses, or raises: then each is written alone.
    """

    def __init__(self, write: Write[T]) -> None:
        self._write = write
        self._rooms: WeakKeyDictionary[Desk, _Room[T]] = WeakKeyDictionary()

    async def put(self, desk: Desk, item: T, caller: Caller) -> None:
        """Keep what a request brought; it is on disk when this returns.

        Raises what stood in the way of it; Unavailable: it may help to send it again.
        """
        room = self._rooms.get(desk) or self._rooms.setdefault(desk, _Room(desk, self._write))
        await room.put(item, caller)

    def waiting_count(self, desk: Desk) -> int:
        """How many requests wait for a write that has not begun."""
        room = self._rooms.get(desk)
        return 0 if room is None else len(room.waiting)


@dataclass(slots=True)
class _Drain(Generic[T]):
    """One write that takes what waits when it begins; run again after a failure, it takes the same."""

    room: _Room[T]
    taken: list[Waiting[T]] = field(default_factory=list)

    def __call__(self, scope: Scope) -> None:
        self.room.scheduled = (
            False  # who comes from here on has a write of their own, or is taken by this one
        )
        while self.room.waiting:
            self.taken.append(self.room.waiting.popleft())
        for entry in self.taken:
            entry.error = None
        self.room.write(scope, self.taken)


class _Room(Generic[T]):
    """Where requests wait for the write that takes them along."""

    def __init__(self, desk: Desk, write: Write[T]) -> None:
        self._desk = desk
        self.write = write
        self.waiting: deque[Waiting[T]] = deque()
        self.scheduled = False
        self._writes: set[asyncio.Task[None]] = set()

    async def put(self, item: T, caller: Caller) -> None:
        loop = asyncio.get_running_loop()
        entry = Waiting(item, caller, loop.create_future())
        self.waiting.append(entry)
        if not self.scheduled:
            self.scheduled = True
            # Not this request's own: it may be given up while others depend on the write.
            task = loop.create_task(self._drain(caller))
            self._writes.add(task)
            task.add_done_callback(self._writes.discard)
        await entry.done

    async def _drain(self, caller: Caller) -> None:
        drain = _Drain(self)
        failed: BaseException | None = None
        try:
            await self._desk.write(drain, caller, action="", body=b"")
        except BaseException as error:  # noqa: BLE001 - told to everybody whose change it was
            failed = error
            if not drain.taken:  # it never began
                self.scheduled = False
                while self.waiting:
                    drain.taken.append(self.waiting.popleft())
        refused = isinstance(failed, LinealError) and not isinstance(failed, Unavailable)
        if refused and len(drain.taken) > 1:
            for entry in drain.taken:
                _settle(entry, await self._alone(entry))
        else:
            for entry in drain.taken:
                _settle(entry, failed)

    async def _alone(self, entry: Waiting[T]) -> BaseException | None:
        """Write what one request brought, so that none fails because of another; why it failed."""
        entry.error = None
        try:
            await self._desk.write(
                lambda scope: self.write(scope, [entry]), entry.caller, action="", body=b""
            )
        except BaseException as error:  # noqa: BLE001 - told to the one whose change it was
            return error
        return None


def _settle(entry: Waiting[T], failed: BaseException | None) -> None:
    error = failed or entry.error
    if entry.done.done():
        return
    if error is None:
        entry.done.set_result(None)
    else:
        entry.done.set_exception(error)
