"""Group commit: several changes in one transaction, each of them whole or not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from lineal.core.errors import Conflict, LinealError, Unavailable
from lineal.core.ids import sha256
from lineal.service import operations
from lineal.service.operations import Caller, Scope
from lineal.store.audit import Leaf
from lineal.store.base import AuditStore
from lineal.store.open import Store
from lineal.store.tx import Tx, undoable

_PATIENCE_S = 10.0  # how long a change waits for a database that went away
_ENGINES = ("apsw", "psycopg")


@dataclass(slots=True)
class Change:
    """One change that waits. body: for the audit leaf, an empty action makes none; told: the request, if not `body`."""

    function: Callable[[Scope], Any]
    caller: Caller
    done: asyncio.Future[Any]
    action: str = ""
    body: bytes = b""
    key: str = ""
    reply: Any = Any
    told: Callable[[], bytes] | None = None
    error: BaseException | None = None
    value: Any = None


@dataclass(slots=True)
class Counts:
    """What the writer did so far."""

    changes: int = 0
    commits: int = 0
    retries: int = 0
    largest: int = 0
    busy_s: float = 0.0


class Commits:
    """Writes groups of changes into a store, from one thread. scope_of: what a change works in."""

    def __init__(self, store: Store, scope_of: Callable[[Tx, Store, Caller], Scope], counts: Counts) -> None:
        self._store = store
        self._scope_of = scope_of
        self._counts = counts

    def write(self, group: list[Change]) -> None:
        """Write a group in one transaction; where that fails as a whole, each of it in its own."""
        deadline = time.monotonic() + _PATIENCE_S
        try:
            # Where a statement is a journey to another machine, savepoints are only set once something was refused.
            try:
                self._transact(group, savepoints=len(group) > 1 and not is_remote(self._store))
            except _RefusedError:
                self._transact(group, savepoints=True)
        except _UnsureError as error:
            for change in group:
                change.error = error
        except Exception as error:  # noqa: BLE001 - every failure is told to the one whose change it is
            if len(group) == 1 and not is_remote(self._store):
                group[0].error = error
                return
            away: Unavailable | None = None
            for change in group:
                away = self._alone(change, deadline) if away is None else away
                change.error = away or change.error

    def _alone(self, change: Change, deadline: float) -> Unavailable | None:
        """Write one change; wait until the deadline for a database that went away. The error when it stayed away."""
        pause = 0.01
        while True:
            change.error = None
            try:
                self._transact([change], savepoints=False)
                return None
            except _UnsureError as error:
                change.error = error
                return None
            except Unavailable as error:
                change.error = error
                if not is_remote(self._store) or not _failed(error):
                    return None
                if time.monotonic() + pause > deadline:
                    return error
            except Exception as error:  # noqa: BLE001 - as above
                change.error = error
                return None
            self._counts.retries += 1
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _transact(self, group: list[Change], *, savepoints: bool) -> None:
        """Run a group's changes in one transaction.

        Raises Unavailable: nothing was kept. _UnsureError: something may have been. _RefusedError: one of several was
        refused and there are no savepoints; nothing was kept.
        """
        committing = False
        try:
            with self._store.write() as tx:
                later = Later(self._store.audit)
                for change in group:
                    self._one(tx, change, later, alone=len(group) == 1, savepoint=savepoints)
                if later.leaves:
                    self._store.audit.add_leaves(tx, later.leaves)
                tx.settle()
                committing = True
        except Unavailable as error:
            if committing and is_remote(self._store):
                raise _UnsureError(
                    f"the database went away while it was to keep this; it may have: {error.message}",
                    hint="look whether it is there, or send it again with the same Idempotency-Key",
                ) from error
            raise
        except LinealError as error:
            if len(group) > 1:
                raise
            group[0].error = error
        self._counts.commits += 1

    def _one(self, tx: Tx, change: Change, later: Later, *, alone: bool, savepoint: bool) -> None:
        """Run one change; what it refuses is its own matter, everything else fails the group."""
        change.error = None
        scope = self._scope_of(tx, replace(self._store, audit=later), change.caller)
        appended = len(later.leaves)
        try:
            with undoable(tx) if savepoint else nullcontext():
                change.value = self._done(scope, change)
        except LinealError as error:
            if alone or _failed(error):
                raise  # the transaction is all its own, or lost
            if not savepoint:
                raise _RefusedError from error
            change.error = error
            del later.leaves[appended:]

    def _done(self, scope: Scope, change: Change) -> Any:
        """The reply of one change: made now, or the one kept for the same key."""
        if not change.key:
            return self._run(scope, change)
        asked = change.caller.token or change.caller.actor
        digest = sha256(change.told() if change.told else change.body)
        kept = scope.store.replies.get_reply(scope.tx, change.caller.door, asked, change.key, at=scope.at)
        if kept is not None:
            if kept[0] != digest:
                raise Conflict(
                    f"the Idempotency-Key {change.key!r} came with another request before",
                    hint="use a new key for a new request",
                )
            return msgspec.json.decode(kept[1], type=change.reply)
        value = self._run(scope, change)
        body = msgspec.json.encode(value)
        if not scope.store.replies.add_reply(
            scope.tx, change.caller.door, asked, change.key, digest=digest, body=body, at=scope.at
        ):
            raise _AgainError("another server is answering the very same request", hint="send it again")
        return value

    def _run(self, scope: Scope, change: Change) -> Any:
        value = change.function(scope)
        if change.action:
            operations.add_leaf(scope, change.action, change.body)
        return value


class Later:
    """An AuditStore that appends its leaves at the end of the transaction, all at once.

    From the first leaf to the commit every other server waits; so the leaves come last, after the work of the whole group.
    """

    def __init__(self, audit: AuditStore) -> None:
        self._audit = audit
        self.leaves: list[Leaf] = []

    def add_leaf(
        self, tx: Tx, *, door: str, actor: str, action: str, digest: str, body: bytes, at: int
    ) -> int:
        """Keep a leaf for the end. The number given back is 0: it is not known yet."""
        self.leaves.append(Leaf(door=door, actor=actor, action=action, digest=digest, body=body, at=at))
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._audit, name)


class _RefusedError(Exception):
    """One of several changes was refused where no savepoint stands before it."""


class _AgainError(Unavailable):
    """What came in between will be seen by another try."""


class _UnsureError(Unavailable):
    """Whether the change was kept is not known."""


def _failed(error: LinealError) -> bool:
    """Whether the database failed, rather than a rule refused: then the transaction is lost, and another may succeed."""
    cause = error.__cause__
    return isinstance(error, _AgainError) or (
        isinstance(error, Unavailable)
        and cause is not None
        and type(cause).__module__.partition(".")[0] in _ENGINES
    )


def is_remote(store: Store) -> bool:
    """Whether a statement is a journey to another process."""
    return store.engine.url.startswith("postgres")
