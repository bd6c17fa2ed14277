"""The server's log: one JSON object per line on stderr, written by a thread of its own so that no request waits for it."""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import MutableMapping
from typing import Any

import msgspec

_EVERY_S = 0.05
_MOST = 20_000  # lines kept while nobody reads stderr; further ones are counted and left out
_encode = msgspec.json.Encoder(order="deterministic").encode


class Log:
    """Collects lines and hands them to a writing thread some twenty times a second."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._lines: list[bytes] = []
        self._left_out = 0
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._timed = False
        self._thread: threading.Thread | None = None

    def tell(self, event: str, *, level: str = "info", **fields: Any) -> None:
        """Write one line about something that happened."""
        if len(self._lines) >= _MOST or self._queue.qsize() > 100:
            self._left_out += 1
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        self._lines.append(_encode({"at": stamp, "level": level, "event": event, **fields}))
        if self._timed:
            return
        try:
            asyncio.get_running_loop().call_later(_EVERY_S, self.flush)
            self._timed = True
        except RuntimeError:
            self.flush()

    def request(self, scope: MutableMapping[str, Any], status: int, took_s: float, request_id: str) -> None:
        """The line of one request. The query is left out: it may hold what is nobody else's business."""
        caller = scope["state"].get("caller")
        client = scope.get("client")
        self.tell(
            "request",
            level="info" if status < 500 else "error",
            id=request_id,
            method=scope["method"],
            path=scope["path"][:500],
            status=status,
            ms=round(took_s * 1000, 2),
            actor=caller.actor if caller else "",
            client=client[0] if client else "",
        )

    def failed(self, error: BaseException, **fields: Any) -> None:
        """The line of an error that nobody foresaw, with where it came from."""
        self.tell(
            "internal error",
            level="error",
            error=f"{type(error).__name__}: {error}"[:2000],
            trace="".join(traceback.format_exception(error))[-8000:],
            **fields,
        )

    def flush(self) -> None:
        """Hand over what was collected."""
        self._timed = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_on, name="log", daemon=True)
            self._thread.start()
        if self._left_out:
            self._lines.append(
                _encode({"event": "log lines left out", "level": "warning", "count": self._left_out})
            )
            self._left_out = 0
        lines, self._lines = self._lines, []
        if lines:
            self._queue.put(b"\n".join(lines) + b"\n")

    def close(self) -> None:
        """Write what is left, for at most a second."""
        self.flush()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(1.0)
            self._thread = None

    def _write_on(self) -> None:
        while (text := self._queue.get()) is not None:
            rest = memoryview(text)
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                continue  # nobody reads it; the server goes on
