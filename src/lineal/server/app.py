"""The composition root: desk, doors and guard become one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from lineal.core.errors import LinealError
from lineal.doors.mlflow import errors as mlflow_errors
from lineal.doors.mlflow.app import routes as mlflow
from lineal.doors.mlflow.info import VERSION as MLFLOW
from lineal.doors.native.app import routes as native
from lineal.doors.openlineage import answers as openlineage_answers
from lineal.doors.openlineage.app import routes as openlineage
from lineal.server import mlmd, page
from lineal.server.config import Config
from lineal.server.forward import Forward, Target
from lineal.server.guard import Guard, Receive, Scope, Send
from lineal.server.log import Log
from lineal.server.metrics import Metrics
from lineal.server.tokens import Gate
from lineal.server.upkeep import Upkeep
from lineal.server.watch import Watch
from lineal.server.writer import Desk
from lineal.service.operations import Caller
from lineal.store.blobs import Blobs

_NOBODY = Caller("server", frozenset())
_NO_BYTES = "sha256:" + "0" * 64
_READY_S = 5.0
# How the doors below a path write a refusal; elsewhere it is Lineal's own JSON.
_SHAPES = tuple(
    (start, mlflow_errors.refused)
    for start in ("/api/2.0/", "/api/3.0/", "/ajax-api/", "/get-artifact", "/model-versions/", "/v1/traces")
) + (("/api/v1/", openlineage_answers.shaped),)


def create_app(config: Config, *, log: Log | None = None, local: str = "") -> Guard:
    """The application, which opens the store when it starts. local: the token of programs beside the server."""
    log = log or Log()
    blobs = Blobs(config.blobs) if config.blobs else None
    desk = Desk(config.store, blobs, namespace=config.namespace)
    metrics = Metrics(desk)
    gate = Gate(config, desk, local=local)
    target = Target(config.forward_url, config.forward_key) if config.forward_url else None

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        await desk.open()
        watch = Watch(desk, log, config.lease_s)
        forward = Forward(desk, log, target)
        calls = await mlmd.begin(desk, config, gate, log) if config.mlmd_port else None
        upkeep = Upkeep(desk, log)
        watch.begin()
        upkeep.begin()
        forward.begin()
        log.tell("started", store=config.store if config.embedded else "postgresql", host=config.host)
        try:
            yield
        finally:
            if calls is not None:
                await calls.end()
            await forward.end()
            await upkeep.end()
            await watch.end()
            await desk.close()
            log.tell("stopped", changes=desk.counts.changes)
            log.close()

    app = Starlette(
        routes=[*mlflow(desk), *openlineage(desk), *own(desk, config, metrics), *native(desk)], lifespan=life
    )
    app.state.desk, app.state.blobs, app.state.config, app.state.metrics = desk, blobs, config, metrics
    app.state.webhook_hosts = frozenset(name.lower().rstrip(".") for name in config.webhook_hosts)
    app.router.redirect_slashes = False
    metrics.routes = {id(route.endpoint): route.path for route in every_route(app.routes)}

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = (
            app  # the router alone: Starlette's own layers would answer errors before the guard does
        )
        await app.router(scope, receive, send)

    return Guard(
        routed, config, desk=desk, gate=gate, log=log, metrics=metrics, routes=app.routes, shapes=_SHAPES
    )


def every_route(found: Iterable[BaseRoute]) -> Iterator[Route]:
    """The routes among these and within the doors among them."""
    for route in found:
        if isinstance(route, Route):
            yield route
        else:
            yield from every_route(getattr(route, "routes", ()))


def own(desk: Desk, config: Config, metrics: Metrics) -> list[BaseRoute]:
    """The server's own routes, which belong to no door."""

    async def health(request: Request) -> Response:
        """This process answers."""
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        """Store and bytes can be reached, and writes are taken."""
        problems = await unready(desk, config)
        if problems:
            said = {"status": "not ready", "problems": problems}
            return JSONResponse(said, status_code=503, headers={"Retry-After": "1"})
        return JSONResponse({"status": "ready"})

    async def told(request: Request) -> Response:
        if request.headers.get("user-agent", "").startswith(
            "mlflow-"
        ):  # these read the text as MLflow's version
            return PlainTextResponse(MLFLOW)
        return JSONResponse({"name": "lineal", "version": version("lineal"), "api": ["lineal/v1"]})

    async def figures(request: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    return [
        *page.routes(),
        Route("/health", health, methods=["GET"]),
        Route("/ready", ready, methods=["GET"]),
        Route("/version", told, methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
    ]


async def unready(desk: Desk, config: Config) -> list[str]:
    """Why this server cannot take work now, in words that hold no address and no secret; empty when it can."""
    problems: list[str] = []
    if desk.stopping or not desk.alive:
        problems.append("the server is stopping")
    else:
        try:
            await asyncio.wait_for(desk.read(lambda scope: scope.tx.value("SELECT 1"), _NOBODY), _READY_S)
        except (LinealError, TimeoutError):
            problems.append("the store does not answer")
    if desk.blobs is not None:
        try:
            await asyncio.wait_for(asyncio.to_thread(desk.blobs.has, _NO_BYTES), _READY_S)
        except (LinealError, TimeoutError):
            problems.append("the kept bytes cannot be reached")
    return problems
