"""Runs that a program begins, describes and ends itself."""

from __future__ import annotations

import os
import sys
from _contextvars import ContextVar
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from lineal.journal import variables
from lineal.journal.append import Journal, tell
from lineal.journal.ids import new_run_id, run_id
from lineal.sdk import values as _values

if TYPE_CHECKING:
    from lineal.resolve.project import Project

_innermost: ContextVar[Run | None] = ContextVar("lineal_run", default=None)
_open: list[Run] = []  # of this process, innermost last
_unended: list[Run] = []  # those and the ones of generators, which are open only while they run
_surrounding: list[Run] = []  # the one of `lineal run`, once it was asked for
_MISSING: Any = object()
_LEAST, _MOST = -(1 << 63) + 1, (1 << 63) - 1


class NoRun(RuntimeError):
    """Something was recorded where no run is open."""


class Run:
    """One run. Use it as a context manager; `lineal.run` makes it.

    What is recorded is on disk when a call returns, and nothing but a value that is no number (TypeError) is ever raised: a journal that
    cannot be written is one warning on stderr.
    """

    def __init__(
        self, job: str, run: str, project: Project | None, directory: str, *, parent: str | None = None
    ) -> None:
        self.id = run
        self.job = job
        self.parent = parent
        self._project = project
        self._pid = os.getpid()
        self._ends = False  # whether the end of the run is ours to tell
        self._token: Any = None
        self._rounded: set[str] = set()
        self.gaps: list[str] | None = None  # of a cached step: why it may not stand for a later one
        self._journal = Journal(directory, run) if directory else None
        self._point: Callable[..., object] = self._journal.metric if self._journal is not None else _nothing

    def log(self, values: Mapping[str, Any] | None = None, /, *, step: Any = None, **metrics: Any) -> None:
        """Record one point of each metric: `run.log(step=3, loss=0.2)`, `run.log({"val/loss": 0.3})`.

        Args:
            step: a whole number; else each metric counts its own, from 0.
        Raises TypeError: a value is no number. NaN and infinities are kept; a whole number beyond 2**53 is kept as a float, and noted.
        """
        if step is not None and (step.__class__ is not int or not _LEAST <= step <= _MOST):
            step = _values.step(step)
        if values is not None:
            metrics = {**values, **metrics}
        for key, value in metrics.items():
            if value.__class__ is not float:
                value = self._number(key, value)
            self._point(key, step, value)

    def param(
        self, key: str | Mapping[str, Any] | None = None, value: Any = _MISSING, /, **more: Any
    ) -> None:
        """Record parameters: `run.param("lr", 0.1)`, `run.param(lr=0.1)` or `run.param({"lr": 0.1})`. Secrets are redacted."""
        for name, found in _items(key, value, more):
            self._json("param", key=name, value=_redacted(name, found), source="sdk")

    def tag(self, key: str | Mapping[str, Any] | None = None, value: Any = _MISSING, /, **more: Any) -> None:
        """Label the run, in the same ways as `param`; the latest value of a key stands."""
        for name, found in _items(key, value, more):
            self._json("tag", key=name, value=str(_redacted(name, found)))

    def use(self, what: Any, *, role: str = "input", name: str = "") -> Any:
        """Declare an input: a path, a URI, or a data frame or array, which is identified by its content. Gives back `what`.

        Args:
            role: what it is to the run, for example `input`, `model`, `config`.
            name: the data's name; a frame without one is called `frame`.
        """
        self._data("use", "read", what, role, name)
        return what

    def save(self, what: Any, *, name: str = "", kind: str = "", role: str = "") -> Any:
        """Declare an output, and write it if it is an object. Gives back the path, or the frame.

        Args:
            what: a path (or URI) that the program wrote; a data frame or array, identified by its content; any other object, which is then
                written below the project's `.lineal` folder.
            name: the artifact's name, of which this becomes a version; else a path is its own name, an object its class's.
            kind: `dataset`, `model` or any other; an object that looks like a model is one.
        """
        return self._data(
            "save", "write", what, role or ("model" if kind == "model" else "output"), name, kind
        )

    def end(self, state: str = "finished", error: BaseException | None = None) -> None:
        """End the run: `finished`, `failed` or `killed`. Leaving the `with` block does it."""
        for listed in (_open, _unended):
            if self in listed:
                listed.remove(self)
        if not self._ends or os.getpid() != self._pid:
            return
        self._ends = False
        told = _told(error) if error is not None else None
        self._json("exit", state="failed" if told else "finished", error=told, modules=_modules())
        number = 2 if state == "killed" else None
        self._json("end", state=state, exit_code=None, signal=number, error=told)
        self._json("over", last=True)
        if self._journal is not None:
            self._journal.close()
        self._deliver()

    def __enter__(self) -> Self:
        self._token = _innermost.set(self)
        _divert(self.id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            _innermost.reset(self._token)
        except (ValueError, TypeError, RuntimeError):  # left in another context than it was entered in
            _innermost.set(None)
        outer = _innermost.get()
        _divert(outer.id if outer is not None else "")
        if isinstance(error, KeyboardInterrupt):
            self.end("killed", error)
        elif isinstance(error, SystemExit):
            self.end("failed" if error.code else "finished", error if error.code else None)
        elif isinstance(error, GeneratorExit) or error is None:
            self.end()
        else:
            self.end("failed", error)

    def __repr__(self) -> str:
        return f"<lineal run {self.job!r} {self.id}>"

    # --- within ------------------------------------------------------------------------------------------------------

    def _begin(self, fields: dict[str, Any]) -> None:
        self._ends = True
        for around in _unended:
            if around.gaps is not None:
                around.gaps.append("another run was begun within it")
        _open.append(self)
        _unended.append(self)
        _watch_exit()
        alone = not os.environ.get("LINEAL_RUN")
        if alone and self._project is not None and self._journal is not None:
            from lineal.sdk import deliverer

            self._journal.place = deliverer.place(self._project)
        self._json("run", run=self.id, job=self.job, parent=self.parent, wrapper=False, **fields)
        self._deliver()

    def _json(self, type: str, **fields: Any) -> None:
        if self._journal is not None:
            self._journal.json(type, **fields)

    def _number(self, key: str, value: Any) -> float:
        found = _values.number(key, value)
        if key not in self._rounded and not _values.is_exact(value, found):
            self._rounded.add(key)
            digits = str(value) if -(10**40) < value < 10**40 else "of over 40 digits"
            text = f"metric {key!r} had the whole number {digits}, which is kept as {found!r}"
            self._json("note", level="warning", text=text)
        return found

    def _data(self, type: str, op: str, what: Any, role: str, name: str, kind: str = "") -> Any:
        from lineal.sdk import data

        try:
            return data.declare(self._json, self._project, self.id, type, op, what, role, name, kind)
        except Exception as error:  # noqa: BLE001 - recording never makes a program fail
            called = f" {name!r}" if name else ""
            tell(f"{type} of {what.__class__.__name__}{called} was not recorded: {error}")
            return what

    def _deliver(self) -> None:
        if self._project is not None and self._journal is not None and not os.environ.get("LINEAL_RUN"):
            from lineal.sdk import deliverer

            deliverer.start(self._project)


def run(
    job: str | None = None,
    *,
    name: str = "",
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    group: str | None = None,
    parent: str | Run | None = None,
    id: str | None = None,
    kind: str = "run",
) -> Run:
    """Begin a run, or go on with one.

        with lineal.run("train", params={"lr": 0.1}) as run:
            run.log(step=1, loss=0.3)

    Args:
        job: the job's name; else the script's path relative to the project.
        parent: a run or its id; else the run that is open here, or the `lineal run` around the program.
        id: go on with this run. If a process is alive that has it open, this one only adds to it, and that one ends it.
    Raises ValueError: `id` or `parent` is not a run's id.
    """
    known = run_id(id) if id is not None else None
    above = run_id(parent.id if isinstance(parent, Run) else parent) if parent is not None else _parent()
    project = _project()
    directory = project.journal_dir if project is not None else ""
    title = job or _job(project)
    if known is not None and _is_open_elsewhere(directory, known):
        return Run(title, known, project, directory, parent=above)
    made = Run(title, known or new_run_id(), project, directory, parent=above if above != known else None)
    argv = _argv()
    made._begin({
        "name": name,
        "kind": kind,
        "group": group,
        "argv": argv,
        "command": argv,
        "cwd": _cwd(),
        "params": {key: _redacted(key, value) for key, value in _items(params or {}, _MISSING, {})},
        "tags": {
            **variables.caused(os.environ),
            **{key: str(_redacted(key, value)) for key, value in _items(tags or {}, _MISSING, {})},
        },
        "ins": [],
        "outs": [],
        "project_root": project.root if project is not None else "",
        "entry": _entry(),
        "interval": os.environ.get("LINEAL_INTERVAL"),
        "variables": {key: _redacted(key, value) for key, value in variables.kept(os.environ).items()},
    })  # fmt: skip
    return made


def current() -> Run:
    """The run that is open here: the innermost `with lineal.run(...)`, else the `lineal run` around the program.

    Raises NoRun: there is neither.
    """
    found = _innermost.get()
    if found is not None:
        return found
    if _open:
        return _open[-1]
    if not _surrounding:
        around = os.environ.get("LINEAL_RUN", "")
        if not around:
            _refuse()
        project = _project()
        directory = os.environ.get("LINEAL_JOURNAL") or (project.journal_dir if project is not None else "")
        _surrounding.append(Run("", around, project, directory))
    return _surrounding[0]


def _refuse() -> NoReturn:
    raise NoRun(
        "there is no run to record into: start the program with `lineal run python ...`, "
        'or open one with `with lineal.run("train"):`'
    )


def log(values: Mapping[str, Any] | None = None, /, *, step: Any = None, **metrics: Any) -> None:
    """`Run.log` of the run that is open here (see `current`)."""
    here = _innermost.get() or (_surrounding[0] if _surrounding and not _open else current())
    here.log(values, step=step, **metrics)


def param(key: str | Mapping[str, Any] | None = None, value: Any = _MISSING, /, **more: Any) -> None:
    """`Run.param` of the run that is open here (see `current`)."""
    current().param(key, value, **more)


def tag(
    key: str | Mapping[str, Any] | None = None,
    value: Any = _MISSING,
    /,
    *,
    project: str | None = None,
    **more: Any,
) -> Any:
    """`Run.tag` of the run that is open here: `lineal.tag("team", "a")`, `lineal.tag(team="a")`.

    With a reference first and the tags by name it labels what is recorded already: `lineal.tag("churn@3", stage="prod")`.
    """
    if isinstance(key, str) and value is _MISSING and more:
        from lineal.sdk import query

        return query.tag(key, project=project, **more)
    current().tag(key, value, **more)
    return None


def use(what: Any, *, role: str = "input", name: str = "") -> Any:
    """`Run.use` of the run that is open here (see `current`)."""
    return current().use(what, role=role, name=name)


def save(what: Any, *, name: str = "", kind: str = "", role: str = "") -> Any:
    """`Run.save` of the run that is open here (see `current`)."""
    return current().save(what, name=name, kind=kind, role=role)


def _divert(run: str) -> None:
    """Tell the capture around the program, if there is one, to which run what it sees belongs from now on."""
    current = sys.modules.get("_lineal.capture.current")
    journal = current.journal() if current is not None else None
    if journal is not None:
        journal.json("focus", to=run)
        sys.modules["_lineal.capture.files"].focus(run)


def _nothing(*_ignored: Any) -> None:
    """Stands for a journal that cannot be written."""


def _items(key: Any, value: Any, more: dict[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    if isinstance(key, Mapping):
        found += [(str(name), item) for name, item in key.items()]
    elif key is not None:
        if value is _MISSING:
            raise TypeError(f"{key!r} needs a value after it")
        found.append((str(key), value))
    return found + list(more.items())


def _redacted(key: str, value: Any) -> Any:
    from lineal.capture import redact

    return redact.value(key, _values.plain(value))


def _parent() -> str | None:
    found = _innermost.get() or (_open[-1] if _open else None)
    return found.id if found is not None else os.environ.get("LINEAL_RUN") or None


def _project() -> Project | None:
    """The project to record into; None, with one warning, when it cannot be written."""
    from lineal.resolve.project import ensure

    try:
        found = ensure(os.getcwd())
        if not os.access(found.journal_dir, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write", found.journal_dir)
        return found
    except OSError as error:
        tell(f"nothing is recorded: {error}. Set LINEAL_DIR to a folder that can be written.")
        return None


def _entry() -> str:
    """The absolute path of the script that runs; empty without one."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.abspath(path) if isinstance(path, str) and os.path.exists(path) else ""


def _job(project: Project | None) -> str:
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    entry = _entry()
    if not entry:
        return "python"
    root = project.root.rstrip("/") + "/" if project is not None else "/"
    return entry[len(root) :] if project is not None and entry.startswith(root) else entry


def _argv() -> list[str]:
    from lineal.capture import redact

    return redact.argv(sys.orig_argv)


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _is_open_elsewhere(directory: str, run: str) -> bool:
    """Whether another living process of this machine has the run open."""
    from lineal.journal.append import started
    from lineal.journal.read import Record, read

    try:
        names = os.listdir(directory) if directory else []
    except OSError:
        return False
    for name in names:
        if name.endswith(".lj"):
            try:
                frames, _, _ = read(os.path.join(directory, name), 0, 4096)
            except OSError:
                continue
            first = frames[0] if frames else None
            if isinstance(first, Record) and first.fields.get("run") == run:
                pid = first.fields.get("pid")
                if isinstance(pid, int) and pid != os.getpid() and started(pid) == first.fields.get("start"):
                    return True
    return False


def _told(error: BaseException) -> dict[str, str]:
    import traceback

    from lineal.capture import redact

    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else kind.__module__ + "."
    text = "".join(traceback.format_exception(error))[-100_000:]
    return {
        "type": module + kind.__qualname__,
        "message": redact.text(str(error))[0],
        "traceback": redact.text(text)[0],
    }


def _modules() -> list[str]:
    """Top-level names of the imported modules that were installed."""
    return sorted(
        name for name, module in list(sys.modules.items())
        if "." not in name and "-packages" in (getattr(module, "__file__", None) or "")
    )  # fmt: skip


def _watch_exit() -> None:
    """Have runs that nobody ended ended when the interpreter does."""
    if not _watching:
        import atexit

        _watching.append(True)
        atexit.register(_end_all)


_watching: list[bool] = []


def _end_all() -> None:
    failure = getattr(sys, "last_value", None)
    for left in reversed(list(_unended)):
        left.end("failed" if failure is not None else "finished", failure)
