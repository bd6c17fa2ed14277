"""Taking in a store of ML Metadata: `lineal import mlmd`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import msgspec

from lineal.core.mlmd import Part
from lineal.render.page import Page, clean, styled
from lineal.service.mlmd_import import MlmdImportRequest

if TYPE_CHECKING:
    from rich.text import Text

    from lineal.service.client import AnyClient

_SHOWN = 20


class Source(Protocol):
    """Another store. left: what of it cannot be read."""

    name: str
    left: list[str]

    def count(self) -> int:
        """How many things there are; 0 when that is not known."""
        ...

    def parts(self) -> Iterator[Part]:
        """All of them, in parts that rely on what came before."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Took(msgspec.Struct, kw_only=True):
    """What an import took in. renumbered: nodes that have another number here; left: what was not taken, and why."""

    source: str
    new: int = 0
    changed: int = 0
    known: int = 0
    renumbered: int = 0
    left: list[str] = []


def opened(place: str) -> Source:
    """The store at an SQLite file, `sqlite:///PATH`, HOST:PORT or `grpc://HOST:PORT`. Raises as the readers do."""
    from lineal.connect.mlmd import File

    host, colon, port = place.removeprefix("grpc://").rstrip("/").rpartition(":")
    if place.startswith("grpc://") or (colon and host and "/" not in host and port.isdecimal()):
        from lineal.doors.mlmd.reading import Server

        return Server(place)
    return File(place.removeprefix("sqlite:///").removeprefix("sqlite://"))


def take(client: AnyClient, source: Source, tell: Callable[[str], None]) -> Took:
    """Take in all of a store, each part in a transaction of its own."""
    took = Took(source=source.name)
    tell(f"reading {source.name}")
    count, done = source.count(), 0
    for part in source.parts():
        request = MlmdImportRequest(source=source.name, part=msgspec.msgpack.encode(part))
        reply = client.call("import-mlmd", request)
        for name in ("new", "changed", "known", "renumbered"):
            setattr(took, name, getattr(took, name) + getattr(reply, name))
        took.left += reply.left
        done += sum(
            len(things) for things in (part.types, part.nodes, part.events, part.members, part.parents)
        )
        tell(f"{done:,} of {count:,} taken in" if count else f"{done:,} taken in")
    took.left += source.left
    return took


def lines(page: Page, took: Took) -> Iterator[Text]:
    """What was taken, for people."""
    yield styled(("ML Metadata at ", "dim"), clean(took.source))
    for name, what in (
        ("new", "types, artifacts, executions, contexts, events, memberships"),
        ("changed", "updated there since they were taken"),
        ("known", "here already"),
        ("renumbered", "their number was somebody else's here"),
    ):
        count = getattr(took, name)
        if count or name == "new":
            yield styled(f"{name:12}{count:>12,}  ", (what, "dim"))
    for left in took.left[:_SHOWN]:
        yield from page.hang("", "  ", styled(("! ", "bold red"), clean(f"left out: {left}")))
    if len(took.left) > _SHOWN:
        yield styled((f"and {len(took.left) - _SHOWN:,} more; --json lists them", "dim"))
