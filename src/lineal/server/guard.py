"""The one outer layer of every door: who asks, from where, how much; and what each answer carries.

Nothing reaches a door before it has passed here, and every error of a door becomes an answer here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from lineal.server.config import Config
from lineal.server.log import Log
from lineal.server.metrics import Metrics
from lineal.server.refusals import Headers, RefusedError, answer
from lineal.service.operations import ALL_PERMISSIONS, Caller

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class Guard:
    """Wraps the application."""

    def __init__(self, app: App, config: Config, log: Log, metrics: Metrics) -> None:
        self._app = app
        self._config = config
        self._log = log
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's life."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = os.urandom(8).hex()
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    *_ALWAYS,
                    (b"x-request-id", request_id.encode()),
                ]
                if not any(name == b"content-security-policy" for name, _ in message["headers"]):
                    message["headers"].append(_POLICY)
            await send(message)

        try:
            scope["state"]["caller"] = self._caller(headers)
            await self._app(scope, receive, told)
        except Exception as error:
            if status:
                raise
            code, more, body = answer(error, request_id)
            if code == 500:
                self._log.failed(error, request_id=request_id)
            await told(
                {
                    "type": "http.response.start",
                    "status": code,
                    "headers": [*more, (b"content-length", str(len(body)).encode())],
                }
            )
            await told({"type": "http.response.body", "body": body})
        finally:
            took = time.perf_counter() - began
            self._metrics.answered(scope, status, took)
            self._log.request(scope, status, took, request_id)

    def _caller(self, headers: dict[bytes, bytes]) -> Caller:
        namespace = unquote(headers.get(b"lineal-project", b"").decode("latin-1"))
        actor = unquote(headers.get(b"lineal-actor", b"").decode("latin-1"))
        return Caller(actor, ALL_PERMISSIONS, namespace=namespace)


__all__ = ["Guard", "RefusedError"]
