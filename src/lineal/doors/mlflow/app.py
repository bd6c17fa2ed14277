"""The door's routes: one table, found by method and path, under every prefix that MLflow's clients and its page use."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from lineal.core.errors import Denied, LinealError
from lineal.core.ids import sha256
from lineal.doors.desk import Desk
from lineal.doors.mlflow import (
    artifacts,
    assessments,
    errors,
    evaluation,
    experiment_search,
    experiments,
    histories,
    info,
    inputs,
    metrics,
    model_verbs,
    registry_verbs,
    search,
    trace_verbs,
    traces_v2,
    tracking,
    uploads,
    webhooks,
)
from lineal.doors.mlflow.wire import Verb, checked, encode, encoded, received, replied
from lineal.service.operations import Caller

Answer = Callable[[Request], Awaitable[Response]]

_ROOTS = ("/api", "/ajax-api")
_PREFIX = re.compile(r"/(?:ajax-)?api/[23]\.0")
_WHOLE = 4096  # bytes; the audit log names a longer request by its digest


def verbs() -> list[Verb]:
    """Every row of this door's table."""
    return [
        *experiments.ROUTES,
        *tracking.ROUTES,
        *metrics.ROUTES,
        *histories.ROUTES,
        *inputs.ROUTES,
        *info.ROUTES,
        *search.ROUTES,
        *experiment_search.ROUTES,
        *model_verbs.ROUTES,
        *registry_verbs.ROUTES,
        *artifacts.ROUTES,
        *uploads.ROUTES,
        *webhooks.ROUTES,
        *trace_verbs.ROUTES,
        *assessments.ROUTES,
        *traces_v2.ROUTES,
        *evaluation.ROUTES,
    ]


def routes(desk: Desk) -> list[BaseRoute]:
    """The door, to be mounted at the top of the application."""
    return [Door(desk, verbs())]


class Door(BaseRoute):
    """Finds the verb of a request in one look-up; what it does not know below its prefixes gets MLflow's own 404.

    routes: what is served, for who lists the application's routes.
    """

    def __init__(self, desk: Desk, table: list[Verb]) -> None:
        self.routes: list[Route] = []
        self._fixed: dict[str, dict[str, Answer]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Answer]]] = []
        by_path: dict[str, dict[str, Answer]] = {}
        for verb in table:
            answer = _answering(desk, verb)
            for path in paths_of(verb):
                self.routes.append(Route(path, answer, methods=[verb.method]))
                by_path.setdefault(path, {})[verb.method] = answer
        for path, methods in by_path.items():
            if "{" in path:
                self._patterns.append((_pattern(path), methods))
            else:
                self._fixed[path] = methods

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for this door, and who answers it."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path: str = scope["path"]
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        methods = self._fixed.get(path)
        parts: dict[str, str] = {}
        if methods is None:
            if not _PREFIX.match(path):
                return Match.NONE, {}
            answer, parts = self._found(path, method)
        else:
            answer = methods.get(method, _other_method)
        return Match.FULL, {"endpoint": answer, "path_params": parts}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that matched."""
        request = Request(scope, receive, send)
        try:
            response = await scope["endpoint"](request)
        except LinealError as error:
            response = errors.answer(error)
        await response(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Not offered: routes of this door have no names."""
        raise NotImplementedError

    def _found(self, path: str, method: str) -> tuple[Answer, dict[str, str]]:
        for pattern, methods in self._patterns:
            if method in methods and (found := pattern.fullmatch(path)):
                return methods[method], found.groupdict()
        return _unknown, {}


def paths_of(verb: Verb) -> list[str]:
    """Every path that a verb is served under."""
    usual = [f"{root}/{version}/{verb.base}{verb.path}" for root in _ROOTS for version in verb.versions]
    return [*usual, *verb.also]


def _pattern(path: str) -> re.Pattern[str]:
    """`{name}` is one part of the path, `{name:path}` the rest of it."""
    parts = re.split(r"\{(\w+)(:path)?\}", path)
    text = re.escape(parts[0])
    for name, rest, fixed in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        text += f"(?P<{name}>{'.*' if rest else '[^/]+'}){re.escape(fixed)}"
    return re.compile(text, re.DOTALL)


def _answering(desk: Desk, verb: Verb) -> Answer:
    handler, function = verb.handler, verb.function

    async def handled(request: Request) -> Response:
        request.state.caller = permitted(request.state.caller, verb)
        assert handler is not None
        return await handler(desk, request)

    async def answered(request: Request) -> Response:
        caller = permitted(request.state.caller, verb)
        message = checked(await received(request), verb.fields)
        assert function is not None
        if not verb.writes:
            # A long answer is written in the reader's thread, so that the others need not wait.
            return replied(await desk.read(lambda scope: encoded(function(scope, message)), caller))
        reply = await desk.write(
            lambda scope: function(scope, message),
            caller,
            action=verb.action,
            body=told(message),
            key=request.headers.get("idempotency-key", ""),
        )
        return replied(reply)

    return answered if handler is None else handled


def permitted(caller: Caller, verb: Verb) -> Caller:
    """The caller, as this door's. Raises Denied: the verb needs a permission that they lack."""
    if verb.needs not in caller.grants:
        raise Denied(
            f"{caller.actor or 'an anonymous caller'} may not {verb.action}: it needs {verb.needs!r}",
            hint="ask an owner of this store for that permission",
            permission=verb.needs,
        )
    return replace(caller, door="mlflow")


def told(message: Any) -> bytes:
    """What the audit log keeps of a request: all of it, or its digest and length when it is long."""
    body = encode(message)
    if len(body) <= _WHOLE:
        return body
    return msgspec.json.encode({"sha256": sha256(body), "bytes": len(body)})


async def _unknown(request: Request) -> Response:
    return errors.answer(
        errors.MlflowError(errors.NO_ENDPOINT, f"There is no endpoint {request.method} {request.url.path}")
    )


async def _other_method(request: Request) -> Response:
    raise errors.MlflowError(
        errors.NO_ENDPOINT, f"{request.url.path} does not know the method {request.method}", status=405
    )
