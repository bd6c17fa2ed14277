"""Looks now and then at the runs that should be heard of: those that fell silent are lost, those that return run again."""

from __future__ import annotations

import asyncio
import time

from lineal.core.errors import LinealError
from lineal.server.log import Log
from lineal.server.writer import Desk
from lineal.service import leases
from lineal.service.operations import Caller

_WATCHER = Caller("server", frozenset())
_LONGEST_S, _SHORTEST_S = 60.0, 0.05


class Watch:
    """Watches for one server. lease_s: how long a run may be silent; 0 for ever.

    Silence is counted from when this server first saw it, so that a server that was away itself gives nobody up too early.
    """

    def __init__(self, desk: Desk, log: Log, lease_s: float) -> None:
        self._desk, self._log, self._lease_s = desk, log, lease_s
        self._heard: dict[int, tuple[str, float]] = {}  # by run: its pulse, and since when that is so
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to look."""
        if self._lease_s > 0:
            self._task = asyncio.ensure_future(self._go_on())

    async def end(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self) -> None:
        every_s = min(max(self._lease_s / 4, _SHORTEST_S), _LONGEST_S)
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.look()
            except LinealError as error:
                self._log.tell("runs could not be watched", level="warning", error=error.message)
            except Exception as error:  # noqa: BLE001 - it is told, and the watch goes on
                self._log.failed(error)

    async def look(self) -> None:
        """Look once, and record what follows from it."""
        seen = await self._desk.read(leases.look, _WATCHER)
        now = time.monotonic()
        before, self._heard = self._heard, {}
        for node, pulse in seen.running.items():
            known = before.get(node)
            self._heard[node] = known if known is not None and known[0] == pulse else (pulse, now)
        silent = {node: pulse for node, (pulse, since) in self._heard.items() if now - since >= self._lease_s}
        if not silent and not seen.returned:
            return
        lost, back = await self._desk.write(
            lambda scope: leases.settle(scope, silent, seen.returned), _WATCHER, action="", body=b""
        )
        for run in lost:
            self._log.tell("run lost", level="warning", run=run, silent_s=round(self._lease_s))
        for run in back:
            self._log.tell("run returned", run=run)
