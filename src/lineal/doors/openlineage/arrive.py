"""Events on their way in: single ones and batches that arrive together are written together, and each gets its own answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from lineal.core.errors import Invalid, LinealError, Unavailable
from lineal.core.openlineage import DOOR
from lineal.doors.desk import Desk
from lineal.doors.gathering import Gathering, Waiting
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


def _keep(scope: Scope, waiting: list[Waiting[Sequence[Received]]]) -> None:
    by_actor: dict[str, list[Received]] = {}
    for entry in waiting:
        by_actor.setdefault(entry.caller.actor, []).extend(entry.item)
    for actor, events in by_actor.items():
        take_in(replace(scope, actor=actor, door=DOOR), events)


_events = Gathering(_keep)


async def take(desk: Desk, events: Sequence[Received], caller: Caller) -> None:
    """Keep events, all or none. Raises what stood in the way; Unavailable: it may help to send them again."""
    await _events.put(desk, events, caller)


async def take_some(desk: Desk, events: Sequence[tuple[int, Received]], caller: Caller) -> list[Failure]:
    """Keep as many of the events as can be; those that were not."""
    try:
        await take(desk, [event for _, event in events], caller)
        return []
    except Unavailable as error:
        return [failure(index, error) for index, _ in events]
    except LinealError as error:
        if len(events) == 1:
            return [failure(events[0][0], error)]
    failures: list[Failure] = []
    for index, event in events:
        try:
            await take(desk, [event], caller)
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
