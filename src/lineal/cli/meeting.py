"""One thing or two, and what contradicts: same, split, joins, conflicts, resolve."""

from __future__ import annotations

import click

from lineal.cli import desk
from lineal.cli.asking import at_times, moments
from lineal.cli.names import REFERENCE
from lineal.sdk import session, times


@click.command("same")
@click.argument("a", type=REFERENCE)
@click.argument("b", type=REFERENCE)
@click.option("--reason", default="", metavar="TEXT", help="Why they are one; kept with the join.")
@desk.json_option
def same_command(a: str, b: str, reason: str, as_json: bool) -> None:
    """Record that A and B, two runs or two versions, are one and the same thing.

    From then on they are one vertex of the graph. `lineal joins A` shows why, `lineal split A B` takes it back.
    """
    from lineal.render import questions
    from lineal.service.joining import SameRequest

    with desk.writing() as client:
        request = SameRequest(a=session.reference(client, a), b=session.reference(client, b), reason=reason)
        reply = client.call("same", request)
    desk.answer(as_json, reply, lambda page: questions.joins(reply, page))


@click.command("split")
@click.argument("a", type=REFERENCE)
@click.argument("b", type=REFERENCE, required=False)
@click.option("--reason", default="", metavar="TEXT", help="Why they are two; kept with the decision.")
@desk.json_option
def split_command(a: str, b: str | None, reason: str, as_json: bool) -> None:
    """Take back that A is the same as B (as anything, without B), and hold them apart.

    No rule joins them again until `lineal same A B` does.
    """
    from lineal.render import questions
    from lineal.service.joining import SplitRequest

    with desk.writing() as client:
        other = session.reference(client, b) if b else ""
        request = SplitRequest(a=session.reference(client, a), b=other, reason=reason)
        reply = client.call("split", request)
    desk.answer(as_json, reply, lambda page: questions.joins(reply, page))


@click.command("joins")
@click.argument("ref", type=REFERENCE)
@click.option("--history", is_flag=True, help="Also joins that were taken back.")
@click.option(
    "--as-of", metavar="TIME", help="As recorded by then: 2025-11-23, an ISO 8601 time, or '2h ago'."
)
@desk.json_option
def joins_command(ref: str, history: bool, as_of: str | None, as_json: bool) -> None:
    """Show which reports are one thing with REF, each join with its rule, evidence and message."""
    from lineal.render import questions
    from lineal.service.joining import JoinsRequest

    by = times.parse(as_of, times.now()) if as_of is not None else None
    with desk.reading() as client:
        request = JoinsRequest(ref=session.reference(client, ref), history=history, as_of=by)
        reply = client.call("joins", request)
    desk.answer(as_json, reply, lambda page: questions.joins(reply, page))


@click.command("conflicts")
@click.argument("ref", type=REFERENCE, default="")
@click.option("--resolved", is_flag=True, help="Also contradictions that were decided.")
@at_times
@desk.json_option
def conflicts_command(
    ref: str, resolved: bool, as_of: str | None, valid_at: str | None, as_json: bool
) -> None:
    """Show what contradicts in everything that REF was made from, and what nobody told; without REF, among what runs live.

    Sources that claim different bytes, inputs or parents of one thing; a run made from two versions of one dataset; live models on
    different versions of one component; features built by other code for training than for serving.
    """
    from lineal.render import questions
    from lineal.service.conflicts import ConflictsRequest

    with desk.reading() as client:
        named = session.reference(client, ref) if ref else ""
        request = ConflictsRequest(ref=named, resolved=resolved, **moments(as_of, valid_at))
        reply = client.call("conflicts", request)
    desk.answer(as_json, reply, lambda page: questions.conflicts(reply, page))


@click.command("message")
@click.argument("number", type=click.IntRange(min=0))
@desk.json_option
def message_command(number: int, as_json: bool) -> None:
    """Show the message NUMBER as it was received, word for word.

    Edges, joins and contradictions name the message that brought them.
    """
    from lineal.render import questions
    from lineal.service.messages import MessageRequest

    with desk.reading() as client:
        reply = client.call("message", MessageRequest(number=number))
    desk.answer(as_json, reply, lambda page: questions.message(reply, page))


@click.command("resolve")
@click.argument("id")
@click.argument("choice", default="")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept with the decision.")
@click.option("--take-back", is_flag=True, help="Take the decision back.")
@desk.json_option
def resolve_command(id: str, choice: str, reason: str, take_back: bool, as_json: bool) -> None:
    """Record a decision about the contradiction ID: which claim counts, or any word on how it was settled.

    Both claims stay in the record. `lineal conflicts REF` prints the ids.
    """
    from lineal.render import questions
    from lineal.service.conflicts import ResolveRequest

    if bool(choice) == take_back:
        raise click.UsageError("give a CHOICE, or --take-back")
    with desk.writing() as client:
        reply = client.call("resolve", ResolveRequest(id=id, choice=choice, reason=reason))
    desk.answer(as_json, reply, lambda page: questions.resolved(reply, page))
