"""Tells another system of our own runs as OpenLineage events, at least once each, and goes on where it stopped.

Of several servers of one store one sends at a time: who holds the lease. It lapses when its holder dies, and another goes on.
The address comes from whoever starts the server, never from a request. What could not be delivered is tried again, more and more
seldom; what the other side calls wrong for good is left out and named in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import secrets
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from lineal.core.errors import Invalid, LinealError
from lineal.core.ids import sha256
from lineal.server.log import Log
from lineal.server.writer import Desk
from lineal.service import openlineage_out as out
from lineal.service.operations import Caller
from lineal.service.threads import Threads

_SENDER = Caller("server", frozenset())
_TIMEOUT_S = 30.0
_EVERY_S, _LONGEST_S = 1.0, 60.0
_LEASE_S = 10.0  # of who sends; renewed once half of it is over
_AGAIN = frozenset({401, 403, 404, 408, 425, 429})


class Target:
    """Where events are sent: the address of an OpenLineage receiver. key: a bearer token, if it wants one.

    Raises Invalid: the address is none of http or https, or holds a user or a query.
    """

    def __init__(self, url: str, key: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise Invalid(
                f"--forward-openlineage {parts.scheme}://{parts.hostname or ''}",
                hint="give http://HOST:PORT or https://HOST; a token belongs into LINEAL_FORWARD",
            )
        self._parts = parts
        self._key = key
        path = parts.path.rstrip("/")
        self._path = path if path.endswith("/lineage") else f"{path}/api/v1/lineage"
        self.name = sha256(f"{parts.scheme}://{parts.netloc}{self._path}".encode())[7:39]

    def send(self, events: Sequence[bytes]) -> list[str]:
        """Send events one by one; what the other side said of those that it calls wrong for good.

        Raises OSError, http.client.HTTPException: it did not answer, or not now.
        """
        host, port = self._parts.hostname or "", self._parts.port
        connection: http.client.HTTPConnection
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        refused: list[str] = []
        try:
            for event in events:
                headers = {"Content-Type": "application/json", "User-Agent": "lineal"}
                if self._key:
                    headers["Authorization"] = f"Bearer {self._key}"
                connection.request("POST", self._path, event, headers)
                answer = connection.getresponse()
                said = answer.read(1000)
                if answer.status >= 500 or answer.status in _AGAIN:
                    raise OSError(f"it answered {answer.status}")
                if answer.status >= 300:
                    refused.append(f"{answer.status} {said[:200]!r}")
        finally:
            connection.close()
        return refused


class Forward:
    """Forwards for one server, while it runs."""

    def __init__(self, desk: Desk, log: Log, target: Target | None) -> None:
        self._desk, self._log, self._target = desk, log, target
        self._sending = Threads(1, "forward")
        self._task: asyncio.Task[None] | None = None
        self._sender = secrets.token_hex(16)
        self._mine_until = 0.0  # by the monotonic clock

    def begin(self) -> None:
        """Begin to forward."""
        if self._target is not None:
            self._task = asyncio.ensure_future(self._go_on(self._target))

    async def end(self) -> None:
        """Forward no more; what is under way may be sent again by the next server."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._release()
        self._sending.shutdown()

    async def _go_on(self, target: Target) -> None:
        pause_s = _EVERY_S
        while True:
            try:
                more = await self._once(target)
                pause_s = 0.0 if more else _EVERY_S
            except (LinealError, OSError, http.client.HTTPException) as error:
                self._log.tell("events could not be forwarded", level="warning", error=str(error)[:300])
                pause_s = min(max(pause_s, _EVERY_S / 2) * 2, _LONGEST_S)
            await asyncio.sleep(pause_s)

    async def _once(self, target: Target) -> bool:
        """Tell what is due, if it is this server's turn; whether there may be more."""
        due: out.Due = await self._desk.read(lambda scope: out.due(scope, target.name), _SENDER)
        if not due.runs and not due.moved:
            return False
        held = time.monotonic() < self._mine_until
        if not await self._claim(target):
            return False
        if not held:  # who held the lease before may have told of these
            due = await self._desk.read(lambda scope: out.due(scope, target.name), _SENDER)
        events = [event for run in due.runs for event in run.events]
        for said in await self._send(target, events) if events else ():
            self._log.tell("an event was refused", level="warning", said=said)
        if due.moved or due.runs:
            await self._desk.write(
                lambda scope: out.note(scope, target.name, due.runs, due.position),
                _SENDER,
                action="",
                body=b"",
            )
        return due.more

    async def _send(self, target: Target, events: list[bytes]) -> list[str]:
        """Send events, and keep the lease for as long as that takes; what was refused for good."""
        sending = asyncio.get_running_loop().run_in_executor(self._sending, target.send, events)
        while not sending.done():
            await asyncio.wait({sending}, timeout=_LEASE_S / 4)
            await self._claim(target)
        return await sending

    async def _claim(self, target: Target) -> bool:
        """Whether this server may send: it holds the lease for a while yet, or gets it now."""
        now = time.monotonic()
        if now < self._mine_until - _LEASE_S / 2:
            return True
        mine: bool = await self._desk.write(
            lambda scope: out.claim(scope, target.name, self._sender, int(_LEASE_S * 1e6)),
            _SENDER,
            action="",
            body=b"",
        )
        self._mine_until = now + _LEASE_S if mine else 0.0
        return mine

    async def _release(self) -> None:
        """Let another server go on at once."""
        target = self._target
        if target is not None and self._mine_until:
            with contextlib.suppress(LinealError):
                await self._desk.write(
                    lambda scope: out.release(scope, target.name, self._sender), _SENDER, action="", body=b""
                )
