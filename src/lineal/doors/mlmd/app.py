"""The door: bytes of a call in, bytes of its answer out. Calls that change something are gathered and written together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import DecodeError

from lineal.core import mlmd
from lineal.core.errors import Denied, Invalid, LinealError, NotFound
from lineal.core.mlmd import DOOR
from lineal.core.mlmd_requests import Put
from lineal.doors.desk import Desk
from lineal.doors.gathering import Gathering, Waiting
from lineal.doors.mlmd.verbs import READING, WRITING, request_class
from lineal.service.mlmd import Received, take_in
from lineal.service.operations import Caller, Scope

SERVICE = "ml_metadata.MetadataStoreService"
METHODS = frozenset({*READING, *WRITING})
_MOST = 4096  # calls that wait; more are asked to come again


@dataclass(slots=True)
class _Call:
    """A call that changes something. answer: what it put, once that is written."""

    received: Received
    caller: Caller
    answer: Put | None = None


class Door:
    """Answers the calls of the service."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

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

    async def _take(self, received: Received, caller: Caller) -> Put:
        if _calls.waiting_count(self._desk) >= _MOST:
            raise mlmd.refusal(
                "RESOURCE_EXHAUSTED",
                "the server has more calls waiting than it can take",
                "send it again later",
            )
        call = _Call(received, caller)
        await _calls.put(self._desk, call, replace(caller, namespace=""))  # each call's own stands beside it
        assert call.answer is not None  # it is written, or what stood in the way was raised
        return call.answer


def _keep(scope: Scope, waiting: list[Waiting[_Call]]) -> None:
    by_caller: dict[tuple[str, str], list[Waiting[_Call]]] = {}
    for entry in waiting:
        caller = entry.item.caller
        by_caller.setdefault((caller.actor, caller.namespace), []).append(entry)
    for (actor, namespace), entries in by_caller.items():
        mine = replace(scope, actor=actor, namespace=namespace or scope.namespace, door=DOOR)
        answers = take_in(mine, [entry.item.received for entry in entries])
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, LinealError):
                entry.error = answer
            else:
                entry.item.answer = answer


_calls = Gathering(_keep)


def _parsed(method: str, raw: bytes) -> Any:
    try:
        return request_class(method).FromString(raw)
    except DecodeError as error:
        raise Invalid(
            f"the message of {method} cannot be read: {str(error)[:200]}",
            hint="send it as ml_metadata does; texts are UTF-8, and nothing is nested more than 100 deep",
        ) from None


def _bytes(answer: Any) -> bytes:
    """An answer as it is sent; some are made of bytes at once."""
    return answer if isinstance(answer, bytes) else bytes(answer.SerializeToString())
