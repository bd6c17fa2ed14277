"""The one outer layer of every door: who asks, from where, how much; and what each answer carries.

Nothing reaches a door before it has passed here, and every error of a door becomes an answer here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute

from lineal.server import page
from lineal.server.config import Config
from lineal.server.limits import Rate, limited, too_often
from lineal.server.log import Log
from lineal.server.metrics import Metrics
from lineal.server.origin import Origins
from lineal.server.refusals import Headers, RefusedError, Shape, answer
from lineal.server.tokens import Gate
from lineal.server.writer import Desk
from lineal.service.operations import Caller

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# What answers everybody, also where a token is needed for all else. Nothing here may tell anything of the record.
OPEN_PATHS = frozenset(
    {
        "/",
        "/health",
        "/ready",
        "/version",
        "/api/3.0/mlflow/server-info",
        "/ajax-api/3.0/mlflow/server-info",
    }
)
# What Prometheus reads; open as long as only this machine can ask.
METRICS_PATH = "/metrics"
# Where journals are delivered: the manifest of one folder may name a million files.
INGEST_PATH = "/api/lineal/v1/ingest"
# Uploads, which are received piece by piece and may be large: method and beginning of the path.
UPLOADS: tuple[tuple[str, str], ...] = (
    ("PUT", "/api/lineal/v1/blobs/"),
    *(
        ("PUT", f"{root}/{version}/mlflow-artifacts/artifacts/")
        for root in ("/api", "/ajax-api")
        for version in ("2.0", "3.0")
    ),
    ("POST", "/ajax-api/2.0/mlflow/upload-artifact"),
)

_ANYBODY = Caller("anonymous", frozenset({"record:read"}))
_LONGEST_TARGET = 32_768
_CLOSED = 499  # in the log: who asked had gone before the answer
_ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_UNLESS_SET: Headers = [
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"cache-control", b"no-store"),
]


class Guard:
    """Wraps the application.

    routes: everything that is behind it. shapes: how the doors below a path write a refusal; everywhere else it is
    Lineal's own JSON.
    """

    def __init__(
        self,
        app: App,
        config: Config,
        *,
        desk: Desk,
        gate: Gate,
        log: Log,
        metrics: Metrics,
        routes: Sequence[BaseRoute] = (),
        shapes: tuple[tuple[str, Shape], ...] = (),
    ) -> None:
        self.routes = routes
        self._app, self._config, self.desk, self._gate = app, config, desk, gate
        self._log, self._metrics, self._shapes = log, metrics, shapes
        self._origins = Origins(config)
        self._rate = Rate(config.requests_per_s, 2 * config.requests_per_s) if config.requests_per_s else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's life."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        request_id = os.urandom(8).hex()
        scope.setdefault("state", {})["request_id"] = request_id
        answering = _Answering(send, request_id)
        status = 0
        try:
            await self._admit(scope)
            await self._app(scope, self._body(scope, receive), answering.send)
        except ClientDisconnect:
            status = _CLOSED
        except Exception as error:
            if answering.status:
                self._log.failed(error, id=request_id)
                raise  # the answer has begun: only cutting the connection can say that it is not whole
            await self._refuse(scope, error, answering)
        finally:
            took = time.perf_counter() - began
            status = answering.status or status or _CLOSED
            self._metrics.answered(scope, status, took)
            self._log.request(scope, status, took, request_id)

    async def _admit(self, scope: Scope) -> None:
        """Let the request pass, with its caller known. Raises RefusedError."""
        path: str = scope["path"]
        if len(path) + len(scope["query_string"]) > _LONGEST_TARGET:
            raise RefusedError(414, "invalid", "the address is too long", "send a body instead")
        self._origins.check(scope["method"], scope["headers"])
        headers = dict(scope["headers"])
        address = scope["client"][0] if scope.get("client") else ""
        if (
            path in OPEN_PATHS
            or path.startswith(page.FOLDER)
            or (path == METRICS_PATH and self._config.loopback)
        ):
            scope["state"]["caller"] = _ANYBODY
            return
        person = scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b"")
        caller = await self._gate.caller(headers, address, "native", page=person)
        scope["state"]["caller"] = caller
        if self._rate and (wait_s := self._rate.wait_s(caller.token or address)):
            raise too_often(wait_s, "requests")

    def _body(self, scope: Scope, receive: Receive) -> Receive:
        if any(scope["method"] == method and scope["path"].startswith(start) for method, start in UPLOADS):
            return limited(receive, scope["headers"], self._config.upload_bytes, packed=False)
        most = self._config.ingest_bytes if scope["path"] == INGEST_PATH else self._config.body_bytes
        body = limited(receive, scope["headers"], most, packed=True)
        scope["headers"] = [
            pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")
        ]
        return body

    async def _refuse(self, scope: Scope, error: Exception, answering: _Answering) -> None:
        shape = next((made for start, made in self._shapes if scope["path"].startswith(start)), None)
        status, more, body = answer(error, answering.request_id, shape)
        if status >= 500:
            if status == 500:
                self._log.failed(error, id=answering.request_id)
            else:
                self._log.tell(
                    "unavailable", level="warning", id=answering.request_id, error=str(error)[:1000]
                )
        start = {
            "type": "http.response.start",
            "status": status,
            "headers": [*more, (b"content-length", str(len(body)).encode())],
        }
        await answering.send(start)
        await answering.send(
            {"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""}
        )


class _Answering:
    """Sends an answer with what every answer carries, and knows its status once it has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), *_ALWAYS, (b"x-request-id", self.request_id.encode())]
            set_already = {name for name, _ in headers}
            headers += [pair for pair in _UNLESS_SET if pair[0] not in set_already]
            message["headers"] = headers
        await self._send(message)
