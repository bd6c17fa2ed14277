"""Events on their way in: single ones and batches that arrive together are written together, and each gets its own answer."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from lineal.core.errors import Invalid, LinealError, Unavailable
from lineal.core.openlineage import DOOR
from lineal.doors.desk import Desk
from lineal.doors.openlineage.read import read
from lineal.service.openlineage import Received, take_in
from lineal.service.operations import Caller, Scope

_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


class Failure(msgspec.Struct, frozen=True):
    """An event that was not taken: its place in the batch, why, and whether sending it again may help."""

    index: int
    reason: str
    retriable: bool


@dataclass(slots=True)
class _Waiting:
    """The events of one request, until they are written."""

    events: Sequence[Received]
    caller: Caller
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Drain:
    """One write that takes what waits when it begins; run again after a failure, it takes the same."""

    hall: Hall
    taken: list[_Waiting] = field(default_factory=list)

    def __call__(self, scope: Scope) -> None:
        self.hall.scheduled = (
            False  # who comes from here on has a write of their own, or is taken by this one
        )
        while self.hall.waiting:
            self.taken.append(self.hall.waiting.popleft())
        by_actor: dict[str, list[Received]] = {}
        for entry in self.taken:
            by_actor.setdefault(entry.caller.actor, []).extend(entry.events)
        for actor, events in by_actor.items():
            take_in(replace(scope, actor=actor, door=DOOR), events)


class Hall:
    """Where events wait for the write that takes them along."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.waiting: deque[_Waiting] = deque()
        self.scheduled = False

    async def take(self, events: Sequence[Received], caller: Caller) -> None:
        """Keep events, all or none. Raises what stood in the way; Unavailable: it may help to send them again."""
        entry = _Waiting(events, caller, asyncio.get_running_loop().create_future())
        self.waiting.append(entry)
        if not self.scheduled:
            await self._write(caller)
        await entry.done  # where another write took it along, that one tells

    async def _write(self, caller: Caller) -> None:
        self.scheduled = True
        drain = _Drain(self)
        failed: BaseException | None = None
        try:
            await self._desk.write(drain, caller, action="", body=b"")
        except BaseException as error:  # noqa: BLE001 - told to everybody whose events these were
            failed = error
            if not drain.taken:  # it never began
                self.scheduled = False
                while self.waiting:
                    drain.taken.append(self.waiting.popleft())
        if failed is not None and len(drain.taken) > 1 and isinstance(failed, LinealError):
            await self._apart(drain.taken)
            return
        for entry in drain.taken:
            _settle(entry, failed)

    async def _apart(self, taken: list[_Waiting]) -> None:
        """Write each request by itself, so that none fails because of another."""
        for entry in taken:
            failed: BaseException | None = None
            try:
                await self._alone(entry.events, entry.caller)
            except BaseException as error:  # noqa: BLE001 - told to the one whose events these were
                failed = error
            _settle(entry, failed)

    async def _alone(self, events: Sequence[Received], caller: Caller) -> None:
        def write(scope: Scope) -> None:
            take_in(replace(scope, door=DOOR), events)

        await self._desk.write(write, caller, action="", body=b"")

    async def take_some(self, events: Sequence[tuple[int, Received]], caller: Caller) -> list[Failure]:
        """Keep as many of the events as can be; those that were not."""
        try:
            await self.take([event for _, event in events], caller)
            return []
        except LinealError as error:
            if len(events) == 1:
                return [failure(events[0][0], error)]
        failures: list[Failure] = []
        for index, event in events:
            try:
                await self._alone([event], caller)
            except LinealError as error:
                failures.append(failure(index, error))
        return failures


def failure(index: int, error: LinealError) -> Failure:
    """What is told of an event that was not taken."""
    hint = f"; {error.hint}" if error.hint else ""
    return Failure(index, f"{error.message}{hint}", isinstance(error, Unavailable))


def received(raw: bytes) -> Received:
    """An event with what it says. Raises Invalid."""
    return Received(raw, read(raw))


def received_each(body: bytes) -> tuple[list[tuple[int, Received]], list[Failure], int]:
    """The events of a batch with their places, those that cannot be understood, and how many there are.

    Raises Invalid: the body is no JSON array.
    """
    events: list[tuple[int, Received]] = []
    failures: list[Failure] = []
    parts = _parts(body)
    for index, part in enumerate(parts):
        try:
            events.append((index, received(bytes(part))))
        except LinealError as error:
            failures.append(failure(index, error))
    return events, failures, len(parts)


def _parts(body: bytes) -> Sequence[bytes | msgspec.Raw]:
    """The texts of a batch's events, each as it came."""
    try:
        return _split(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _cut(body)


def _cut(body: bytes) -> list[bytes]:
    """The same for a body that is no strict JSON, or nested very deep: cut at the commas between its outermost elements."""
    text = body.strip()
    if not text.startswith(b"[") or not text.endswith(b"]"):
        raise Invalid("the body is no JSON array", hint="send a list of events")
    parts: list[bytes] = []
    depth, begin = 0, 1
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in b"[{":
            depth += 1
        elif token in b"]}":
            depth -= 1
            if depth == 0 and found.end() != len(text):
                raise Invalid(
                    "the body is no JSON array: its brackets do not match", hint="send a list of events"
                )
        elif token == b"," and depth == 1:
            parts.append(text[begin : found.start()].strip())
            begin = found.end()
    if depth:
        raise Invalid("the body is no JSON array: its brackets do not match", hint="send a list of events")
    last = text[begin:-1].strip()
    return [*parts, last] if last or parts else []


def _settle(entry: _Waiting, failed: BaseException | None) -> None:
    if entry.done.done():
        return
    if failed is None:
        entry.done.set_result(None)
    else:
        entry.done.set_exception(failed)
