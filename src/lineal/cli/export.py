"""`lineal export`: the record in the form of other systems."""

from __future__ import annotations

import click
import msgspec

from lineal.cli import desk


@click.group("export")
def export_command() -> None:
    """Write the record in the form of another system."""


@export_command.command("openlineage")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    default="-",
    show_default="stdout",
    help="File to write to.",
)
def openlineage_command(output: str) -> None:
    """Write every run as OpenLineage events, one JSON object a line: for the file transport's readers, or to be sent on.

    Runs that OpenLineage told of are left out; the server gives their events back as they came, at /api/v1/events/lineage.
    """
    from lineal.service.openlineage_out import OpenLineageRequest

    with desk.reading() as client, click.open_file(output, "wb") as file:
        after: int | None = 0
        while after is not None:
            reply = client.call("openlineage", OpenLineageRequest(after=after))
            for event in reply.events:
                file.write(msgspec.json.encode(event) + b"\n")
            after = reply.next
