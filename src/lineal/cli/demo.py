"""`lineal demo`: a ready-made story and what to look at in it."""

from __future__ import annotations

import os
import shlex
import time
from typing import TYPE_CHECKING

import click
import msgspec

from lineal.cli import desk
from lineal.render.page import Page, clean, styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

# what a command shows -> its words behind `lineal -C FOLDER`
LOOK = (
    ("everything that ran, and how it went", "runs"),
    (
        "where the live model comes from, back to the warehouse; `?` marks what nobody knows",
        "trace churn@champion",
    ),
    (
        "why the second model differs from the first: parameter, metric, changed column",
        "diff churn@1 churn@2",
    ),
    ("why the third one was a mistake: another program made its input", "diff churn@2 churn@3"),
    ("that an alias was moved, and moved back, by whom and why", "alias churn --history"),
    ("what a raw file went into", "trace data/raw/customers.csv@1 --down"),
    ("how complete the record is, and what is missing in it", "health churn@champion"),
    ("how the model stood three days ago", "trace churn@champion --as-of '3 days ago'"),
)


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """A seeded demo: its folder, and commands to try."""

    folder: str
    commands: list[str]


@click.command("demo")
@click.argument("folder", required=False, type=click.Path(file_okay=False))
@desk.json_option
def demo_command(folder: str | None, as_json: bool) -> None:
    """Seed a ready-made story into FOLDER (default: ./lineal-demo) and say what to look at.

    It needs no network. A folder that is not an earlier demo is never touched.
    """
    from lineal.demo.seed import seed

    with desk.waiting("seeding the story") as progress:
        project = seed(folder, time.time_ns() // 1000, progress)
    place = os.path.relpath(project.root)
    place = project.root if place.startswith("..") else place
    commands = [f"lineal -C {shlex.quote(place)} {words}" for _, words in LOOK]

    def lines(page: Page) -> Iterator[Text]:
        yield styled("A churn model's last days are in ", (clean(place), "bold"), ". Look at:")
        for (why, _), command in zip(LOOK, commands, strict=True):
            yield styled("")
            yield from page.hang("  ", "  ", styled((why, "dim")))
            yield styled(("    " + clean(command), "bold"))

    desk.answer(as_json, Seeded(folder=project.root, commands=commands), lines)
