"""Taking in the history of a DVC repository: `lineal import dvc`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from lineal.connect.dvc import DOOR, Commit, Happened, Repository
from lineal.core import events as ev
from lineal.core.ids import sha256
from lineal.render.page import Page, clean, styled
from lineal.service.ingest import IngestRequest, PositionsRequest

if TYPE_CHECKING:
    from rich.text import Text

    from lineal.service.client import AnyClient

_TOGETHER = 100  # commits read before what they say is handed over
_SHOWN = 20


class Took(msgspec.Struct, kw_only=True):
    """What an import took in. commits: that changed a dvc.lock; stages: executions taken in now; known: those that were here
    already; left: what could not be read, and why."""

    source: str
    commits: int = 0
    stages: int = 0
    known: int = 0
    left: list[str] = []


def take(client: AnyClient, repository: Repository, tell: Callable[[str], None]) -> Took:
    """Take in what is not here yet, oldest first. Broken off, it goes on where it stopped: each execution is known again."""
    took = Took(source=repository.root)
    tell(f"reading the history of {repository.root}")
    commits = repository.commits()
    took.commits = len(commits)
    for start in range(0, len(commits), _TOGETHER):
        _some(client, repository, commits[start : start + _TOGETHER], took)
        tell(
            f"{min(start + _TOGETHER, len(commits)):,} of {len(commits):,} commits read, {took.stages:,} stages taken in"
        )
    took.left = repository.left
    return took


def _some(client: AnyClient, repository: Repository, commits: list[Commit], took: Took) -> None:
    found: dict[str, Happened] = {}
    for commit in commits:
        for one in repository.happened(commit):
            found.setdefault(one.source, one)  # the same execution, committed on two branches
    if not found:
        return
    reply = client.call("positions", PositionsRequest(door=DOOR, sources=list(found)))
    new = [one for one in found.values() if not reply.positions.get(one.source)]
    took.known += len(found) - len(new)
    took.stages += len(new)
    if new:
        client.call("ingest", IngestRequest(batches=[_batch(one) for one in new]))


def _batch(one: Happened) -> ev.Batch:
    body = msgspec.json.encode([event for event in one.events if not isinstance(event, ev.MetricPoints)])
    return ev.Batch(
        door=DOOR, source=one.source, start=0, position=1, digest=sha256(body), actor="", events=one.events
    )


def lines(page: Page, took: Took) -> Iterator[Text]:
    """What was taken in, for people."""
    for name, count in (("commits with a dvc.lock", took.commits), ("stages taken in", took.stages)):
        yield styled(f"{name:26}", (f"{count:>10,}", "bold"))
    if took.known:
        yield styled((f"{took.known:,} were here already", "dim"))
    for text in took.left[:_SHOWN]:
        yield from page.hang("", "  ", styled(("! ", "bold red"), clean(text)))
    if len(took.left) > _SHOWN:
        yield styled((f"and {len(took.left) - _SHOWN:,} more that were left; --json lists them", "dim"))
