"""Kept bytes at this door: threads that read and write them, so that neither questions nor changes wait for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

from starlette.requests import Request

from lineal.core.errors import Unavailable
from lineal.service.threads import Threads
from lineal.store.blobs import Blobs
from lineal.store.receiving import Receiver

_BATCH = 1 << 20  # bytes gathered before a thread writes and hashes them
_SETTLE = 32 << 20  # bytes written before the disk is asked to catch up
_END = object()
threads = Threads(8, "artifacts")
_T = TypeVar("_T")


def blobs_of(request: Request) -> Blobs:
    """Where this server keeps bytes. Raises Unavailable: nowhere."""
    blobs: Blobs | None = request.app.state.blobs
    if blobs is None:
        raise Unavailable("this server keeps no bytes", hint="start it with --blobs")
    return blobs


async def in_thread(function: Callable[..., _T], *arguments: Any) -> _T:
    """What the function gives back; it may wait for a disk or a bucket."""
    return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)


async def receive(request: Request, blobs: Blobs) -> tuple[str, int]:
    """Keep the body of a request, piece by piece; its digest and size in bytes.

    While one batch is written down the next one arrives, and what was written before is brought to the disk. A body that
    ends in the middle leaves nothing.
    """
    with await in_thread(Receiver, blobs) as receiver:
        pieces: list[bytes] = []
        gathered = unsettled = 0
        writing, settling = _nothing(), _nothing()
        try:
            async for piece in request.stream():
                pieces.append(piece)
                gathered += len(piece)
                if gathered >= _BATCH:
                    await writing
                    unsettled += gathered
                    if unsettled >= _SETTLE and settling.done():
                        await settling
                        settling = asyncio.ensure_future(in_thread(receiver.settle))
                        unsettled = 0
                    writing = asyncio.ensure_future(in_thread(_write, receiver, pieces))
                    pieces, gathered = [], 0
        finally:
            # Whatever happened: the receiver is closed when no thread uses it any more.
            await asyncio.wait([writing, settling])
        await writing
        await settling
        return await in_thread(_finish, receiver, pieces)


def _nothing() -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def _write(receiver: Receiver, pieces: list[bytes]) -> None:
    for piece in pieces:
        receiver.write(piece)


def _finish(receiver: Receiver, pieces: list[bytes]) -> tuple[str, int]:
    _write(receiver, pieces)
    return receiver.keep()


async def sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces of kept bytes, each read by a thread while the one before it is sent.

    Raises what the first piece raises, before anything is sent.
    """
    first = asyncio.ensure_future(in_thread(next, pieces, _END))
    await first
    return _following(pieces, first)


async def _following(pieces: Iterator[bytes], coming: asyncio.Future[Any]) -> AsyncIterator[bytes]:
    while (piece := await coming) is not _END:
        coming = asyncio.ensure_future(in_thread(next, pieces, _END))
        yield piece
