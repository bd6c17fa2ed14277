"""Entry point. `lineal run` and `lineal version` are answered here, before anything heavy is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

_COMPLETE = "_LINEAL_COMPLETE"  # click's variable: the shell asks for completions


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives back its exit code (see `lineal.cli.exits`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if _COMPLETE not in os.environ:
        at = 2 if words[:1] == ["-C"] and len(words) > 1 else 0
        command, rest = words[at : at + 1], words[at + 1 :]
        if command == ["run"] and rest and rest[0] not in ("--help", "-h"):
            return _run(words[1] if at else "", rest)
        if not at and (words in (["version"], ["--version"])):
            from lineal.cli.version import version

            return _print(f"lineal {version()}\n")
    from lineal.cli.commands import invoke

    return invoke(words)


def _run(folder: str, words: list[str]) -> int:
    if folder:
        try:
            os.chdir(folder)
        except OSError as error:
            print(f"lineal: cannot go to {folder!r}: {error.strerror}", file=sys.stderr)
            return 2
    from lineal.capture import launch

    return launch.main(words, delivery)


def delivery(project: Any) -> Any:
    """What hands a run's journals over to the store of a project."""
    from lineal.deliver.delivery import Delivery

    return Delivery(project)


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    return 0
