"""Names and deployments: register, alias, tag, deploy, undeploy, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineal.cli import desk
from lineal.cli.names import NAME, REFERENCE
from lineal.core.errors import Invalid
from lineal.render.page import Page, clean, count, styled
from lineal.sdk import session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from lineal.service.registry import AliasOut


@click.command("register")
@click.argument("version", type=REFERENCE)
@click.argument("name", type=NAME)
@desk.json_option
def register_command(version: str, name: str, as_json: bool) -> None:
    """Give VERSION (a path means its newest version) the name NAME; it becomes NAME@1, NAME@2 ..."""
    from lineal.service.registry import RegisterRequest

    with desk.writing() as client:
        made = client.call("register", RegisterRequest(ref=session.reference(client, version), name=name))
    said = "is" if made.new else "was already"
    desk.answer(
        as_json,
        made,
        lambda page: [
            styled((f"{clean(made.name)}@{made.number}", "bold green"), f" {said} {clean(made.version)}")
        ],
    )


@click.command("alias")
@click.argument("name", type=NAME, required=False)
@click.argument("alias", required=False)
@click.argument("version", type=REFERENCE, required=False)
@click.option(
    "--expect",
    type=click.IntRange(0),
    metavar="REVISION",
    help="Refuse if the alias is not at this revision (0: it does not exist).",
)
@click.option("--reason", default="", help="Why it is moved; kept with the move.")
@click.option("--remove", is_flag=True, help="Take the alias away.")
@click.option("--history", is_flag=True, help="List where aliases point and pointed.")
@desk.json_option
def alias_command(
    name: str | None,
    alias: str | None,
    version: str | None,
    expect: int | None,
    reason: str,
    remove: bool,
    history: bool,
    as_json: bool,
) -> None:
    """Point ALIAS of NAME at VERSION (a number, or any reference to it); without VERSION, list aliases.

    \b
      lineal alias churn champion 3 --expect 2 --reason "better recall"
      lineal alias churn --history
    """
    if version is None and not remove:
        _list_aliases(name, alias, history=history, as_json=as_json)
        return
    if name is None or alias is None or history or (remove and version is not None):
        raise click.UsageError("write NAME ALIAS VERSION, or NAME ALIAS --remove; --history only lists")
    from lineal.service.registry import AliasRequest

    with desk.writing() as client:
        wanted = session.reference(client, version) if version and not version.isdecimal() else version or ""
        request = AliasRequest(name=name, alias=alias, version=wanted, expect=expect, reason=reason)
        moved = client.call("alias", request)
    desk.answer(as_json, moved, lambda page: [_moved(moved)])


def _moved(moved: AliasOut) -> Text:
    where = f"{clean(moved.name)}@{clean(moved.alias)}"
    if moved.retracted_at is not None:
        return styled((where, "bold"), f" is gone; it pointed to {clean(moved.name)}@{moved.number}")
    return styled(
        (where, "bold green"),
        f" points to {clean(moved.name)}@{moved.number}",
        (f"  revision {moved.revision}", "dim"),
    )


def _list_aliases(name: str | None, alias: str | None, *, history: bool, as_json: bool) -> None:
    from lineal.render import table
    from lineal.service.registry import AliasesRequest

    with desk.reading() as client:
        listed = client.call("aliases", AliasesRequest(name=name, history=history)).aliases
    chosen = [entry for entry in listed if alias is None or entry.alias == alias]
    desk.answer(as_json, chosen, lambda page: table.aliases(chosen, page))


@click.command("tag")
@click.argument("ref", type=REFERENCE)
@click.argument("tags", nargs=-1, required=True, metavar="KEY=VALUE...")
@desk.json_option
def tag_command(ref: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Set tags on a run or version. The value of a key already set is replaced; the earlier one stays as history."""
    from lineal.service.registry import TagRequest

    wanted = _pairs(tags)
    with desk.writing() as client:
        known = session.reference(client, ref)
        made = [client.call("tag", TagRequest(ref=known, key=key, value=value)) for key, value in wanted]
    desk.answer(
        as_json,
        made,
        lambda page: [
            styled(f"{clean(t.ref)}  ", (f"{clean(t.key)}={clean(t.value)}", "bold")) for t in made
        ],
    )


@click.command("deploy")
@click.argument("version", type=REFERENCE)
@click.argument("target")
@click.option("--url", default="", help="Where it answers.")
@desk.json_option
def deploy_command(version: str, target: str, url: str, as_json: bool) -> None:
    """Record that VERSION goes live at TARGET; what was live there under the same name ends with it."""
    from lineal.service.registry import DeployRequest

    with desk.writing() as client:
        request = DeployRequest(ref=session.reference(client, version), target=target, url=url)
        made = client.call("deploy", request)

    def lines(page: Page) -> Iterator[Text]:
        yield styled(
            (clean(made.version), "bold green"),
            f" is live at {clean(made.target)}  ",
            (f"run:{made.run_id}", "dim"),
        )
        if made.replaced:
            yield styled(f"in place of {clean(', '.join(made.replaced))}")

    desk.answer(as_json, made, lines)


@click.command("undeploy")
@click.argument("version", type=REFERENCE)
@click.argument("target")
@desk.json_option
def undeploy_command(version: str, target: str, as_json: bool) -> None:
    """Record that VERSION goes down at TARGET."""
    from lineal.service.registry import UndeployRequest

    with desk.writing() as client:
        ended = client.call(
            "undeploy", UndeployRequest(ref=session.reference(client, version), target=target)
        )
    desk.answer(
        as_json,
        ended,
        lambda page: [styled((clean(ended.version), "bold"), f" is no longer live at {clean(ended.target)}")],
    )


@click.command("delete")
@click.argument("ref", type=REFERENCE)
@click.option("--force", is_flag=True, help="Delete although something living depends on it.")
@click.option("--reason", default="", help="Why; kept in the tombstone.")
@desk.json_option
def delete_command(ref: str, force: bool, reason: str, as_json: bool) -> None:
    """Delete a run or version. It is refused, with the list, while something living depends on it; a tombstone stays."""
    from lineal.service.removal import DeleteRequest

    with desk.writing() as client:
        request = DeleteRequest(ref=session.reference(client, ref), force=force, reason=reason)
        gone = client.call("delete", request)

    def lines(page: Page) -> Iterator[Text]:
        yield styled((clean(gone.ref), "bold"), " is deleted; its tombstone stays")
        if gone.dependants:
            yield styled((f"{count(len(gone.dependants), 'living thing')} depended on it:", "yellow"))
            yield from (styled(f"  {clean(line)}") for line in gone.dependants)

    desk.answer(as_json, gone, lines)


def _pairs(words: tuple[str, ...]) -> list[tuple[str, str]]:
    """(key, value) of every `KEY=VALUE`. Raises Invalid: a word has no `=` or nothing before it."""
    found = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise Invalid(f"{word!r} is no tag", hint="write KEY=VALUE")
        found.append((key, value))
    return found
