"""`lineal run COMMAND...`: starts the command with the capture injected, stays out of its way, and waits until its record is delivered.

Nothing heavy is imported: a sweep starts hundreds of these. What the command records goes through its own journal; what is known from outside
(command, exit code, signal) goes into a journal of the wrapper. One process delivers for all (see `sdk.deliverer`).
"""

from __future__ import annotations

import os
import sys

from ..journal import variables
from ..journal.frames import json
from ..journal.ids import new_run_id, run_id
from . import child, command_name, control, joining
from .layers import Layers, Refused
from .redact import argv as redacted_argv
from .redact import mapping as redacted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    from ..journal.append import Journal

    class Delivery(Protocol):
        """The process that hands the journals over to the store."""

        @property
        def place(self) -> str: ...
        def start(self) -> bool: ...
        def delivered(
            self, path: str, *, most_s: float | None = None, progress: Callable[[str], None] | None = None
        ) -> None: ...

    class Offer(Protocol):
        """An address at which the project's record is served to the command, once something connects to it."""

        environment: Mapping[str, str]

        def begin(self) -> object: ...
        def end(self) -> object: ...


SITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
_LOOK_S = 60.0  # between two looks whether the delivering process lives

# (option, its argument ("" for none), may be repeated, help)
OPTIONS = (
    ("--job", "J", False, "Name of the job; else the script's path relative to the project."),
    ("--name", "N", False, "Name of this run."),
    ("--param", "K=V", True, "A parameter of the run."),
    ("--tag", "K=V", True, "A tag of the run."),
    ("--in", "PATH", True, "A file, folder or URI the run reads, besides those that are seen."),
    ("--out", "PATH", True, "A file or folder the run writes, besides those that are seen."),
    ("--parent", "RUN", False, "The run this one is part of; else the one it is started in."),
    ("--group", "NAME", False, "The group (an experiment) that the run belongs to."),
    (
        "--cache",
        "",
        False,
        "Do not run it where an earlier run with --cache did the very same; put missing outputs back.",
    ),
    (
        "--console",
        "",
        False,
        "Also keep what programs print that are not Python: their output passes through a terminal of Lineal's.",
    ),
    (
        "--deep",
        "",
        False,
        "Watch file operations from outside, those of statically linked programs too; up to twice as slow.",
    ),
)
_REPEATED = {name: repeated for name, _, repeated, _ in OPTIONS}
_PLAIN = frozenset(name for name, argument, _, _ in OPTIONS if not argument)


class UsageError(Exception):
    """The options of `lineal run` cannot be read; the text says what was found and what was wanted."""


def parse(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """(options by name without dashes, the command). A repeatable option is a list; one that is not given is absent.

    Options end at the first word that is none, or after `--`. Raises UsageError.
    """
    options: dict[str, Any] = {}
    at = 0
    while at < len(argv) and argv[at].startswith("-") and argv[at] != "-":
        name, equals, value = argv[at].partition("=")
        at += 1
        if name == "--":
            break
        if name not in _REPEATED:
            known = ", ".join(_REPEATED)
            raise UsageError(
                f"`lineal run` has no option {name}. It has {known}; the command's own options go after the command."
            )
        if name in _PLAIN:
            if equals:
                raise UsageError(f"{name} takes no value, but {value!r} was given")
            options[name[2:]] = True
            continue
        if not equals:
            if at >= len(argv):
                raise UsageError(f"{name} needs a value after it")
            value = argv[at]
            at += 1
        if name in ("--param", "--tag") and "=" not in value.strip("="):
            raise UsageError(f"{name} {value!r} has no value: write it as {name} KEY=VALUE")
        key = name[2:]
        if _REPEATED[name]:
            options.setdefault(key, []).append(value)
        elif key in options:
            raise UsageError(f"{name} is given twice: {options[key]!r} and {value!r}")
        else:
            options[key] = value
    command = list(argv[at:])
    if not command:
        raise UsageError(
            "there is no command to run. Write it after the options, for example `lineal run python train.py`"
        )
    return options, command


def launch(
    options: Mapping[str, Any],
    command: Sequence[str],
    delivery: Callable[[Any], Delivery] | None = None,
    offer: Callable[[Any, Mapping[str, str]], Offer] | None = None,
    reuse: Callable[..., Any] | None = None,
) -> int:
    """Run `command` under capture and return its exit code, also when nothing can be recorded.

    When a signal ended the command, this process ends by the same one. 127: command not found, 126: not executable.

    Args:
        options: as `parse` gives them.
        delivery: from the project, what delivers into it. Without it the journal is written and left for later.
        offer: makes the address at which trackers that the command uses find this record, from the project and the
            command's variables.
        reuse: from the project, the options, the command, its job and variables, the earlier run that stands for it (see
            `deliver.reuse`), or None.
    Raises UsageError: `--parent` is not a run's id.
    """
    parent = os.environ.get("LINEAL_RUN") or None
    if parent:
        control.say("off")  # what we read and write ourselves is no part of the run around us
    parent, joined = _runs_around(options, parent)
    project = _project()
    run = joined or new_run_id()
    if joined and project is not None and joining.shared(project.journal_dir, run):
        delivery = None
    deliverer = delivery(project) if delivery is not None and project is not None else None
    environment = dict(os.environ)
    if not joined and (found := _same(reuse, options, command, project, environment)) is not None:
        return _use_again(found, options, command, project, run, parent, deliverer)
    journal = around = offered = None
    if project is not None:
        environment.update(_injected(environment, project, run))
        if joined:
            del environment["LINEAL_PARENT"]  # its direct command is not what the run is about
        else:
            job = options.get("job") or command_name.job_of(command, project.root)[0]
            environment.update(_parent_of_events(os.environ, project.name, job, run))
        offered = offer(project, environment) if offer is not None else None
        environment.update(offered.environment if offered is not None else {})
        try:
            around = Layers(command, environment, deep=bool(options.get("deep")))
        except Refused as refused:
            raise UsageError(str(refused)) from None
        journal = _begin(options, command, project, run, "" if joined else parent, deliverer)
        around.tell(journal)
    between = _between(options, journal, environment)
    waiting = _Waiting(deliverer, journal)
    try:
        running = child.Child(around.command if around is not None else command, environment, between)
    except child.CannotStart as error:
        return _not_started(error, journal, "leave" if joined else "end", run, waiting)
    if around is not None:
        around.started()
    if offered is not None:
        offered.begin()
    waiting.begin()
    status = running.wait(waiting.begin, _LOOK_S)
    if journal is not None and around is not None:
        _end(options, journal, command, run, status, around)
    running.reap()
    if around is not None:
        around.ended()
    waiting.finish()
    if offered is not None:
        offered.end()
    return _like(status)


def _not_started(
    error: child.CannotStart, journal: Journal | None, record: str, run: str, waiting: _Waiting
) -> int:
    """Tell that the command could not be executed, to the user and in the record; the exit code."""
    print(f"lineal: {error}", file=sys.stderr)
    if journal is not None:
        told = {"type": "CannotStart", "message": str(error), "traceback": ""}
        journal.json(record, run=run, state="failed", exit_code=error.code, signal=None, error=told)
        waiting.finish()
    return error.code


def _like(status: int) -> int:
    """End as the command ended: by the same signal, else with its exit code."""
    if os.WIFSIGNALED(status):
        child.die_by(os.WTERMSIG(status))
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def _same(
    reuse: Callable[..., Any] | None,
    options: Mapping[str, Any],
    command: Sequence[str],
    project: Any,
    environment: dict[str, str],
) -> Any:
    """The earlier run that stands for this one, with `--cache`; without one this is watched, so that it can stand for a later one."""
    if not options.get("cache") or reuse is None or project is None:
        return None
    job = options.get("job") or command_name.job_of(command, project.root)[0]
    found = reuse(project, options, command, job, environment)
    if found is None:
        environment["LINEAL_CACHE"] = "1"
    return found


def _use_again(
    found: Any,
    options: Mapping[str, Any],
    command: Sequence[str],
    project: Any,
    run: str,
    parent: str | None,
    deliverer: Delivery | None,
) -> int:
    """Record that an earlier run stands for this one, which used what that one had made; 0."""
    journal = _begin(options, command, project, run, parent, deliverer)
    params = {key: value for key, (value, _) in found.params.items()}
    sources = {key: source for key, (_, source) in found.params.items()}
    journal.json("reused", of=found.run, restored=found.restored, params=params, sources=sources)
    for path in found.outputs:
        journal.json("use", role="reused", path=path)
    journal.json("end", run=run, state="finished", exit_code=0, signal=None, error=None)
    waiting = _Waiting(deliverer, journal)
    waiting.begin()
    waiting.finish()
    return 0


def _runs_around(options: Mapping[str, Any], parent: str | None) -> tuple[str | None, str]:
    """(the run that this one is part of, the run that is joined instead of beginning one or "")."""
    try:
        return (run_id(options["parent"]) if "parent" in options else parent), joining.run()
    except ValueError as error:
        raise UsageError(str(error)) from None


def _between(options: Mapping[str, Any], journal: Any, environment: dict[str, str]) -> Any:
    """What the command's output passes through, where `--console` asks for it and it can be had."""
    if journal is None or not options.get("console"):
        return None
    from . import terminal

    environment["LINEAL_CONSOLE"] = "pty"
    return terminal.between(journal)


def main(
    argv: Sequence[str],
    delivery: Callable[[Any], Delivery] | None = None,
    offer: Callable[[Any, Mapping[str, str]], Offer] | None = None,
    reuse: Callable[..., Any] | None = None,
) -> int:
    """`launch` from the words after `lineal run`; 2 with a text on stderr when they cannot be read."""
    try:
        options, command = parse(argv)
        return launch(options, command, delivery, offer, reuse)
    except UsageError as error:
        print(f"lineal: {error}", file=sys.stderr)
        return 2


def _warn(text: str) -> None:
    try:
        print(f"lineal: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass


def _project() -> Any:
    """The project to record into, or None, said on stderr, when there is no writable one."""
    try:
        from ..resolve.project import ensure

        found = ensure(os.getcwd())
        os.makedirs(found.journal_dir, exist_ok=True)
        if not os.access(found.journal_dir, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write", found.journal_dir)
        return found
    except Exception as error:
        _warn(
            f"nothing is recorded: {error}. The command runs on; set LINEAL_DIR to a folder that can be written."
        )
        return None


def _injected(environment: Mapping[str, str], project: Any, run: str) -> dict[str, str]:
    before = [part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part and part != SITE]
    return {
        "PYTHONPATH": os.pathsep.join([SITE, *before]),
        "LINEAL_RUN": run,
        "LINEAL_DIR": project.dir,
        "LINEAL_JOURNAL": project.journal_dir,
        "LINEAL_ROOT": project.root,
        "LINEAL_PARENT": str(os.getpid()),
        "LINEAL_CAUSE_ID": environment.get("LINEAL_CAUSE_ID") or run,
    }


def _parent_of_events(environment: Mapping[str, str], namespace: str, job: str, run: str) -> dict[str, str]:
    """What tells senders of OpenLineage events (dbt) in which run they run; nothing where somebody told them already."""
    if any(environment.get(name) for name in ("OPENLINEAGE_CONTEXT", "OPENLINEAGE_PARENT_ID")):
        return {}
    number = "-".join((run[:8], run[8:12], run[12:16], run[16:20], run[20:]))
    parent = {"run": {"runId": number}, "job": {"namespace": namespace, "name": job}}
    found = {"OPENLINEAGE_CONTEXT": json({"parent": {**parent, "root": parent}})}
    if "/" not in namespace + job:  # for those that only know the older variable, whose parts are divided so
        found["OPENLINEAGE_PARENT_ID"] = f"{namespace}/{job}/{number}"
    return found


def _pairs(values: Sequence[str]) -> dict[str, str]:
    return dict(value.split("=", 1) for value in values)


def _location(path: str) -> dict[str, str]:
    """`uri` or absolute `path` of what --in or --out names."""
    if "://" in path:
        from .redact import uri

        return {"uri": uri(path)}
    return {"path": os.path.abspath(path)}


def _begin(
    options: Mapping[str, Any],
    command: Sequence[str],
    project: Any,
    run: str,
    parent: str | None,
    deliverer: Delivery | None,
) -> Journal:
    """The wrapper's journal, with what is known before the command starts. parent "": the run was begun elsewhere."""
    from ..journal.append import Journal

    job, entry = command_name.job_of(command, project.root)
    argv = redacted_argv(command)
    place = deliverer.place if deliverer is not None else ""
    journal = Journal(project.journal_dir, run, argv=argv, place=place)
    if parent == "":
        journal.json("join", argv=argv, cwd=os.getcwd())
        return journal
    journal.json(
        "run",
        run=run,
        job=options.get("job") or job,
        name=options.get("name") or "",
        kind="run",
        parent=parent,
        group=options.get("group"),
        argv=argv,
        command=argv,
        cwd=os.getcwd(),
        params=redacted(_pairs(options.get("param", ()))),
        tags=redacted({**variables.caused(os.environ), **_pairs(options.get("tag", ()))}),
        ins=[_location(path) for path in options.get("in", ())],
        outs=[_location(path) for path in options.get("out", ())],
        variables=redacted(variables.kept(os.environ)),
        interval=os.environ.get("LINEAL_INTERVAL"),
        wrapper=True,
        project_root=project.root,
        entry=entry,
    )
    _standard_input(journal)
    for path in options.get("in", ()):
        journal.json("use", role="input", **_location(path))
    return journal


def _standard_input(journal: Journal) -> None:
    """A file that the command is given as its standard input was opened before it, so no layer sees that."""
    import stat

    from ..journal.frames import INHERITED, READ

    try:
        found = os.fstat(0)
        path = os.readlink("/proc/self/fd/0")
    except OSError:
        return
    if stat.S_ISREG(found.st_mode) and found.st_nlink and os.path.isabs(path):
        state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
        journal.file(READ, INHERITED, path, state)


def _end(
    options: Mapping[str, Any],
    journal: Journal,
    command: Sequence[str],
    run: str,
    status: int,
    around: Layers,
) -> None:
    for path in options.get("out", ()):
        journal.json("save", name="", kind="", role="output", **_location(path))
    reason = command_name.unobserved(
        command, os.path.dirname(journal.path) or journal.directory, run, os.getpid(), around
    )
    if reason:
        journal.json("note", level="warning", text=reason)
    if joining.run():
        journal.json("leave")
    elif os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        journal.json("end", run=run, state="killed", exit_code=None, signal=number, error=None)
    else:
        code = os.WEXITSTATUS(status)
        journal.json(
            "end", run=run, state="failed" if code else "finished", exit_code=code, signal=None, error=None
        )


class _Waiting:
    """Has a process deliver while the command runs, and waits at the end until it has: LINEAL_WAIT seconds at most.

    The run that is joined elsewhere is delivered with the whole of it, and not waited for.
    """

    def __init__(self, deliverer: Delivery | None, journal: Journal | None) -> None:
        self._deliverer = deliverer if os.environ.get("LINEAL_DELIVER") != "off" else None
        self._journal = journal
        self._shown = False

    def begin(self) -> None:
        """See to it that a process delivers: at the beginning, and now and then, for it may have been killed."""
        try:
            if self._deliverer is not None and self._journal is not None:
                self._deliverer.start()
        except Exception:
            pass  # tried again at the end, and told then

    def finish(self) -> None:
        """Wait until the run is delivered. Ctrl-C leaves the rest to the process that is at it."""
        journal = self._journal
        if journal is None:
            return
        journal.json("over", last=True)
        most_s = _seconds("LINEAL_WAIT")
        if self._deliverer is None or journal.disabled or most_s == 0:
            return
        try:
            self._deliverer.delivered(journal.path, most_s=most_s, progress=self._progress)
        except KeyboardInterrupt:
            self._clear()
            _warn("interrupted; the record is delivered without being waited for")
        except Exception as error:
            self._clear()
            _warn(
                f"not delivered yet: {error}. The record is kept in {journal.directory}; `lineal sync` delivers it."
            )
        self._clear()

    def _progress(self, text: str) -> None:
        tty = sys.stderr.isatty()
        if tty or not self._shown:
            sys.stderr.write(f"\r\033[Klineal: {text}" if tty else f"lineal: {text}\n")
            sys.stderr.flush()
        self._shown = True

    def _clear(self) -> None:
        if self._shown and sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def _seconds(name: str) -> float | None:
    try:
        return max(0.0, float(os.environ[name]))
    except (KeyError, ValueError):
        return None
