"""Facets: say what they look like, and list those that do not."""

from __future__ import annotations

import click

from lineal.cli import desk
from lineal.cli.names import REFERENCE
from lineal.sdk import session


def _json(path: str) -> bytes:
    """The bytes of a file that holds JSON. Raises Invalid: it does not."""
    import msgspec

    from lineal.core.errors import Invalid

    with click.open_file(path, "rb") as file:
        body = file.read()
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{path} is no JSON: {error}", hint="give a file with one JSON document") from None
    return bytes(body)


@click.group("facet")
def facet_command() -> None:
    """Say what facets (typed attachments of runs, versions, jobs and edges) look like; attach them by hand."""


@facet_command.command("define")
@click.argument("name")
@click.argument("schema", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--refuse", is_flag=True, help="Do not attach what breaks the schema; else it is kept and flagged."
)
@click.option(
    "--new-version", is_flag=True, help="Make it the next version: what fitted before need not fit."
)
@desk.json_option
def define(name: str, schema: str, refuse: bool, new_version: bool, as_json: bool) -> None:
    """Say by a JSON Schema file what facets called NAME look like.

    From then on each is held against it, and its fields can be searched: `lineal runs "facet.card.risk >= 3"`. A change that some
    facet of before may break needs --new-version.
    """
    import msgspec

    from lineal.render import questions
    from lineal.service.facets import FacetDefineRequest

    body = _json(schema)
    with desk.writing() as client:
        request = FacetDefineRequest(
            name=name, schema=msgspec.Raw(body), refuse=refuse, new_version=new_version
        )
        reply = client.call("facet-define", request)
    desk.answer(as_json, reply, lambda page: questions.facets([reply], page))


@facet_command.command("set")
@click.argument("ref", type=REFERENCE)
@click.argument("name")
@click.argument("body", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--run", type=REFERENCE, default="", help="The run that read or wrote REF: the facet is of that edge."
)
@desk.json_option
def set_facet(ref: str, name: str, body: str, run: str, as_json: bool) -> None:
    """Attach the JSON document BODY (- for standard input) under NAME to REF: a run, a version, or job:NAME.

    It is held against the schema of that name, if one is defined: one that breaks it is flagged, or refused.
    """
    import msgspec

    from lineal.render import questions
    from lineal.service.facet_set import FacetSetRequest

    raw = _json(body)
    with desk.writing() as client:
        named = ref if ref.startswith("job:") else session.reference(client, ref)
        request = FacetSetRequest(
            ref=named, name=name, body=msgspec.Raw(raw), run=session.reference(client, run) if run else ""
        )
        reply = client.call("facet-set", request)
    desk.answer(as_json, reply, lambda page: questions.written(reply, page))


@facet_command.command("list")
@click.argument("name", default="")
@desk.json_option
def list_defined(name: str, as_json: bool) -> None:
    """List the schemas that stand, or those called NAME."""
    from lineal.render import questions
    from lineal.service.facets import FacetsRequest

    with desk.reading() as client:
        reply = client.call("facets", FacetsRequest(name=name))
    desk.answer(as_json, reply.facets, lambda page: questions.facets(reply.facets, page))


@facet_command.command("faults")
@click.argument("ref", default="", type=REFERENCE)
@click.option(
    "--limit", default=1000, show_default=True, type=click.IntRange(1, 10_000), help="Most to list."
)
@desk.json_option
def faults(ref: str, limit: int, as_json: bool) -> None:
    """List facets that break their schemas, of everything or of REF; the newest first."""
    from lineal.render import questions
    from lineal.service.facets import FacetFaultsRequest

    with desk.reading() as client:
        request = FacetFaultsRequest(ref=session.reference(client, ref) if ref else "", limit=limit)
        reply = client.call("facet-faults", request)
    desk.answer(as_json, reply.faults, lambda page: questions.faults(reply.faults, page))
