"""Entry point. `lineal run` and `lineal version` are answered here, before anything heavy is imported; so is what delivers."""

import os
import sys

TYPE_CHECKING = (
    False  # `typing` costs milliseconds that every `lineal run` would pay, `__future__` a fifth of one
)
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_COMPLETE = "_LINEAL_COMPLETE"  # click's variable: the shell asks for completions


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run one command; gives back its exit code (see `lineal.cli.exits`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if _COMPLETE not in os.environ:
        given, at = _given(words)
        command, rest = words[at : at + 1], words[at + 1 :]
        if command == ["run"] and rest and rest[0] not in ("--help", "-h"):
            code = _run(given, rest)
            if argv is None:
                _leave(code)
            return code
        if command == ["deliver"] and rest[:1] == ["--quiet"] and len(rest) == 2 and not at:
            return _deliver(rest[1])
        if not at and (words in (["version"], ["--version"])):
            from lineal.cli.version import version

            return _print(f"lineal {version()}\n")
    from lineal.cli.commands import invoke

    return invoke(words)


def _given(words: list[str]) -> tuple[dict[str, str], int]:
    """The options before the command that have a value, and where the command stands."""
    given: dict[str, str] = {}
    at = 0
    while at < len(words):
        name, joined, value = words[at].partition("=")
        if words[at] in ("-C", "--server") and at + 1 < len(words):
            given[words[at]] = words[at + 1]
            at += 2
        elif name == "--server" and joined:
            given[name] = value
            at += 1
        else:
            break
    return given, at


def _run(given: dict[str, str], words: list[str]) -> int:
    if "--server" in given:
        os.environ["LINEAL_URL"] = given["--server"]
    if folder := given.get("-C", ""):
        try:
            os.chdir(folder)
        except OSError as error:
            print(f"lineal: cannot go to {folder!r}: {error.strerror}", file=sys.stderr)
            return 2
    from lineal.capture import bundle

    bundle.load("wrapper", "lineal")
    from lineal.capture import launch

    return launch.main(words, delivery, offer, reuse)


def _deliver(place: str) -> int:
    """The process that programs start to deliver what they record: it writes and shows nothing, so it loads nothing for that."""
    from lineal.cli import exits
    from lineal.deliver.process import serve
    from lineal.sdk import session

    try:
        serve(session.project_here(), place=place)
    except Exception:  # noqa: BLE001 - nobody would read it; whoever waits looks for what was delivered
        return exits.UNAVAILABLE
    return exits.OK


def _leave(code: int) -> None:
    """End this process at once: taking the interpreter down in good order costs a third as much as starting it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass
    os._exit(code)


def delivery(project: "Any") -> "Any":
    """What hands a run's journals over to the store of a project."""
    from lineal.sdk.deliverer import Deliverer

    return Deliverer(project)


def offer(project: "Any", variables: "Any") -> "Any":
    """Where programs of a run that speak to an MLflow server reach the record of a project."""
    from lineal.server.offer import Offer

    return Offer(project, variables)


def reuse(project: "Any", options: "Any", command: "Any", job: str, variables: "Any") -> "Any":
    """The earlier run that stands for the one which is asked for (see `deliver.reuse`); None where it has to run, said on stderr."""
    from lineal.cli import exits
    from lineal.core.errors import LinealError
    from lineal.deliver import reuse as reusing
    from lineal.sdk import session

    try:
        with session.reading(project, warn=exits.warn) as client:
            answer = reusing.reuse(client, project, reusing.asked_by(command, options, job, variables))
    except (LinealError, OSError) as error:
        exits.tell(f"running it: earlier runs could not be looked at: {error}")
        return None
    if answer.run is None:
        exits.tell(f"running it: {answer.why}")
        return None
    restored = f"; restored: {', '.join(answer.restored[:5])}" if answer.restored else ""
    exits.tell(f"nothing changed since run:{answer.run[:12]}, which is used again{restored}")
    return answer


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    return 0
