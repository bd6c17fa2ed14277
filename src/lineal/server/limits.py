"""How much: sizes of bodies, as sent and unpacked, and how often somebody may ask."""

from __future__ import annotations

import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from lineal.server.refusals import RefusedError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_PIECE = 1 << 20
_REMEMBERED = 10_000


class Rate:
    """At most so much per second for each name, after a burst. A name not heard of for long is forgotten."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str, *, take: float = 1.0) -> float:
        """Take one; 0 when it was there, else seconds until it will be (and nothing was taken). take=0 only looks."""
        now = time.monotonic()
        left, at = self._left.get(name, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        if left < max(take, 1.0):
            return (max(take, 1.0) - left) / self._per_s
        if take:
            self._left[name] = (left - take, now)
            self._left.move_to_end(name)
            if len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
        return 0.0


def too_often(wait_s: float, what: str) -> RefusedError:
    """The answer to somebody who asks too often."""
    return RefusedError(
        429,
        "unavailable",
        f"too many {what}",
        "wait as long as Retry-After says",
        headers=[(b"retry-after", str(max(1, int(wait_s + 0.999))).encode())],
    )


def limited(receive: Receive, headers: list[tuple[bytes, bytes]], most: int, *, packed: bool) -> Receive:
    """The request's body, which ends with RefusedError as soon as it is larger than `most` bytes.

    Args:
        packed: whether a gzip body is unpacked here (then `most` holds before and after), else it is refused.
    Raises RefusedError: it announces too much already, or is packed in a way not known here.
    """
    encoding, length = b"", 0
    for name, value in headers:
        if name == b"content-encoding":
            encoding = value.strip().lower()
        elif name == b"content-length":
            length = int(value) if value.isdigit() else 0
    if length > most:
        raise _too_large(most)
    if encoding in (b"", b"identity"):
        return _counted(receive, most)
    if encoding not in (b"gzip", b"deflate") or not packed:
        raise RefusedError(
            415,
            "invalid",
            f"a body packed as {encoding[:40].decode('latin-1')!r} was sent",
            "send it as it is" + (", or as gzip" if packed else ""),
        )
    return _unpacked(_counted(receive, most), most)


def _counted(receive: Receive, most: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                raise _too_large(most)
        return message

    return counted


def _unpacked(receive: Receive, most: int) -> Receive:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its head
    seen, rest, last = 0, b"", False

    async def unpacked() -> Message:
        nonlocal seen, rest, last
        while not rest and not last:
            message = await receive()
            if message["type"] != "http.request":
                return message
            rest, last = message.get("body", b""), not message.get("more_body", False)
        try:
            piece = unpacker.decompress(rest, _PIECE)
        except zlib.error as error:
            raise RefusedError(400, "invalid", f"the body is no gzip: {error}", "send it as it is") from None
        rest = unpacker.unconsumed_tail
        seen += len(piece)
        if seen > most:
            raise _too_large(most)
        more = bool(rest) or not last
        if not more and not unpacker.eof:
            raise RefusedError(400, "invalid", "the packed body ends in the middle", "send all of it")
        return {"type": "http.request", "body": piece, "more_body": more}

    return unpacked


def _too_large(most: int) -> RefusedError:
    return RefusedError(
        413,
        "invalid",
        f"the body is larger than {most:,} bytes",
        "send less at once",
        headers=[(b"connection", b"close")],
    )
