"""Where requests meet the store: one thread writes, a few read, and nothing else touches a connection.

Group commit: the writer takes the first waiting change and everything that arrived while it was busy, runs each inside a
savepoint of one transaction and commits once. A lone change commits at once; there is never a timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from lineal.core.errors import Unavailable
from lineal.server.commit import Change, Commits, Counts, is_remote
from lineal.service import operations
from lineal.service.client import now_us
from lineal.service.operations import Caller, Operation, Scope
from lineal.service.threads import Threads
from lineal.store.blobs import Blobs
from lineal.store.open import Store, open_store
from lineal.store.tx import Tx

GROUP = 256  # most changes in one transaction
WAITING = 4096  # most changes that wait; more are refused, and asked to come again
READERS = 4
QUERY_S = 30.0  # how long a question may take
_LONG = frozenset({"fsck"})  # questions that look at everything
_FORGET_EVERY_S = 600.0
_BUSY = "the server has more changes waiting than it can take"
_STOPPING = "the server is stopping and takes no more changes"


class BusyError(Unavailable):
    """More is asked than can be answered now; nothing was done."""


class Desk:
    """Answers for one process of the server. Open it inside the event loop, close it there too."""

    def __init__(
        self, store_url: str, blobs: Blobs | None, *, namespace: str, readers: int = READERS
    ) -> None:
        self._url = store_url
        self._namespace = namespace
        self.blobs = blobs
        self.counts = Counts()
        self.table = operations.table()
        self.stopping = False
        self._queue: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self._waiting = 0
        self._reading = 0
        self._mine = threading.local()
        self._readers = Threads(readers, "reader")
        self._long = asyncio.Lock()
        self._thread = threading.Thread(target=self._write_on, name="writer", daemon=True)
        self._stores: list[Store] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forget_at = time.monotonic() + 60

    # ---- for doors -----------------------------------------------------------------------------------------------------

    async def ask(self, name: str, request: Any, *, caller: Caller, key: str = "") -> Any:
        """The reply of one operation. key: an Idempotency-Key; used again, it gives the first reply again.

        Raises Denied, and what the operation raises; Unavailable: the server stops, or too many wait.
        """
        found = self.table[name]
        operations.refuse_denied(found, caller.grants, caller.actor)
        if not found.write:
            return await self.read(
                lambda scope: operations.perform(found, request, scope), caller, long=name in _LONG
            )
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        change = Change(
            lambda scope: operations.perform(found, request, scope),
            caller,
            done,
            key=key,
            reply=found.reply,
            told=lambda: _told(found, request),
        )
        return await self._put(change)

    async def read(self, function: Callable[[Scope], Any], caller: Caller, *, long: bool = False) -> Any:
        """What the function gives back; it runs in a thread, in one reading transaction.

        long: it may take as long as it takes, one such at a time. Raises Invalid: it takes longer than a question may.
        """
        if self._reading >= WAITING:
            raise BusyError(
                "the server has more questions waiting than it can answer", hint="ask again later"
            )
        self._reading += 1
        try:
            if long:
                async with self._long:
                    return await _apart(lambda: self._unlimited(function, caller))
            return await asyncio.get_running_loop().run_in_executor(
                self._readers, self._answer, function, caller
            )
        finally:
            self._reading -= 1

    async def write(
        self,
        function: Callable[[Scope], Any],
        caller: Caller,
        *,
        action: str,
        body: bytes,
        key: str = "",
        reply: Any = Any,
    ) -> Any:
        """What the function gives back, once all that it changed is on disk together with an audit leaf.

        Args:
            action, body: what the leaf says was done; an empty action leaves none (the function made its own).
            reply: the type of what comes back, by which a repeated call with the same `key` is answered.
        """
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return await self._put(Change(function, caller, done, action, body, key, reply))

    def write_later(self, function: Callable[[Scope], Any], caller: Caller) -> None:
        """Have the function change the record some time soon; nobody waits for it, and nobody is told when it fails."""
        if not self.stopping and self._waiting < WAITING:
            self._waiting += 1
            done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            done.cancel()
            self._queue.put(Change(function, caller, done))

    @property
    def waiting(self) -> int:
        """How many changes wait or are being written."""
        return self._waiting

    def refuse(self) -> None:
        """Take no more changes; those that wait are still written."""
        self.stopping = True

    # ---- life ----------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the store, brought to the newest schema, and begin. Raises what `open_store` raises."""
        self._loop = asyncio.get_running_loop()
        self._first = self._loop.create_future()
        self._thread.start()
        await self._first

    async def close(self) -> None:
        """Write what waits, then let go of the store."""
        self.stopping = True
        self._queue.put(None)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._readers, self._thread.join)
        self._readers.shutdown()
        for store in self._stores:
            store.close()

    @property
    def alive(self) -> bool:
        """Whether the writing thread works."""
        return self._thread.is_alive()

    # ---- reading -------------------------------------------------------------------------------------------------------

    def _unlimited(self, function: Callable[[Scope], Any], caller: Caller) -> Any:
        store = open_store(self._url)
        try:
            return self._once(store, function, caller)
        finally:
            store.close()

    def _answer(self, function: Callable[[Scope], Any], caller: Caller) -> Any:
        store: Store | None = getattr(self._mine, "store", None)
        if store is None:
            store = self._mine.store = open_store(self._url)
            store.engine.query_s = QUERY_S
            self._stores.append(store)
        try:
            return self._once(store, function, caller)
        except Unavailable:
            if not is_remote(store):
                raise
            return self._once(store, function, caller)  # a connection that was lost is opened again

    def _once(self, store: Store, function: Callable[[Scope], Any], caller: Caller) -> Any:
        with store.read() as tx:
            return function(self._scope(tx, store, caller))

    def _scope(self, tx: Tx, store: Store, caller: Caller) -> Scope:
        return Scope(
            tx=tx,
            store=store,
            blobs=self.blobs,
            namespace=caller.namespace or self._namespace,
            actor=caller.actor,
            at=now_us(),
            grants=caller.grants,
            door=caller.door,
        )

    # ---- writing -------------------------------------------------------------------------------------------------------

    async def _put(self, change: Change) -> Any:
        if self.stopping:
            raise Unavailable(_STOPPING, hint="send it again in a moment")
        if self._waiting >= WAITING:
            raise BusyError(_BUSY, hint="send it again in a moment")
        self._waiting += 1
        self._queue.put(change)
        return await change.done

    def _write_on(self) -> None:
        """The writing thread."""
        assert self._loop is not None
        try:
            store = open_store(self._url)
        except BaseException as error:  # noqa: BLE001 - told to who opens the desk
            self._loop.call_soon_threadsafe(self._first.set_exception, error)
            return
        self._loop.call_soon_threadsafe(self._first.set_result, None)
        commits = Commits(store, self._scope, self.counts)
        ending = False
        while not ending:
            group, ending = self._next()
            if not group:
                continue
            began = time.monotonic()
            try:
                commits.write(group)
            except BaseException as error:  # noqa: BLE001 - whatever it is: this thread goes on, and those who wait are told
                for change in group:
                    change.error = error
            self.counts.busy_s += time.monotonic() - began
            self.counts.changes += len(group)
            self.counts.largest = max(self.counts.largest, len(group))
            self._loop.call_soon_threadsafe(self._settle, group)
            self._forget(store)
        store.close()

    def _next(self) -> tuple[list[Change], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        group = [first]
        while len(group) < GROUP:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return group, True
            group.append(following)
        return group, False

    def _settle(self, group: list[Change]) -> None:
        """In the event loop: tell everybody who still waits."""
        self._waiting -= len(group)
        for change in group:
            if change.done.done():
                continue
            if change.error is not None:
                change.done.set_exception(change.error)
            else:
                change.done.set_result(change.value)

    def _forget(self, store: Store) -> None:
        """Now and then, remove replies that are kept no longer."""
        if time.monotonic() < self._forget_at:
            return
        self._forget_at = time.monotonic() + _FORGET_EVERY_S
        with contextlib.suppress(Exception), store.write() as tx:
            store.replies.forget_replies(tx, at=now_us())


async def _apart(function: Callable[[], Any]) -> Any:
    """What the function gives back, from a thread of its own for which nobody waits when the server ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def tell(value: Any, error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(value)

    def work() -> None:
        try:
            value, error = function(), None
        except Exception as caught:  # noqa: BLE001 - told to who asked
            value, error = None, caught
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, value, error)

    threading.Thread(target=work, name="long", daemon=True).start()
    return await done


def _told(found: Operation, request: Any) -> bytes:
    return msgspec.json.encode({"operation": found.name, "request": request}, order="sorted")
