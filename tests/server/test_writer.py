"""The desk: changes that arrive together are one commit, and each is whole or not at all. On both engines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lineal.core.errors import Conflict, Denied, Invalid, Unavailable
from lineal.server.writer import Desk
from lineal.service.operations import ALL_PERMISSIONS, Caller, Scope
from lineal.service.runs import RunsRequest
from lineal.store.open import open_store
from tests.server.making import ingest, started

ME = Caller("me", ALL_PERMISSIONS)
SLOW_S = 0.2


@pytest.fixture
def url(place: str, tmp_path: Path) -> str:
    return place or str(tmp_path / "x.db")


def with_desk(url: str, work: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        desk = Desk(url, None, namespace="n")
        await desk.open()
        try:
            await work(desk)
        finally:
            await desk.close()

    asyncio.run(run())


def slow(scope: Scope) -> None:
    time.sleep(SLOW_S)  # the writer is busy meanwhile, so that the others come together


async def run_ids(desk: Desk) -> set[int]:
    return {int(run.run_id, 16) for run in (await desk.ask("runs", RunsRequest(), caller=ME)).runs}


def test_what_arrives_while_the_writer_is_busy_is_one_commit(url: str) -> None:
    async def work(desk: Desk) -> None:
        first = asyncio.ensure_future(desk.write(slow, ME, action="", body=b""))
        await asyncio.sleep(SLOW_S / 4)
        many = [desk.ask("ingest", ingest(started(n)), caller=ME) for n in range(40)]
        await asyncio.gather(first, *many)
        assert desk.counts.commits == 2
        assert desk.counts.largest == 40
        assert await run_ids(desk) == set(range(40))

    with_desk(url, work)


def test_in_a_group_a_refusal_and_a_fault_undo_only_themselves(url: str) -> None:
    def half(kind: type[Exception], number: int) -> Callable[[Scope], None]:
        def change(scope: Scope) -> None:
            scope.store.runs.add_run(
                scope.tx,
                f"{number:032x}",
                namespace="n",
                job="half",
                name="",
                kind="run",
                parent=None,
                actor="",
                started_at=1,
                recorded_at=1,
            )
            raise kind("no")

        return change

    async def work(desk: Desk) -> None:
        first = asyncio.ensure_future(desk.write(slow, ME, action="", body=b""))
        await asyncio.sleep(SLOW_S / 4)
        results = await asyncio.gather(
            desk.ask("ingest", ingest(started(1)), caller=ME),
            desk.write(half(Invalid, 2), ME, action="a", body=b"{}"),
            desk.ask("ingest", ingest(started(3)), caller=ME),
            desk.write(half(RuntimeError, 4), ME, action="a", body=b"{}"),
            desk.write(half(Unavailable, 5), ME, action="a", body=b"{}"),
            desk.ask("ingest", ingest(started(6)), caller=ME),
            return_exceptions=True,
        )
        await first
        kinds = [type(result).__name__ for result in results]
        assert kinds == [
            "IngestReply",
            "Invalid",
            "IngestReply",
            "RuntimeError",
            "Unavailable",
            "IngestReply",
        ]
        assert await run_ids(desk) == {1, 3, 6}

    with_desk(url, work)
    store = open_store(url)
    with store.read() as tx:
        assert store.audit.get_head(tx)[0] == 3
        assert store.audit.verify(tx) == []
    store.close()


def test_what_a_rule_calls_unavailable_keeps_nobody_waiting(url: str) -> None:
    def refuse(scope: Scope) -> None:
        raise Unavailable("the bytes cannot be reached")

    async def work(desk: Desk) -> None:
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="bytes"):
            await desk.write(refuse, ME, action="", body=b"")
        assert time.monotonic() - begun < 2

    with_desk(url, work)


def test_a_key_is_its_callers_own(url: str) -> None:
    async def work(desk: Desk) -> None:
        request = ingest(started(1))
        other = Caller("you", ALL_PERMISSIONS)
        assert (await desk.ask("ingest", request, caller=ME, key="k")).events == 1
        assert (await desk.ask("ingest", ingest(started(2)), caller=other, key="k")).events == 1
        with pytest.raises(Conflict, match="came with another request before"):
            await desk.ask("ingest", ingest(started(3)), caller=ME, key="k")
        assert await run_ids(desk) == {1, 2}

    with_desk(url, work)


def test_the_same_key_at_the_same_time_has_one_effect(url: str) -> None:
    async def work(desk: Desk) -> None:
        replies = await asyncio.gather(
            *(desk.ask("ingest", ingest(started(1)), caller=ME, key="k") for _ in range(20))
        )
        assert {reply.events for reply in replies} == {1}

    with_desk(url, work)
    store = open_store(url)
    with store.read() as tx:
        assert store.audit.get_head(tx)[0] == 1
    store.close()


def test_without_a_permission_nothing_is_asked(url: str) -> None:
    async def work(desk: Desk) -> None:
        nobody = Caller("nobody", frozenset())
        for name, row in desk.table.items():
            with pytest.raises(Denied):
                await desk.ask(name, row.request, caller=nobody)

    with_desk(url, work)


def test_a_stopping_desk_writes_what_waits_and_takes_nothing_new(url: str) -> None:
    async def work(desk: Desk) -> None:
        waiting = [
            asyncio.ensure_future(desk.write(slow, ME, action="", body=b"")),
            asyncio.ensure_future(desk.ask("ingest", ingest(started(1)), caller=ME)),
        ]
        await asyncio.sleep(SLOW_S / 4)
        desk.refuse()
        with pytest.raises(Unavailable, match="stopping"):
            await desk.ask("ingest", ingest(started(2)), caller=ME)
        await asyncio.gather(*waiting)
        assert await run_ids(desk) == {1}

    with_desk(url, work)
