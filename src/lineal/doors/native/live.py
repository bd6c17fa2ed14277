"""`GET /live`: a stream of server-sent events that says whenever the record has changed.

What is followed is the number of leaves of the audit log: it grows with every commit, in the order of the commits, whichever
process of the server wrote. One question to the store, asked while anybody listens, serves all listeners of a process. An event
carries that number only; who listens asks again for what they show, with their own permissions.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from lineal.core.errors import Denied, LinealError, Unavailable
from lineal.doors.desk import Desk
from lineal.service import access
from lineal.service.client import now_us
from lineal.service.operations import Caller, Scope

EVERY_S = 0.4  # between two looks at the store
BEAT_S = 5.0  # between two signs of life, with which the token is looked at again
LONGEST_S = 3600.0  # then it ends, and the listener comes again
MOST, MOST_EACH = 500, 24  # listeners of a process, and of one token or address
_SYSTEM = Caller("server", frozenset())
_HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}


class Live:
    """Who listens to one process of the server."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._listening: Counter[str] = Counter()
        self._sequence = -1
        self._moved = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return self._listening.total()

    async def answer(self, request: Request) -> Response:
        """The stream. Raises Denied: the caller may not read. Unavailable: too many listen already."""
        caller: Caller = request.state.caller
        if "record:read" not in caller.grants:
            raise Denied(f"{caller.actor} may not do this: it needs 'record:read'", permission="record:read")
        who = caller.token or (request.client.host if request.client else "")
        if self.listeners >= MOST or self._listening[who] >= MOST_EACH:
            raise Unavailable("too many listen already", hint="ask now and then instead")
        return StreamingResponse(self._events(caller, who), media_type="text/event-stream", headers=_HEADERS)

    async def _events(self, caller: Caller, who: str) -> AsyncIterator[bytes]:
        self._listening[who] += 1
        try:
            if self._watch is None or self._watch.done():
                self._sequence = -1
                self._watch = asyncio.create_task(self._look())
            open_to_all = not caller.token and not await self._tokens()
            told, end, beat = -1, time.monotonic() + LONGEST_S, time.monotonic() + BEAT_S
            yield b"retry: 2000\n\n"
            while not self._desk.stopping and time.monotonic() < end:
                moved = self._moved
                if self._sequence not in (told, -1):
                    told = self._sequence
                    yield b'id: %d\nevent: moved\ndata: {"sequence": %d}\n\n' % (told, told)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), EVERY_S)
                if time.monotonic() > beat:
                    beat = time.monotonic() + BEAT_S
                    if not await self._still(caller, open_to_all=open_to_all):
                        return
                    yield b": here\n\n"
        finally:
            self._listening[who] -= 1
            if not self._listening[who]:
                del self._listening[who]

    async def _look(self) -> None:
        """Look at the store as long as anybody listens."""
        while self.listeners and not self._desk.stopping:
            with contextlib.suppress(LinealError):
                found = await self._desk.read(lambda scope: scope.store.audit.get_head(scope.tx)[0], _SYSTEM)
                if found != self._sequence:
                    self._sequence = found
                    self._moved.set()
                    self._moved = asyncio.Event()
            await asyncio.sleep(EVERY_S)

    async def _tokens(self) -> bool:
        """Whether a token was ever made."""
        return bool(await self._desk.read(lambda scope: scope.store.tokens.has_tokens(scope.tx), _SYSTEM))

    async def _still(self, caller: Caller, *, open_to_all: bool) -> bool:
        """Whether the caller would still be let in."""
        if not caller.token:
            return not (open_to_all and await self._tokens())

        def valid(scope: Scope) -> bool:
            record = scope.store.tokens.get_token(scope.tx, caller.token)
            return record is not None and access.state(record, now_us()) == "valid"

        try:
            return bool(await self._desk.read(valid, _SYSTEM))
        except LinealError:
            return True  # the store does not answer; the next beat asks again


def routes(desk: Desk, prefix: str) -> list[BaseRoute]:
    """The route of the stream."""
    live = Live(desk)
    return [Route(f"{prefix}/live", live.answer, methods=["GET"], name="live")]
