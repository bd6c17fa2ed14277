"""The composition root: desk, doors and guard become one ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lineal.doors.native.app import routes as native
from lineal.server.config import Config
from lineal.server.guard import App, Guard, Receive, Scope, Send
from lineal.server.log import Log
from lineal.server.metrics import Metrics
from lineal.server.writer import Desk
from lineal.store.blobs import Blobs

_PAGE = """<!doctype html>
<meta charset="utf-8"><title>Lineal</title>
<h1>Lineal</h1>
<p>This is a Lineal server, version {version}. Its API is described at
<a href="/api/lineal/v1/openapi.json">/api/lineal/v1/openapi.json</a>.</p>
"""


def create_app(config: Config, log: Log | None = None) -> App:
    """The application, which opens the store when it starts."""
    log = log or Log()
    metrics = Metrics()
    blobs = Blobs(config.blobs) if config.blobs else None
    desk = Desk(config.store, blobs, namespace=config.namespace)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        await desk.open()
        log.tell("started", store=config.store if config.embedded else "postgresql", host=config.host)
        try:
            yield
        finally:
            await desk.close()
            log.tell("stopped", changes=desk.counts.changes)
            log.close()

    app = Starlette(routes=[*own(desk), *native(desk)], lifespan=life)
    app.state.desk, app.state.blobs, app.state.config, app.state.metrics = desk, blobs, config, metrics
    app.router.redirect_slashes = False
    metrics.routes = {id(route.endpoint): route.path for route in app.routes if isinstance(route, Route)}

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = (
            app  # the router alone: Starlette's own layers would answer errors before the guard does
        )
        await app.router(scope, receive, send)

    return Guard(routed, config, log, metrics)


def own(desk: Desk) -> list[BaseRoute]:
    """The server's own routes, which belong to no door."""

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def told(request: Request) -> Response:
        return JSONResponse({"name": "lineal", "version": version("lineal"), "api": ["lineal/v1"]})

    async def page(request: Request) -> Response:
        return HTMLResponse(_PAGE.format(version=version("lineal")))

    return [
        Route("/", page, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
        Route("/version", told, methods=["GET"]),
    ]
