"""Gathering: what arrives while a change is written becomes one change, and each request gets its own answer. On both engines."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from lineal.core.errors import Invalid, NotFound
from lineal.doors.gathering import Gathering, Waiting
from lineal.server.writer import Desk
from lineal.service.operations import ALL_PERMISSIONS, Caller, Scope
from tests.server.test_writer import ME, SLOW_S, slow, with_desk


@pytest.fixture
def url(place: str, tmp_path: Path) -> str:
    return place or str(tmp_path / "x.db")


def numbers(desk: Desk) -> asyncio.Future[set[str]]:
    def read(scope: Scope) -> set[str]:
        return {record.key for record in scope.store.records.list_records(scope.tx, "test", "number")}

    return asyncio.ensure_future(desk.read(read, ME))


class Numbers:
    """Keeps numbers: 13 is refused as soon as it is seen, 14 by raising; passes: how many each pass was given."""

    def __init__(self) -> None:
        self.passes: list[int] = []
        self.gathering: Gathering[int] = Gathering(self._keep)

    def _keep(self, scope: Scope, waiting: list[Waiting[int]]) -> None:
        self.passes.append(len(waiting))
        for entry in waiting:
            if entry.item == 13:
                entry.error = NotFound("there is no 13", hint="")
                continue
            if entry.item == 14:
                raise Invalid("14 is no number", hint="")
            scope.store.records.add_record(
                scope.tx, "test", "number", str(entry.item), entry.caller.actor.encode(), at=1
            )


async def come_together(desk: Desk, numbers: Numbers, items: list[int]) -> list[BaseException | None]:
    """Put items while the writer is busy; what became of each."""
    first = asyncio.ensure_future(desk.write(slow, ME, action="", body=b""))
    await asyncio.sleep(SLOW_S / 4)
    told = await asyncio.gather(
        *(numbers.gathering.put(desk, item, Caller(f"a{item}", ALL_PERMISSIONS)) for item in items),
        return_exceptions=True,
    )
    await first
    return told


def test_what_comes_together_is_one_pass(url: str) -> None:
    async def work(desk: Desk) -> None:
        kept = Numbers()
        assert await come_together(desk, kept, list(range(10))) == [None] * 10
        assert kept.passes == [10]
        assert await numbers(desk) == {str(n) for n in range(10)}

    with_desk(url, work)


def test_a_lone_request_waits_for_nobody(url: str) -> None:
    async def work(desk: Desk) -> None:
        kept = Numbers()
        await kept.gathering.put(desk, 1, ME)
        await kept.gathering.put(desk, 2, ME)
        assert kept.passes == [1, 1]

    with_desk(url, work)


def test_one_that_is_refused_harms_no_other(url: str) -> None:
    async def work(desk: Desk) -> None:
        kept = Numbers()
        told = await come_together(desk, kept, [1, 13, 2])
        assert [type(one) for one in told] == [type(None), NotFound, type(None)]
        told = await come_together(desk, kept, [3, 14, 4])
        assert [type(one) for one in told] == [type(None), Invalid, type(None)]
        assert await numbers(desk) == {"1", "2", "3", "4"}

    with_desk(url, work)


def test_a_request_that_is_given_up_takes_no_other_along(url: str) -> None:
    async def work(desk: Desk) -> None:
        kept = Numbers()
        first = asyncio.ensure_future(desk.write(slow, ME, action="", body=b""))
        await asyncio.sleep(SLOW_S / 4)
        puts = [asyncio.ensure_future(kept.gathering.put(desk, n, ME)) for n in range(3)]
        await asyncio.sleep(0)
        puts[0].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await puts[0]
        await asyncio.gather(first, *puts[1:])
        assert await numbers(desk) >= {"1", "2"}

    with_desk(url, work)
