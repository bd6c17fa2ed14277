"""The server: server, server check, ui, token."""

from __future__ import annotations

from types import ModuleType

import click

from lineal.cli import exits
from lineal.core.errors import Unavailable


@click.group("server", invoke_without_command=True)
@click.option(
    "--store", metavar="URL", help="Where the record is: a path or postgresql://...; else the project's."
)
@click.option(
    "--blobs",
    metavar="URL",
    help="Where bytes are kept: a folder or s3://, gs://, az://; else the project's.",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on."
)
@click.option("--port", default=7070, show_default=True, help="Port to listen on; 0 for any that is free.")
@click.option("--workers", default=1, show_default=True, help="Processes; more than one needs PostgreSQL.")
@click.pass_context
def server_command(
    ctx: click.Context, store: str | None, blobs: str | None, host: str, port: int, workers: int
) -> int:
    """Serve the record over HTTP, to several people and machines. Ends with Ctrl-C, after finishing what it writes."""
    if ctx.invoked_subcommand:
        return exits.OK
    run = _loaded()
    config = run.configured(store=store, blobs=blobs, host=host, port=port, workers=workers)
    run.start(config, exits.tell)
    return exits.OK


def _loaded() -> ModuleType:
    try:
        from lineal.server import run
    except ImportError as error:
        raise Unavailable(
            f"the server needs {error.name}, which is not installed", hint="pip install 'lineal[server]'"
        ) from error
    return run
