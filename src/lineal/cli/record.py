"""Questions: runs, show, trace, diff, health."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from lineal.cli import desk, exits, printed
from lineal.cli.names import REFERENCE
from lineal.sdk import session, times

if TYPE_CHECKING:
    from lineal.service.lineage import TraceReply

_MOST_RUNS = 100_000
_DEPTH = 1000


@click.command("runs")
@click.argument("filters", nargs=-1, metavar="[WHERE]")
@click.option("--where", "wheres", multiple=True, metavar="WHERE", help="The same as the argument.")
@click.option("--sort", default="", metavar="FIELD [asc|desc]", help="Order, for example 'metrics.auc desc'.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, _MOST_RUNS), help="Most runs to list."
)
@click.option("--all", "everything", is_flag=True, help="List every run.")
@desk.json_option
def runs_command(
    filters: tuple[str, ...], wheres: tuple[str, ...], sort: str, limit: int, everything: bool, as_json: bool
) -> None:
    """List runs, newest first.

    WHERE is a query (docs/reference/query.md): comparisons of metrics.KEY, params.KEY, tags.KEY, facet.NAME.PATH, job, name,
    state, kind, actor, group, started_at and ended_at, joined by and, or, not and brackets, and what it was made from:

    \b
      lineal runs "metrics.auc > 0.9 and (params.lr = 0.1 or tags.stage like 'prod%')"
      lineal runs "from dataset:raw_flights and state = failed as of '2026-03-03'"
      lineal runs "upstream(tag = 'pii')" --sort "started_at asc"
    """
    from lineal.render import table
    from lineal.service.runs import RunsRequest

    where = desk.joined((*filters, *wheres))
    request = RunsRequest(where=where, order=sort, limit=_MOST_RUNS if everything else limit)
    with desk.reading() as client:
        reply = client.call("runs", request)
    if reply.cut and as_json:
        exits.warn(f"the first {len(reply.runs)} runs; there are more (--limit N or --all)")
    fold = not (where or sort or everything)
    desk.answer(
        as_json, reply.runs, lambda page: table.runs(reply.runs, page, cut=reply.cut, sort=sort, fold=fold)
    )


@click.command("show")
@click.argument("ref", type=REFERENCE)
@click.option("--console", is_flag=True, help="What the run printed, instead of all that is known of it.")
@click.option("--notebook", is_flag=True, help="The notebook that the run executed, as it was when it ended.")
@desk.all_option
@desk.json_option
def show_command(ref: str, console: bool, notebook: bool, everything: bool, as_json: bool) -> None:
    """Show one run or version with all that is known of it.

    REF is run:ID, NAME@VERSION, NAME@ALIAS, a path, or sha256:DIGEST; a name or path alone means its newest version.
    """
    from lineal.cli import available
    from lineal.render import run
    from lineal.service.show import ShowRequest

    with desk.reading() as client:
        reply = client.call("show", ShowRequest(ref=session.reference(client, ref)))
        if notebook:
            printed.notebook(reply, client.blobs.get)
            return
        if console:
            printed.answer(reply, client.blobs.get, as_json=as_json)
            return
    desk.answer(as_json, reply, lambda page: run.render(reply, page, most=0 if everything else run.LINES))
    for lost in available.lost(reply):
        click.echo(lost, err=True)


@click.command("trace")
@click.argument("ref", type=REFERENCE)
@click.option("--up", "direction", flag_value="up", default="up", help="What it was made from (the default).")
@click.option("--down", "direction", flag_value="down", help="What it went into.")
@click.option(
    "--depth",
    default=_DEPTH,
    metavar="N",
    type=click.IntRange(1),
    help="Hops to follow; dataset -> run -> model is 2.",
)
@click.option(
    "--as-of", metavar="TIME", help="As recorded by then: 2025-11-23, an ISO 8601 time, or '2h ago'."
)
@click.option("--governing", is_flag=True, help="Also the code and environment that runs ran under.")
@click.option(
    "--format", "shape", default="text", show_default=True, type=click.Choice(["text", "mermaid", "dot", "json"]),
    help="How to write the graph.",
)  # fmt: skip
@desk.all_option
@desk.json_option
def trace_command(
    ref: str,
    direction: str,
    depth: int,
    as_of: str | None,
    governing: bool,
    shape: str,
    everything: bool,
    as_json: bool,
) -> None:
    """Show what REF was made from, or with --down what it went into.

    In the tree, `?` marks what is not known, `inferred` and `declared` what was not observed; what comes again is drawn
    once, many alike are one line, and the end says what was folded or cut.
    """
    from lineal.render import fold, tree
    from lineal.sdk.query import aliases_by_version
    from lineal.service.lineage import TraceRequest

    by = times.parse(as_of, time.time_ns() // 1000) if as_of is not None else None
    with desk.reading() as client:
        request = TraceRequest(
            ref=session.reference(client, ref),
            direction=direction,
            depth=depth,
            as_of=by,
            governing=governing,
        )
        reply = client.call("trace", request)
        drawn = shape == "text" and not as_json
        aliases = aliases_by_version(client, by) if drawn else {}
    if reply.cut and not drawn:
        exits.warn(reply.cut_reason or "the answer is cut")
    if shape in ("mermaid", "dot") and not as_json:
        desk.write(_graph(reply, shape))
        return
    siblings = 0 if everything else fold.SIBLINGS
    desk.answer(not drawn, reply, lambda page: tree.render(reply, page, aliases=aliases, siblings=siblings))


def _graph(reply: TraceReply, shape: str) -> str:
    if shape == "mermaid":
        from lineal.export.mermaid import to_mermaid

        return to_mermaid(reply)
    from lineal.export.dot import to_dot

    return to_dot(reply)


@click.command("diff")
@click.argument("a", type=REFERENCE)
@click.argument("b", type=REFERENCE)
@desk.all_option
@desk.json_option
def diff_command(a: str, b: str, everything: bool, as_json: bool) -> None:
    """Show why A and B differ: parameters, metrics, code, environment, inputs, and what lies upstream.

    A and B are two runs, or two versions; then the runs that made them are compared. What is equal is only counted.
    """
    from lineal.render import diff
    from lineal.service.compare import DiffRequest

    with desk.reading() as client:
        request = DiffRequest(a=session.reference(client, a), b=session.reference(client, b))
        reply = client.call("diff", request)
    desk.answer(as_json, reply, lambda page: diff.render(reply, page, most=0 if everything else diff.LINES))


@click.command("health")
@click.argument("ref", type=REFERENCE)
@desk.all_option
@desk.json_option
def health_command(ref: str, everything: bool, as_json: bool) -> None:
    """Show how complete the record behind REF is, as a percentage, with the list of what is not known."""
    from lineal.cli import available
    from lineal.render import health
    from lineal.service.health import HealthRequest

    with desk.reading() as client:
        known = session.reference(client, ref)
        reply = client.call("health", HealthRequest(ref=known))
        reply = available.with_check(reply, available.still_there(client, known))
    desk.answer(
        as_json, reply, lambda page: health.render(reply, page, most=0 if everything else health.LINES)
    )
