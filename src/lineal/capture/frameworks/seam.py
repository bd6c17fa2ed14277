"""The one seam between a library and the record: what every file here works with, and what a third party's hook is given.

A hook is a function that is called once its library was imported, with the library's module (and, where it comes from
another package, with this module as its second argument). It puts functions of its own around those of the library and
says what they saw. Whatever it raises is dropped: the program goes on.
"""

from __future__ import annotations

import os

from .. import report, wrapping
from ..current import journal
from ..guard import swallow
from . import models, origins, schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Optional

    Told = Callable[[Any, tuple[Any, ...], dict[str, Any]], object]
    Asked = Callable[[tuple[Any, ...], dict[str, Any]], object]

Depth = wrapping.Depth
argument = models.argument
argument.__doc__ = "The argument at a position, or given under one of the names; None when it is missing."
_OPEN = 10_000  # runs below this one that a process may begin


def after(owner: Any, name: str, told: Told, depth: Optional[Depth] = None) -> None:
    """Call `told(result, args, kwargs)` whenever `owner.name` has returned; `owner` is a module or a class.

    depth: of all functions that share it only the outermost call in a thread is told about.
    """
    _observe(owner)(owner, name, told, depth=depth)


def before(owner: Any, name: str, asked: Asked, depth: Optional[Depth] = None) -> None:
    """Call `asked(args, kwargs)` whenever `owner.name` is about to be called."""
    _observe(owner)(owner, name, None, asked=asked, depth=depth)


def _observe(owner: Any) -> Any:
    return wrapping.in_class if isinstance(owner, type) else wrapping.in_module


def both(owner: Any, name: str, asked: Asked, told: Told, depth: Optional[Depth] = None) -> None:
    """`before` and `after` in one."""
    _observe(owner)(owner, name, told, asked=asked, depth=depth)


def around(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(original)` in the place of `owner.name`; for what neither `before` nor `after` can do."""
    original = vars(owner).get(name)
    if callable(original) and not hasattr(original, "__lineal__"):
        made = make(original)
        made.__lineal__ = True
        setattr(owner, name, made)


def subclasses(kind: Any, watch: Callable[[type], object]) -> None:
    """Call `watch(cls)` with every subclass of `kind` that will be defined."""
    own = kind.__dict__.get("__init_subclass__")

    def defined(cls: Any, /, **kwargs: Any) -> None:
        if own is not None:
            own.__get__(None, cls)(**kwargs)
        else:
            super(kind, cls).__init_subclass__(**kwargs)
        try:
            watch(cls)
        except Exception as error:
            swallow(error)

    kind.__init_subclass__ = classmethod(defined)


def params(values: Mapping[str, Any], source: str, prefix: str = "") -> None:
    """Each item of `values` as a parameter `prefix + key`; `source` says who saw it. Secrets are replaced."""
    report.params(values, source, prefix)


def metric(key: str, value: Any, step: Any = None) -> None:
    """A point of a metric: a number, or a numpy or torch scalar; anything else is no point. Steps are counted unless given."""
    report.metric(key, value, step)


def metrics(values: Mapping[str, Any], step: Any = None, prefix: str = "") -> None:
    """Each number among `values` as a point of the metric `prefix + key`."""
    report.metrics([(prefix + str(key), value, step) for key, value in list(values.items())])


def model(
    path: Any, value: Any = None, *, lib: str, framework: str = "", kind: str = "", **more: Any
) -> None:
    """`path`, a file or a folder, now holds a model, written by the function `lib`.

    value: the model itself, from which framework, class and the inputs it was fitted on are told; else say `framework`
    and `kind` (its class).
    """
    found = (framework, kind) if framework else models.framework_of(value)
    if found is not None:
        origin = origins.of(value) if value is not None else None
        about = {"inputs": schema.of(value) if value is not None else None, "origin": origin, **more}
        report.model(path, found[0], found[1], lib, **about)


def number(value: Any) -> Any:
    """The number that a numpy or torch scalar holds (or `value`, if it is a number); None for anything else."""
    return report.scalar(value)


def safely(ours: Callable[..., Any], *args: Any) -> Any:
    """`ours(*args)`, and None instead of whatever it raises."""
    try:
        return ours(*args)
    except Exception as error:
        swallow(error)
        return None


def seed(lib: str, value: Any) -> None:
    """The random numbers of `lib` were seeded with `value`."""
    report.seed(lib, value)


def checkpoints(best: Any, last: Any = None, monitor: str = "", score: Any = None) -> None:
    """Which of the checkpoints that were written became the model, and by which metric."""
    found = journal()
    if found is not None and best and "://" not in str(best):
        path = os.path.abspath(os.fsdecode(best))
        value = report.plain(report.scalar(score))
        found.json("best", path=path, monitor=monitor, score=value, last=str(last or ""))


def loaded(model: Any, checkpoint: Any, lib: str) -> None:
    """The weights of `model` now are those of the file or folder `checkpoint`, says `lib`: what is saved of it came from there."""
    origins.loaded(model, checkpoint, lib)


def origin(model: Any) -> Any:
    """What `model` was loaded from, as a field of `model()`; None when nobody said."""
    return origins.of(model)


class Child:
    """A run below the one that this thread works for: a candidate of a search, a trial of a study.

    Between `enter` and `leave` what this thread's libraries report belongs to it. Files stay the surrounding run's.

    Args:
        kind: of the run, such as `trial`.
        job: what is run again and again.
        group: a search or study whose runs belong together.
        at: when it began (microseconds UTC), now unless given.
    """

    _begun = 0

    def __init__(
        self, kind: str, job: str, name: str = "", group: str = "", at: Optional[int] = None
    ) -> None:
        from ...journal.ids import new_run_id

        self.run = ""
        self._before = ""
        found = journal()
        if found is None or Child._begun >= _OPEN:
            return
        Child._begun += 1
        self.run = new_run_id()
        parent = {"parent": report.within.run} if report.within.run else {}
        about = {"kind": kind, "job": job, "name": name, "group": group or None, "at": at}
        found.json("run", run=self.run, within=True, **about, **parent)

    def enter(self) -> None:
        """From now on this thread works for this run."""
        self._before, report.within.run = report.within.run, self.run or report.within.run

    def leave(self) -> None:
        """This thread works again for the run it worked for before."""
        if self.run and report.within.run == self.run:
            report.within.run = self._before

    def params(self, values: Mapping[str, Any], source: str) -> None:
        """Its parameters."""
        self._say(params, values, source)

    def metrics(self, values: Mapping[str, Any], step: Any = None) -> None:
        """Points of its metrics."""
        self._say(metrics, values, step)

    def tag(self, key: str, value: str) -> None:
        """A label of it."""
        found = journal()
        if self.run and found is not None:
            found.json("tag", run=self.run, key=key, value=value)

    def _say(self, say: Any, *words: Any) -> None:
        if self.run:
            kept, report.within.run = report.within.run, self.run
            try:
                say(*words)
            finally:
                report.within.run = kept

    def end(self, state: str = "finished", at: Optional[int] = None, error: Any = None) -> None:
        """It has ended; `state`: finished, failed or killed."""
        self.leave()
        found = journal()
        if self.run and found is not None:
            told = (
                {"type": type(error).__name__, "message": str(error)[:1000], "traceback": ""}
                if error
                else None
            )
            found.json("end", run=self.run, state=state, exit_code=None, signal=None, error=told, at=at)


def in_pool() -> bool:
    """Whether this process is a worker of a pool, which does parts of what another process tells of."""
    import sys

    process = sys.modules.get("multiprocessing.process")
    name = process.current_process().name if process is not None else ""
    return name.startswith(("LokyProcess", "ForkPoolWorker", "SpawnPoolWorker", "ForkServerPoolWorker"))
