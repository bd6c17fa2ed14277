"""The record's own upkeep: init, sync, fsck, deliver, version, completion."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

import click
import msgspec

from lineal.cli import desk, exits
from lineal.core.errors import Invalid, Unavailable
from lineal.render.page import Page, clean, count, styled
from lineal.resolve import project as projects
from lineal.sdk import session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A project. root, dir: absolute paths; store, blobs: where its record and its kept bytes are, without passwords."""

    name: str
    root: str
    dir: str
    store: str
    blobs: str
    new: bool


@click.command("init")
@click.option(
    "--name", metavar="NAME", help="Name of the project; else the git remote, else the folder's name."
)
@click.option(
    "--store",
    "store_url",
    metavar="URL",
    help="Where the record is kept: a path, sqlite:///PATH or postgresql://...",
)
@click.option(
    "--blobs", "blobs_url", metavar="URL", help="Where bytes are kept: a folder or s3://, gs://, az://."
)
@desk.json_option
def init_command(name: str | None, store_url: str | None, blobs_url: str | None, as_json: bool) -> None:
    """Begin a project at the git root (else here), or change its settings.

    Recording begins a project by itself: `init` is for another name or another place for the record.
    """
    before = projects.find()
    known = before is not None and os.path.isdir(before.dir)
    wanted = {"project.name": name, "store.url": store_url, "blobs.url": blobs_url}
    chosen = {key: _setting(key, text) for key, text in wanted.items() if text is not None}
    try:
        project = projects.ensure()
    except OSError as error:
        raise Unavailable(
            f"the project's folder cannot be made: {error.strerror} ({error.filename})",
            hint="choose a folder that can be written, or name one by LINEAL_DIR",
        ) from error
    if chosen:
        _configure(project, chosen)
    begun = Begun(
        name=project.name,
        root=project.root,
        dir=project.dir,
        store=without_password(project.store_url),
        blobs=without_password(project.blobs_url),
        new=not known,
    )
    from lineal.service.client import Client

    with Client(project) as client:
        _ = client.store  # opened once, so that a wrong address is told now

    def lines(page: Page) -> Iterator[Text]:
        yield styled(
            ("project ", ""), (clean(begun.name), "bold"), "" if begun.new else " (it was there already)"
        )
        yield styled(f"  folder  {clean(begun.dir)}")
        yield styled(f"  record  {clean(begun.store)}")

    desk.answer(as_json, begun, lines)


def _setting(key: str, text: str) -> str:
    if not text.strip() or not text.isprintable() or '"' in text or "\\" in text:
        raise Invalid(
            f"{text!r} cannot be the {key.replace('.', ' ')}",
            hint="use printable characters, without quotes and backslashes",
        )
    return text.strip()


def _configure(project: projects.Project, chosen: dict[str, str]) -> None:
    """Set values in config.toml; other lines of it stay as they are."""
    path = os.path.join(project.dir, "config.toml")
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        lines = []
    for full, text in chosen.items():
        section, key = full.split(".")
        lines = _with(lines, section, key, text)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    os.replace(temporary, path)


def _with(lines: list[str], section: str, key: str, text: str) -> list[str]:
    entry = f'{key} = "{text}"'
    head = f"[{section}]"
    stripped = [line.strip() for line in lines]
    if head not in stripped:
        return [*lines, *([""] if lines else []), head, entry]
    start = stripped.index(head) + 1
    end = next((at for at in range(start, len(lines)) if stripped[at].startswith("[")), len(lines))
    for at in range(start, end):
        if stripped[at].partition("=")[0].strip() == key:
            return [*lines[:at], entry, *lines[at + 1 :]]
    return [*lines[:start], entry, *lines[start:]]


def without_password(url: str) -> str:
    """The address with `***` in place of a password."""
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(url)
    if not parts.scheme or "@" not in parts.netloc:
        return url
    login, _, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{':***' if colon else ''}@{host}"))


@click.command("sync")
@desk.json_option
def sync_command(as_json: bool) -> int:
    """Deliver what ended or crashed programs left in the journal. Every other command does so too, before it answers."""
    from lineal.deliver.delivery import sync

    project = session.project_here()
    with desk.waiting("delivering what was recorded") as progress:
        report = sync(project, progress=progress)
    for problem in report.problems:
        exits.warn(problem)
    told = f"delivered {count(report.events, 'event')} of {count(report.runs, 'ended run')}"
    desk.answer(
        as_json, report, lambda page: [styled(told if report.events or report.runs else "nothing to deliver")]
    )
    return exits.REFUSED if report.problems else exits.OK


@click.command("fsck")
@click.option("--quick", is_flag=True, help="Do not read kept bytes again.")
@desk.json_option
def fsck_command(quick: bool, as_json: bool) -> int:
    """Check store, kept bytes and journal, and name what is broken. Exit code 1 when something is."""
    project = session.project_here()
    with desk.waiting("checking the record") as progress:
        session.bring_up_to_date(project, warn=exits.warn, progress=progress)
        reply = session.checked(project, bytes=not quick)

    def lines(page: Page) -> Iterator[Text]:
        checked = ", ".join(f"{clean(kind)} {number:,}" for kind, number in reply.checked.items())
        yield styled((f"checked: {checked or 'nothing'}", "dim"))
        for problem in reply.problems:
            yield from page.hang("", "  ", styled(("! ", "bold red"), clean(problem)))
        if reply.problems:
            yield styled((count(len(reply.problems), "problem"), "bold red"))
        else:
            yield styled(("everything is whole", "green"))

    desk.answer(as_json, reply, lines)
    return exits.REFUSED if reply.problems else exits.OK


@click.command("deliver", hidden=True)
@click.argument("place", default="")
def deliver_command(place: str) -> int:
    """Deliver for the programs that record here, until none of them lives any more."""
    from lineal.deliver.process import serve

    serve(session.project_here(), place=place)
    return exits.OK


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What this installation is."""

    version: str
    python: str
    platform: str
    executable: str


@click.command("version")
@desk.json_option
def version_command(as_json: bool) -> None:
    """Print the version."""
    from lineal.cli.version import version

    about = About(
        version=version(), python=platform.python_version(), platform=sys.platform, executable=sys.executable
    )
    desk.answer(as_json, about, lambda page: [styled(f"lineal {about.version}")])


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
      bash:  eval "$(lineal completion bash)"      in ~/.bashrc
      zsh:   eval "$(lineal completion zsh)"       in ~/.zshrc
      fish:  lineal completion fish > ~/.config/fish/completions/lineal.fish
    """
    from click.shell_completion import get_completion_class

    from lineal.cli.commands import root

    found = get_completion_class(shell)
    assert found is not None
    completer = found(root, {}, "lineal", "_LINEAL_COMPLETE")
    desk.write(completer.source_template % completer.source_vars() + "\n")
