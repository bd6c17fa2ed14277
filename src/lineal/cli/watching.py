"""watch: follow another system, and take in what happens there as it happens."""

from __future__ import annotations

import time

import click

from lineal.cli import desk, exits
from lineal.cli.importing import pachyderm_options, projects_here
from lineal.core.errors import Unavailable


@click.group("watch")
def watch_command() -> None:
    """Follow another system, and take in what happens there as it happens."""


@watch_command.command("pachyderm")
@click.argument("place", metavar="ADDRESS")
@pachyderm_options
@click.option(
    "--every",
    type=click.FloatRange(0.1, 86_400),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait between two looks.",
)
@click.option("--for", "lasting", type=click.FloatRange(0), metavar="SECONDS", help="Stop after that long.")
def pachyderm_command(
    place: str, token: str, no_files: bool, no_datums: bool, every: float, lasting: float | None
) -> int:
    """Follow a Pachyderm cluster until it is broken off (Ctrl-C): new commits, and how open ones end.

    A cluster that does not answer for a while is asked again; what was taken is kept.
    """
    from lineal.cli import pachyderm

    projects_here()
    until = None if lasting is None else time.monotonic() + lasting
    exits.tell(f"watching {place}; Ctrl-C ends it")
    while True:
        try:
            with desk.telling() as (client, tell), pachyderm.opened(place, token) as cluster:
                took = pachyderm.History(
                    client, cluster, tell, files=not no_files, datums=not no_datums
                ).take()
            if took.commits or took.ended:
                click.echo(f"{took.commits:,} commits taken in, {took.ended:,} ended, {took.open:,} open")
        except Unavailable as error:
            exits.tell(f"{error.message}; asking again in {every:g} s")
        if until is not None and time.monotonic() >= until:
            return exits.OK
        time.sleep(every)
