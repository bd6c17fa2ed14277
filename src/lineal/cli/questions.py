"""Questions to the graph: versions and models by a query."""

from __future__ import annotations

import click

from lineal.cli import desk, exits

_MOST = 100_000


@click.command("versions")
@click.argument("filters", nargs=-1, metavar="[WHERE]")
@click.option("--sort", default="", metavar="FIELD [asc|desc]", help="Order, for example 'metrics.auc desc'.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, _MOST), help="Most versions to list."
)
@desk.json_option
def versions_command(filters: tuple[str, ...], sort: str, limit: int, as_json: bool) -> None:
    """List versions of data, models and other files, newest first.

    WHERE is a query (docs/reference/query.md); metrics and params are those of the run that made the version:

    \b
      lineal versions "kind = model and metrics.auc > 0.9 and from dataset:raw_flights"
      lineal versions "upstream(tag = 'pii') and not tag = 'pii'"
    """
    _list(filters, sort, limit, as_json, models=False)


@click.command("models")
@click.argument("filters", nargs=-1, metavar="[WHERE]")
@click.option("--sort", default="", metavar="FIELD [asc|desc]", help="Order, for example 'metrics.auc desc'.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, _MOST), help="Most models to list."
)
@desk.json_option
def models_command(filters: tuple[str, ...], sort: str, limit: int, as_json: bool) -> None:
    """List versions that have a registered name, newest first.

    WHERE is a query (docs/reference/query.md), in which `name` is the registered name and `version` its number:

    \b
      lineal models "name = churn and metrics.auc > 0.9"
      lineal models "alias = champion and upstream(tag = 'licence:GPL')"
    """
    _list(filters, sort, limit, as_json, models=True)


def _list(filters: tuple[str, ...], sort: str, limit: int, as_json: bool, *, models: bool) -> None:
    from lineal.render import table
    from lineal.service.versions import VersionsRequest

    request = VersionsRequest(where=desk.joined(filters), models=models, order=sort, limit=limit)
    with desk.reading() as client:
        reply = client.call("versions", request)
    if reply.cut and as_json:
        exits.warn(f"the first {len(reply.versions)}; there are more (--limit N)")
    desk.answer(as_json, reply.versions, lambda page: table.versions(reply.versions, page, cut=reply.cut))
