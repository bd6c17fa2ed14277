"""Kept bytes: `PUT`, `GET` and `HEAD /blobs/{digest}`. A client names bytes by their digest only, never a path or an address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from lineal.core.errors import Denied, Invalid, NotFound, Unavailable
from lineal.store.receiving import Receiver

_PIECE = 1 << 20  # bytes written down at once
_END = object()
# Reading and writing kept bytes waits for a disk or a bucket; it must not keep questions to the store waiting.
_threads = ThreadPoolExecutor(8, thread_name_prefix="bytes")
_SAFE = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


def routes(prefix: str) -> list[BaseRoute]:
    """The routes of kept bytes."""
    return [
        Route(f"{prefix}/blobs/{{digest}}", _put, methods=["PUT"], name="blob-put"),
        Route(f"{prefix}/blobs/{{digest}}", _get, methods=["GET", "HEAD"], name="blob-get"),
    ]


async def _put(request: Request) -> Response:
    _refuse(request, "record:write")
    blobs, digest = _blobs(request), request.path_params["digest"]
    kept = await _in_thread(blobs.has, digest)  # refuses what is no digest before anything is received
    with await _in_thread(Receiver, blobs) as receiver:
        waiting: list[bytes] = []
        size = 0
        async for piece in request.stream():
            waiting.append(piece)
            size += len(piece)
            if size >= _PIECE:
                await _in_thread(receiver.write, b"".join(waiting))
                waiting, size = [], 0
        await _in_thread(receiver.write, b"".join(waiting))
        if receiver.digest != digest:
            raise Invalid(
                f"the bytes sent have digest {receiver.digest}, not {digest}",
                hint="send the bytes that were named",
            )
        if not kept:
            await _in_thread(receiver.keep)
    return Response(status_code=200 if kept else 201)


async def _get(request: Request) -> Response:
    _refuse(request, "record:read")
    blobs, digest = _blobs(request), request.path_params["digest"]
    if not await _in_thread(blobs.has, digest):
        raise NotFound(f"no bytes with digest {digest} are kept", hint="they may have been deleted")
    headers = {**_SAFE, "ETag": f'"{digest}"'}
    if request.method == "HEAD":
        return Response(headers=headers)
    return StreamingResponse(_pieces(blobs.stream(digest)), headers=headers)


async def _pieces(found: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await _in_thread(next, found, _END)) is not _END:
        yield piece


def _blobs(request: Request) -> Any:
    blobs = request.app.state.blobs
    if blobs is None:
        raise Unavailable("this server keeps no bytes", hint="start it with --blobs")
    return blobs


def _refuse(request: Request, permission: str) -> None:
    caller = request.state.caller
    if permission not in caller.grants:
        raise Denied(
            f"{caller.actor} may not do this: it needs {permission!r}",
            hint="ask an owner of this store for that permission",
            permission=permission,
        )


async def _in_thread(function: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_threads, function, *arguments)
