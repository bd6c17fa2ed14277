"""Taking in the runs of a Kubeflow Pipelines server: `lineal import kfp`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from lineal.connect import kubeflow_story as story
from lineal.connect.kubeflow import Server
from lineal.core import events as ev
from lineal.core.errors import LinealError
from lineal.render.page import Page, clean, styled
from lineal.service.ingest import IngestRequest, PositionsRequest

if TYPE_CHECKING:
    from rich.text import Text

    from lineal.service.client import AnyClient

_TOGETHER = 50  # runs of one request
_SHOWN = 20


class Took(msgspec.Struct, kw_only=True):
    """What an import took in. known: runs that had ended and were taken before; open: runs that had not ended, looked at again
    next time; left: what could not be read."""

    source: str
    runs: int = 0
    tasks: int = 0
    links: int = 0
    known: int = 0
    open: int = 0
    left: list[str] = []


def take(client: AnyClient, server: Server, tell: Callable[[str], None]) -> Took:
    """Take in every run, oldest first; one that had ended when it was taken is not read again."""
    took = Took(source=server.name)
    tell(f"asking {server.name} for runs")
    found = server.runs()
    while some := list(islice(found, _TOGETHER)):
        sources = [_stream(server, run) for run in some]
        reached = client.call("positions", PositionsRequest(door=story.DOOR, sources=sources)).positions
        batches = [
            batch
            for run, source in zip(some, sources, strict=True)
            if (batch := _batch(server, run, source, reached[source], took)) is not None
        ]
        if batches:
            client.call("ingest", IngestRequest(batches=batches))
        tell(f"{took.runs + took.known:,} runs read")
    if not server.artifacts:
        took.left.append(
            "artifacts: this server keeps them in ML Metadata; `lineal import mlmd` takes in what is there"
        )
    return took


def _stream(server: Server, run: dict[str, Any]) -> str:
    return f"{server.name}/{run['run_id']}"


def _batch(server: Server, run: dict[str, Any], source: str, reached: int, took: Took) -> ev.Batch | None:
    """One run as a batch. One that has ended is at position 1 of its stream: it is taken once."""
    if reached:
        took.known += 1
        return None
    try:
        links = server.links(str(run["run_id"]))
        events = story.events(run, links)
    except (LinealError, KeyError, TypeError, AttributeError) as error:
        said = (
            error.message
            if isinstance(error, LinealError)
            else f"it is not of the form that is known: {error!r}"
        )
        took.left.append(f"run {run.get('run_id')}: {said}")
        return None
    ended = story.has_ended(run)
    if not ended:  # its figures are taken once, when it has ended
        events = [event for event in events if not isinstance(event, ev.MetricPoints)]
    took.runs += 1
    took.open += not ended
    took.tasks += sum(isinstance(event, ev.RunStarted) for event in events) - 1
    took.links += sum(isinstance(event, ev.VersionUsed | ev.VersionGenerated) for event in events)
    body = msgspec.json.encode(events)
    return ev.Batch(
        door=story.DOOR,
        source=source,
        start=0,
        position=int(ended),
        digest="sha256:" + hashlib.sha256(body).hexdigest(),
        actor="",
        events=events,
    )


def lines(page: Page, took: Took) -> Iterator[Text]:
    """What was taken, for people."""
    yield styled(("Kubeflow Pipelines at ", "dim"), clean(took.source))
    for name, what in (
        ("runs", ""),
        ("tasks", "a run each, below the run of the pipeline"),
        ("links", "artifacts that tasks used or made"),
        ("open", "looked at again by the next import"),
        ("known", "ended, and here already"),
    ):
        count = getattr(took, name)
        if count or name == "runs":
            yield styled(f"{name:8}{count:>10,}  ", (what, "dim"))
    for left in took.left[:_SHOWN]:
        yield from page.hang("", "  ", styled(("! ", "bold red"), clean(f"left out: {left}")))
    if len(took.left) > _SHOWN:
        yield styled((f"and {len(took.left) - _SHOWN:,} more; --json lists them", "dim"))
