"""scikit-learn and whatever follows its conventions: parameters at fit, metric functions, `score`.

Every subclass of `BaseEstimator`, also of other packages and of the program itself, is reached as it is defined.
"""

from __future__ import annotations

import functools
import time

from .. import report, wrapping
from ..guard import swallow
from . import schema, seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_FITS = ("fit", "partial_fit", "fit_transform", "fit_predict")
_OTHERS = ("xgboost", "lightgbm", "catboost")
_MOST = 2000  # candidates of one search that become runs
_metrics = wrapping.Depth()
_partly: set[int] = set()  # estimators that are fitted piece by piece, whose parameters are told
_fits: dict[str, int] = {}  # running in any thread, by run: a meta-estimator may fit its parts in a pool


def base(module: ModuleType) -> None:
    """After `sklearn.base`, which every estimator's module imports first."""
    seam.subclasses(module.BaseEstimator, _watch)
    # This one replaces methods of a class after its bases have had their say.
    output = getattr(module, "_SetOutputMixin", None)
    if output is not None:
        seam.subclasses(output, _watch)
    for mixin in vars(module).values():
        if isinstance(mixin, type) and mixin.__name__.endswith("Mixin"):
            _watch(mixin)


def metrics(module: ModuleType) -> None:
    """After a module in which functions of `sklearn.metrics` are defined: a number that one gives is a point of the metric of its name.

    They are replaced where they are defined, before others take them from there: whoever uses one uses the same, and it is pickled by the
    name it always had.
    """
    for name, value in list(vars(module).items()):
        if (
            not name.startswith("_")
            and callable(value)
            and getattr(value, "__module__", "") == module.__name__
        ):
            _metric(module, name)


def scorers(module: ModuleType) -> None:
    """After `sklearn.metrics._scorer`: what a scorer computes belongs to whoever scores."""
    kind = getattr(module, "_BaseScorer", None)
    if kind is not None:
        wrapping.in_class(kind, "__call__", None, depth=_metrics)


def model_selection(module: ModuleType) -> None:
    """After `sklearn.model_selection`: one point for each fold of `cross_val_score`."""

    def told(result: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        for value in result:
            report.metric("cross_val_score", value)

    wrapping.in_module(module, "cross_val_score", told, depth=_metrics)


def _metric(module: ModuleType, name: str) -> None:
    def told(result: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        report.metric(name, result)

    wrapping.in_module(module, name, told, depth=_metrics)


def _watch(cls: type) -> None:
    """Observe the methods that `cls` itself defines."""
    methods = vars(cls)
    for name in _FITS:
        if name in methods:
            _method(cls, name, _fitting)
    if "score" in methods:
        _method(cls, "score", _scoring)


def _method(cls: type, name: str, observe: Any) -> None:
    found = vars(cls)[name]
    if isinstance(found, wrapping.Method):
        return
    if type(found).__name__ == "function":
        if not getattr(found, "__isabstractmethod__", False):
            setattr(cls, name, wrapping.Method(found, observe(found)))
    elif cls.__module__.startswith("sklearn.") and type(getattr(found, "fn", None)).__name__ == "function":
        found.fn = observe(found.fn)  # a method there only under a condition, as those of a Pipeline


def _scoring(original: Any) -> Any:
    def told(result: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        report.metric("score", result)

    return wrapping.observing(original, told, depth=_metrics)


def _fitting(original: Any) -> Any:
    again = original.__name__ == "partial_fit"

    @functools.wraps(original)
    def observed(self: Any, *args: Any, **kwargs: Any) -> Any:
        run = report.within.run
        outermost = not _running() and not (again and id(self) in _partly)
        _fits[run] = _fits.get(run, 0) + 1
        within, _metrics.running = _metrics.running, 1
        began = time.time_ns() // 1000
        try:
            if outermost:
                _params(self, args, kwargs)
                if again and len(_partly) < 10_000:
                    _partly.add(id(self))
            result = original(self, *args, **kwargs)
            if outermost:
                _found(self, began)
            return result
        finally:
            _fits[run] -= 1
            if run and not _fits[run]:
                del _fits[run]
            _metrics.running = within

    return observed


def nested(*, counted: bool = True) -> bool:
    """Whether an estimator is being fitted as a part of another one. counted: it is one of those that are observed here."""
    return _running() > (1 if counted else 0)


def _running() -> int:
    """How many fits this thread's may be a part of: those of the run it works for; in a thread without one, all."""
    run = report.within.run
    return _fits.get(run, 0) if run else sum(_fits.values())


def _params(estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        if seam.in_pool():
            return
        schema.remember(args[0] if args else kwargs.get("X"))
        name = type(estimator).__name__
        package = type(estimator).__module__.partition(".")[0]
        source = package if package in _OTHERS else "sklearn"
        report.params(estimator.get_params(deep=True), source, name + ".")
    except Exception as error:
        swallow(error)


def _found(estimator: Any, began: int) -> None:
    """What a search over parameters came to, and each candidate as a run of its own."""
    try:
        results = getattr(estimator, "__dict__", {}).get("cv_results_")
        if not isinstance(results, dict) or seam.in_pool():
            return
        name = type(estimator).__name__
        best = getattr(estimator, "best_params_", None)
        if isinstance(best, dict):
            report.params(best, "sklearn", name + ".best.")
            report.metric("best_score", getattr(estimator, "best_score_", None))
        candidates = results.get("params")
        if candidates is not None:
            for number, values in enumerate(list(candidates)[:_MOST]):
                _candidate(name, number, values, results, began)
    except Exception as error:
        swallow(error)


def _candidate(search: str, number: int, values: Any, results: Any, began: int) -> None:
    child = seam.Child("candidate", search + ".candidate", "candidate %d" % number, at=began)
    child.params(values, "sklearn")
    points: dict[int, dict[str, Any]] = {}  # by fold
    for key, column in results.items():
        fold, _, rest = key[5:].partition("_")
        if key.startswith(("mean_", "std_", "rank_")) and not (
            key.startswith("std_") and key.endswith("_time")
        ):
            points.setdefault(0, {})[key] = column[number]
        elif key.startswith("split") and fold.isdigit():
            points.setdefault(int(fold), {})[rest] = column[number]
    for step, values_then in points.items():
        child.metrics(values_then, step)
    child.end()
