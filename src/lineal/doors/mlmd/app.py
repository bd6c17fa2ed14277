"""The door: bytes of a call in, bytes of its answer out. Calls that change something are gathered and written together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.message import DecodeError

from lineal.core import mlmd
from lineal.core.errors import Denied, Invalid, LinealError, NotFound
from lineal.core.mlmd import DOOR
from lineal.core.mlmd_requests import Put
from lineal.doors.desk import Desk
from lineal.doors.mlmd.verbs import READING, WRITING, request_class
from lineal.service.mlmd import Received, take_in
from lineal.service.operations import Caller, Scope

SERVICE = "ml_metadata.MetadataStoreService"
METHODS = frozenset({*READING, *WRITING})
_MOST = 4096  # calls that wait; more are asked to come again


@dataclass(slots=True)
class _Waiting:
    """One call until it is written."""

    call: Received
    caller: Caller
    done: asyncio.Future[Put]


class Door:
    """Answers the calls of the service."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: deque[_Waiting] = deque()
        self._writing: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def answer(self, method: str, raw: bytes, caller: Caller) -> bytes:
        """The bytes of the answer. Raises NotFound: there is no such call; Denied, and what the call itself raises."""
        if method not in METHODS:
            raise NotFound(f"the service has no call {method[:100]!r}", hint="see docs/guide/kubeflow.md")
        needs = "record:write" if method in WRITING else "record:read"
        if needs not in caller.grants:
            raise Denied(
                f"{caller.actor or 'an anonymous caller'} may not {method}: it needs {needs!r}",
                hint="ask an owner of this store for that permission",
                permission=needs,
            )
        message = _parsed(method, raw)
        mine = replace(caller, door=DOOR)
        if method in WRITING:
            asked, told = WRITING[method]
            put = await self._take(Received(method, raw, asked(message)), mine)
            return _bytes(told(put, message))
        found: bytes = await self._desk.read(lambda scope: _bytes(READING[method](scope, message)), mine)
        return found

    async def _take(self, call: Received, caller: Caller) -> Put:
        if len(self._waiting) >= _MOST:
            raise mlmd.refusal(
                "RESOURCE_EXHAUSTED",
                "the server has more calls waiting than it can take",
                "send it again later",
            )
        entry = _Waiting(call, caller, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        if (
            not self._scheduled
        ):  # in a task of its own: who asked first may go away, and others wait for the same write
            self._scheduled = True
            task = asyncio.get_running_loop().create_task(self._write())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return await entry.done

    async def _write(self) -> None:
        """Write all that wait by the time the write begins."""
        drain = _Drain(self)
        first = replace(self._waiting[0].caller, namespace="")  # each call's own stands beside it
        failed: BaseException | None = None
        try:
            await self._desk.write(drain, first, action="", body=b"")
        except BaseException as error:  # noqa: BLE001 - told to everybody whose calls these were
            failed = error
            if not drain.taken:  # it never began
                self._scheduled = False
                while self._waiting:
                    drain.taken.append(self._waiting.popleft())
        if failed is not None and len(drain.taken) > 1 and isinstance(failed, LinealError):
            for entry in drain.taken:
                await self._alone(entry)
            return
        for entry in drain.taken:
            _settle(entry, failed or drain.answers[id(entry)])

    async def _alone(self, entry: _Waiting) -> None:
        """Write one call by itself, so that it does not fail because of another."""
        try:
            answers = await self._desk.write(
                lambda scope: take_in(scope, [entry.call]), entry.caller, action="", body=b""
            )
            _settle(entry, answers[0])
        except BaseException as error:  # noqa: BLE001 - told to the one whose call this was
            _settle(entry, error)

    def take_waiting(self) -> list[_Waiting]:
        """In the writing thread: what the write that begins takes along."""
        taken: list[_Waiting] = []
        self._scheduled = False  # who comes from here on has a write of their own, or is taken by this one
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken


@dataclass(slots=True)
class _Drain:
    """One write that takes what waits when it begins; run again after a failure, it takes the same."""

    door: Door
    taken: list[_Waiting] = field(default_factory=list)
    answers: dict[int, Put | LinealError] = field(default_factory=dict)

    def __call__(self, scope: Scope) -> None:
        self.taken = self.taken or self.door.take_waiting()
        by_caller: dict[tuple[str, str], list[_Waiting]] = {}
        for entry in self.taken:
            by_caller.setdefault((entry.caller.actor, entry.caller.namespace), []).append(entry)
        for entries in by_caller.values():
            self._some(scope, entries)

    def _some(self, scope: Scope, entries: Sequence[_Waiting]) -> None:
        caller = entries[0].caller
        mine = replace(scope, actor=caller.actor, namespace=caller.namespace or scope.namespace, door=DOOR)
        answers = take_in(mine, [entry.call for entry in entries])
        self.answers |= {id(entry): answer for entry, answer in zip(entries, answers, strict=True)}


def _settle(entry: _Waiting, answer: Put | BaseException) -> None:
    if entry.done.done():
        return
    if isinstance(answer, BaseException):
        entry.done.set_exception(answer)
    else:
        entry.done.set_result(answer)


def _parsed(method: str, raw: bytes) -> Any:
    try:
        return request_class(method).FromString(raw)
    except DecodeError as error:
        raise Invalid(
            f"the message of {method} cannot be read: {str(error)[:200]}",
            hint="send it as ml_metadata does; texts are UTF-8, and nothing is nested more than 100 deep",
        ) from None


def _bytes(message: Any) -> bytes:
    return bytes(message.SerializeToString())
