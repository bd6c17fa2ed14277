"""The table of commands, and the click group that loads a command's file only when it is called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches

import click

from lineal.cli import exits
from lineal.core.errors import LinealError

# command -> (file, what it does), in the order and under the headings of the help
TABLE: dict[str, dict[str, tuple[str, str]]] = {
    "Record": {
        "run": ("run", "Run a command and record what it read and wrote."),
        "init": ("store", "Begin a project here, or set where its record is kept."),
        "sync": ("store", "Deliver what ended or crashed programs left in the journal."),
        "import": ("importing", "Take in what another system recorded."),
        "on": ("on", "Run a command whenever something has new versions."),
        "watch": ("watching", "Follow another system as things happen there."),
    },
    "Ask": {
        "runs": ("record", "List and search runs."),
        "versions": ("questions", "Search versions of data, models and other files."),
        "models": ("questions", "Search registered models."),
        "show": ("record", "Show one run, version or artifact with all that is known."),
        "trace": ("record", "Show what something was made from, or went into."),
        "path": ("asking", "Show how one thing came to be in another."),
        "impact": ("asking", "Show what depends on something, and whose it is."),
        "common": ("asking", "Show what two things were both made from."),
        "why": ("asking", "Show how the ancestries of two things differ."),
        "inherited": ("asking", "Show which tags reach something from upstream."),
        "columns": ("asking", "Show from which columns a column was made."),
        "files": ("asking", "Show from which files a file was made."),
        "conflicts": ("meeting", "Show what contradicts, and what is missing."),
        "message": ("meeting", "Show a message as it was received."),
        "diff": ("record", "Show why two runs or versions differ."),
        "health": ("record", "Show how complete a record is and what is not known."),
        "export": ("export", "Write the record in the form of another system."),
    },
    "Name and deploy": {
        "register": ("registry", "Give a version a name."),
        "alias": ("registry", "Point an alias at a version; list aliases."),
        "tag": ("registry", "Set tags on a run or version."),
        "resolve": ("meeting", "Decide a contradiction between sources."),
        "facet": ("facets", "Say what facets look like; list those that do not."),
        "same": ("meeting", "Record that two are one and the same."),
        "split": ("meeting", "Take back that two are the same."),
        "joins": ("meeting", "Show why several reports are one thing."),
        "deploy": ("registry", "Record that a version goes live."),
        "undeploy": ("registry", "Record that a version goes down."),
        "delete": ("registry", "Delete a run or version; a tombstone stays."),
    },
    "Serve": {
        "server": ("server", "Serve the record over HTTP, to several people and machines."),
        "ui": ("server", "Open the page of the record in a browser."),
        "token": ("server", "Let people and programs use a server."),
    },
    "Keep": {
        "fsck": ("store", "Check store, kept bytes and journal; name what is broken."),
        "demo": ("demo", "Seed a ready-made story to look at."),
        "completion": ("store", "Print the completion script for a shell."),
        "version": ("store", "Print the version."),
    },
}
_HIDDEN = {"deliver": ("store", "Deliver for programs that run without `lineal run`.")}
_WHERE = {name: file for part in [*TABLE.values(), _HIDDEN] for name, (file, _) in part.items()}


class Commands(click.Group):
    """Knows every command by name and loads the file of the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands that are not hidden."""
        return [name for part in TABLE.values() for name in part]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None if there is none."""
        file = _WHERE.get(cmd_name)
        if file is None:
            return None
        found: click.Command = getattr(importlib.import_module(f"lineal.cli.{file}"), f"{cmd_name}_command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; an unknown one is refused with its neighbours."""
        name = args[0]
        if name not in _WHERE and not name.startswith("-"):
            near = get_close_matches(name, _WHERE, n=3, cutoff=0.5)
            hint = f" Did you mean {', '.join(near)}?" if near else " `lineal --help` lists the commands."
            raise click.UsageError(f"there is no command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands under their headings, without loading them."""
        for heading, part in TABLE.items():
            with formatter.section(heading):
                formatter.write_dl([(name, summary) for name, (_, summary) in part.items()])


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=(
        "References: run:ID-PREFIX, NAME@VERSION, NAME@ALIAS, a path, sha256:PREFIX, SCHEME:VALUE (delta:, dvc-md5:, git: ...). "
        "Exit codes: 0 done, 1 refused or problems found, 2 wrong usage, 3 not found, 4 store or disk unavailable, "
        "5 internal error; `run` has the exit code of its command."
    ),
)
@click.option(
    "-C",
    "folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Work as if started in DIR.",
)
@click.option(
    "--server",
    "server",
    metavar="URL",
    help="Ask the server at URL (else LINEAL_URL, else one running here); LINEAL_TOKEN is its token.",
)
@click.option("--version", "asked", is_flag=True, help="Print the version.")
@click.pass_context
def root(ctx: click.Context, folder: str | None, server: str | None, asked: bool) -> None:
    """Records what a model is and where it came from.

    \b
      lineal run python train.py      record a program
      lineal trace models/churn.pkl   show what a file was made from
    """
    if folder:
        os.chdir(folder)
    if server is not None:
        os.environ["LINEAL_URL"] = server
    if asked:
        from lineal.cli.version import version

        click.echo(f"lineal {version()}")
        ctx.exit(0)


def invoke(words: Sequence[str]) -> int:
    """Run the command that the words name; every error is told in words and becomes an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = root.main(args=list(words), prog_name="lineal", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        exits.tell("interrupted")
        return exits.INTERRUPTED
    except LinealError as error:
        return exits.refused(error)
    except BrokenPipeError:
        return closed()
    except OSError as error:
        return _disk(error)
    except Exception as error:  # noqa: BLE001 - the last resort: one line for people, never a traceback
        return exits.failed(error)
    return code if isinstance(code, int) else exits.OK


def closed() -> int:
    """Who read our output has gone: end quietly, and let nothing be written at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return exits.CLOSED


def _disk(error: OSError) -> int:
    if error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EIO,
        errno.ENOTDIR,
    ):
        where = f" {error.filename}" if error.filename else ""
        exits.tell(f"the disk refused{where}: {error.strerror}")
        return exits.UNAVAILABLE
    return exits.failed(error)
