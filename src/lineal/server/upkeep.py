"""Does in portions, between the changes of others, what a change put off."""

from __future__ import annotations

import asyncio

from lineal.core.errors import LinealError
from lineal.server.log import Log
from lineal.server.writer import Desk
from lineal.service.openlineage import are_due, take_up_due
from lineal.service.operations import Caller

_UPKEEP = Caller("server", frozenset())
_EVERY_S = 1.0


class Upkeep:
    """Looks, for one server, after the reads of datasets that a late write put in question."""

    def __init__(self, desk: Desk, log: Log) -> None:
        self._desk, self._log = desk, log
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to look."""
        self._task = asyncio.ensure_future(self._go_on())

    async def end(self) -> None:
        """Look no more; what is left is done by the next server."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                more = await self._desk.read(are_due, _UPKEEP)
                while more:
                    more = await self._desk.write(take_up_due, _UPKEEP, action="", body=b"")
            except LinealError as error:
                self._log.tell("reads could not be settled", level="warning", error=error.message)
            except Exception as error:  # noqa: BLE001 - it is told, and the upkeep goes on
                self._log.failed(error)
