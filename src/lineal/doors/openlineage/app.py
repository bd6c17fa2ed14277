"""The door's routes below `/api/v1`: events in, and the questions that users of Marquez ask."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from lineal.core.errors import Denied, Invalid, LinealError, NotFound
from lineal.core.openlineage import DOOR
from lineal.doors.desk import Desk
from lineal.doors.openlineage import answers, marquez, marquez_stats, marquez_writing
from lineal.doors.openlineage.arrive import Failure, received, received_each, take, take_some
from lineal.service.operations import Caller

PREFIX = "/api/v1"
BETA = "/api/v2beta"
Handler = Callable[[Desk, Request, Caller], Awaitable[Response]]


def routes(desk: Desk) -> list[BaseRoute]:
    """The door, to be mounted at the top of the application."""
    return [Door(desk)]


async def post_event(desk: Desk, request: Request, caller: Caller) -> Response:
    """Take in one event."""
    event = received(_json(request, await request.body()))
    await take(desk, [event], caller)
    return Response(status_code=201)


async def post_batch(desk: Desk, request: Request, caller: Caller) -> Response:
    """Take in the events of a list, each by itself; the answer tells of those that were not taken."""
    events, failures, count = received_each(_json(request, await request.body()))
    if events:
        failures += await take_some(desk, events, caller)
    return _answer_batch(failures, count)


def _answer_batch(failures: list[Failure], count: int) -> Response:
    failed = len(failures)
    again = sum(failure.retriable for failure in failures)
    body: dict[str, Any] = {
        "status": "partial_success" if failed else "success",
        "summary": {
            "received": count,
            "successful": count - failed,
            "failed": failed,
            "retriable": again,
            "non_retriable": failed - again,
        },
    }
    if failures:
        body["failed_events"] = sorted(failures, key=lambda failure: failure.index)
    return answers.answer(body, 400 if failed == count and count else 200)


def _json(request: Request, body: bytes) -> bytes:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/x-ndjson", "text/json"):
        raise Invalid(f"a body of type {kind[:80]!r} was sent", hint="send application/json")
    return body


class Door(BaseRoute):
    """Finds who answers by method and path. A name in a path may hold slashes when they are written as `%2F`.

    routes: what is served, for who lists the application's routes.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.routes: list[Route] = []
        self._events: dict[str, Handler] = {
            f"{PREFIX}/lineage": post_event,
            f"{PREFIX}/lineage/batch": post_batch,
        }
        self._patterns: list[tuple[re.Pattern[bytes], str, Handler]] = []
        for path, handler in self._events.items():
            self.routes.append(Route(path, _named(desk, handler), methods=["POST"]))
        served = [
            *((method, PREFIX + path, handler) for method, path, handler in _ROUTES),
            *((method, BETA + path, handler) for method, path, handler in marquez_stats.BETA),
        ]
        for method, full, handler in served:
            self.routes.append(Route(full, _named(desk, handler), methods=[method]))
            self._patterns.append((_pattern(full), method, handler))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for this door, and who answers it."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path: str = scope["path"]
        if scope["method"] == "POST" and (handler := self._events.get(path)):
            return Match.FULL, {"endpoint": handler, "path_params": {}}
        if not (path + "/").startswith((PREFIX + "/", BETA + "/")):
            return Match.NONE, {}
        return Match.FULL, self._found(scope, path)

    def _found(self, scope: Scope, path: str) -> Scope:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        raw: bytes = scope.get("raw_path") or path.encode()
        known = path in self._events
        for pattern, wanted, handler in self._patterns:
            if found := pattern.fullmatch(raw.partition(b"?")[0]):
                known = True
                if wanted == method:
                    parts = {name: _unquoted(value) for name, value in found.groupdict().items()}
                    return {"endpoint": handler, "path_params": parts}
        return {"endpoint": _other_method if known else _unknown, "path_params": {}}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that matched."""
        request = Request(scope, receive, send)
        try:
            caller = _permitted(request.state.caller, scope["endpoint"])
            response = await scope["endpoint"](self._desk, request, caller)
        except LinealError as error:
            response = answers.refusal(error)
        await response(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Not offered: routes of this door have no names."""
        raise NotImplementedError


def _permitted(caller: Caller, handler: Handler) -> Caller:
    needs = "record:write" if handler in _WRITING else "record:read"
    if needs not in caller.grants:
        raise Denied(
            f"{caller.actor or 'an anonymous caller'} may not do this: it needs {needs!r}",
            hint="ask an owner of this store for that permission",
            permission=needs,
        )
    return replace(caller, door=DOOR)


_ROUTES = (*marquez.ROUTES, *marquez_stats.ROUTES, *marquez_writing.ROUTES)
_WRITING = frozenset({post_event, post_batch, *marquez_writing.WRITING})


def _named(desk: Desk, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        return await handler(desk, request, _permitted(request.state.caller, handler))

    return answered


def _pattern(path: str) -> re.Pattern[bytes]:
    parts = re.split(r"\{(\w+)\}", path)
    text = re.escape(parts[0])
    for name, fixed in zip(parts[1::2], parts[2::2], strict=True):
        text += f"(?P<{name}>[^/]+){re.escape(fixed)}"
    return re.compile(text.encode())


def _unquoted(value: bytes) -> str:
    return unquote(value.decode("latin-1"))


async def _unknown(desk: Desk, request: Request, caller: Caller) -> Response:
    raise NotFound(
        f"there is nothing at {request.method} {request.url.path[:200]}", hint="see docs/guide/openlineage.md"
    )


async def _other_method(desk: Desk, request: Request, caller: Caller) -> Response:
    hint = "what was recorded is deleted by `lineal delete`" if request.method == "DELETE" else ""
    return answers.problem(405, "invalid", f"this path does not know the method {request.method}", hint)


def encoded(value: Any) -> bytes:
    """JSON."""
    return msgspec.json.encode(value)
