"""Answers to questions about the graph as lines: joins."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from lineal.render.page import Page, clean, styled
from lineal.service.meeting import Join, Joined


def joins(reply: Joined, page: Page) -> Iterator[Text]:
    """What is one thing, and why."""
    if len(reply.members) > 1:
        yield styled(("one and the same:", "bold"))
        for member in reply.members:
            yield Text(f"  {clean(member)}")
    else:
        yield styled((clean(reply.members[0]), "bold"), " is joined with nothing")
    for join in reply.joins:
        yield from _join(join, page)


def _join(join: Join, page: Page) -> Iterator[Text]:
    sign = "held apart" if join.apart else "joined"
    gone = f", taken back {page.time(join.retracted_at)}" if join.retracted_at is not None else ""
    head = styled(
        (f"{sign}: ", "yellow" if join.apart else "green"),
        f"{clean(join.a)} and {clean(join.b)}",
        (f"  {clean(join.rule)}, {clean(join.evidence)}{gone}", "dim"),
    )
    yield from page.hang("", "  ", head)
    said = " ".join(
        part
        for part in (
            clean(join.said),
            f"(by {clean(join.actor)}, {page.time(join.recorded_at)})"
            if join.actor
            else page.time(join.recorded_at),
            f"message {join.message}" if join.message else "",
        )
        if part
    )
    yield from page.hang("  ", "  ", styled((said, "dim")))
