"""Questions about two things, or about all that depends on one: path, impact, common, why, inherited, columns, files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from lineal.cli import desk, exits
from lineal.cli.names import REFERENCE
from lineal.sdk import session, times

_F = TypeVar("_F", bound=Callable[..., Any])
_TIME = "2025-11-23, an ISO 8601 time, or '2h ago'"


def at_times(function: _F) -> _F:
    """Gives a command the options `--as-of` and `--valid-at`."""
    function = click.option("--valid-at", metavar="TIME", help="Only what had happened by then.")(function)
    return click.option("--as-of", metavar="TIME", help=f"As recorded by then: {_TIME}.")(function)


def moments(as_of: str | None, valid_at: str | None) -> dict[str, Any]:
    """Both times as fields of a request. Raises Invalid: one cannot be read."""
    now = times.now()
    given = {"as_of": as_of, "valid_at": valid_at}
    return {name: None if text is None else times.parse(text, now) for name, text in given.items()}


def narrowing(function: _F) -> _F:
    """Gives a command the options that narrow a question, as the argument `narrow`."""
    options = (
        click.option("--as-of", metavar="TIME", help=f"As recorded by then: {_TIME}."),
        click.option("--valid-at", metavar="TIME", help="Only what had happened by then."),
        click.option("--since", metavar="TIME", help="Only what happened from then on."),
        click.option(
            "--evidence", multiple=True, help="Only edges known so.",
            type=click.Choice(["observed", "declared", "inferred", "imported"]),
        ),
        click.option("--kind", "kinds", multiple=True, help="List only these: model, dataset, run, deployment ..."),
        click.option("--namespace", default="", help="List only what is in this namespace."),
        click.option("--tag", default="", metavar="KEY[:VALUE]", help="List only what has this tag."),
        click.option("--governing", is_flag=True, help="Also the code and environment that runs ran under."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def narrowed(narrow: dict[str, Any]) -> dict[str, Any]:
    """The options as fields of a request. Raises Invalid: a time cannot be read."""
    now = times.now()
    moments = {
        name: times.parse(narrow[name], now) if narrow[name] is not None else None
        for name in ("as_of", "valid_at", "since")
    }
    lists = {name: list(narrow[name]) for name in ("evidence", "kinds")}
    return {**moments, **lists, **{name: narrow[name] for name in ("namespace", "tag", "governing")}}


@click.command("path")
@click.argument("a", type=REFERENCE)
@click.argument("b", type=REFERENCE)
@click.option("--most", default=5, show_default=True, type=click.IntRange(1, 100), help="Most ways to show.")
@narrowing
@desk.json_option
def path_command(a: str, b: str, most: int, as_json: bool, **narrow: Any) -> None:
    """Show the shortest ways by which A came to be in B, or B in A.

    Exit code 1 when no way leads from one to the other.
    """
    from lineal.render import questions
    from lineal.service.questions import PathRequest

    with desk.reading() as client:
        refs: dict[str, Any] = {"a": session.reference(client, a), "b": session.reference(client, b)}
        reply = client.call("path", PathRequest(**refs, most=most, **narrowed(narrow)))
    desk.answer(as_json, reply, lambda page: questions.ways(reply, page))
    if not reply.paths:
        raise click.exceptions.Exit(exits.REFUSED)


@click.command("impact")
@click.argument("ref", type=REFERENCE)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Most to list.")
@narrowing
@desk.json_option
def impact_command(ref: str, limit: int, as_json: bool, **narrow: Any) -> None:
    """Show what depends on REF: models, deployments, data and runs, the nearest first, and whose they are."""
    from lineal.render import questions
    from lineal.service.impact import ImpactRequest

    with desk.reading() as client:
        request = ImpactRequest(ref=session.reference(client, ref), limit=limit, **narrowed(narrow))
        reply = client.call("impact", request)
    if reply.cut and as_json:
        exits.warn(reply.cut_reason)
    desk.answer(as_json, reply, lambda page: questions.impact(reply, page))


@click.command("common")
@click.argument("a", type=REFERENCE)
@click.argument("b", type=REFERENCE)
@narrowing
@desk.json_option
def common_command(a: str, b: str, as_json: bool, **narrow: Any) -> None:
    """Show what A and B were both made from, the nearest first."""
    from lineal.render import questions
    from lineal.service.questions import PairRequest

    with desk.reading() as client:
        refs: dict[str, Any] = {"a": session.reference(client, a), "b": session.reference(client, b)}
        reply = client.call("common", PairRequest(**refs, **narrowed(narrow)))
    desk.answer(as_json, reply, lambda page: questions.common(reply, page))


@click.command("why")
@click.argument("a", type=REFERENCE)
@click.argument("b", type=REFERENCE)
@narrowing
@desk.json_option
def why_command(a: str, b: str, as_json: bool, **narrow: Any) -> None:
    """Show how the ancestries of A and B differ, and where the difference began.

    `lineal diff` compares the runs themselves: parameters, metrics, code.
    """
    from lineal.render import questions
    from lineal.service.questions import PairRequest

    with desk.reading() as client:
        refs: dict[str, Any] = {"a": session.reference(client, a), "b": session.reference(client, b)}
        reply = client.call("why", PairRequest(**refs, **narrowed(narrow)))
    desk.answer(as_json, reply, lambda page: questions.why(reply, page))


@click.command("inherited")
@click.argument("ref", type=REFERENCE)
@narrowing
@desk.json_option
def inherited_command(ref: str, as_json: bool, **narrow: Any) -> None:
    """Show which tags reach REF from what it was made from, each with the way that carries it.

    With --tag pii or --tag licence:GPL only that one. The reverse is `lineal versions "upstream(tag = 'pii')"`.
    """
    from lineal.render import questions
    from lineal.service.questions import InheritedRequest

    with desk.reading() as client:
        request = InheritedRequest(ref=session.reference(client, ref), **narrowed(narrow))
        reply = client.call("inherited", request)
    desk.answer(as_json, reply, lambda page: questions.inherited(reply, page))


@click.command("columns")
@click.argument("ref", type=REFERENCE)
@click.argument("column", default="")
@click.option("--up", "direction", flag_value="up", default="up", help="From what it was made (the default).")
@click.option("--down", "direction", flag_value="down", help="Into what it went.")
@at_times
@desk.json_option
def columns_command(
    ref: str, column: str, direction: str, as_of: str | None, valid_at: str | None, as_json: bool
) -> None:
    """Show from which columns the columns of REF (or its COLUMN) were made, or with --down into which they went.

    Known from OpenLineage's columnLineage facet, and where two columns hold the very same values (marked inferred).
    """
    from lineal.render import questions
    from lineal.service.columns import ColumnsRequest

    with desk.reading() as client:
        request = ColumnsRequest(
            ref=session.reference(client, ref), column=column, direction=direction, **moments(as_of, valid_at)
        )
        reply = client.call("columns", request)
    desk.answer(as_json, reply, lambda page: questions.column_lines(reply, page))


@click.command("files")
@click.argument("ref", type=REFERENCE)
@click.argument("path", default="")
@click.option(
    "--up", "down", flag_value=False, type=bool, default=False, help="From what it was made (the default)."
)
@click.option("--down", "down", flag_value=True, type=bool, help="What was made from it.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Most files of each run."
)
@desk.json_option
def files_command(ref: str, path: str, down: bool, limit: int, as_json: bool) -> None:
    """Show from which files a file was made: the file PATH of the folder or commit REF, or REF itself where it is one file.

    Exact where it was told file by file (Pachyderm's datums) or only one file can be meant; else each run lists all that may have gone in.

    \b
      lineal files data/images@3 cat/0017.jpg
      lineal files pach:default/features@4f3... part-0 --down
    """
    from lineal.render import questions
    from lineal.service.file_lineage import FilesRequest

    with desk.reading() as client:
        request = FilesRequest(ref=session.reference(client, ref), path=path, down=down, limit=limit)
        reply = client.call("files", request)
    desk.answer(as_json, reply, lambda page: questions.file_lines(reply, page))
