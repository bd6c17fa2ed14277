"""scikit-learn and whatever follows its conventions: parameters at fit, metric functions, `score`.

Every subclass of `BaseEstimator`, also of other packages and of the program itself, is reached as it is defined.
"""

from __future__ import annotations

import functools
import sys

from .. import report, wrapping
from ..guard import swallow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_FITS = ("fit", "partial_fit", "fit_transform", "fit_predict")
_OTHERS = ("xgboost", "lightgbm", "catboost")
_metrics = wrapping.Depth()
_partly: set[int] = set()  # estimators that are fitted piece by piece, whose parameters are told
_fits = 0  # running in any thread: a meta-estimator may fit its parts in a pool


def base(module: ModuleType) -> None:
    """After `sklearn.base`, which every estimator's module imports first."""
    _watch_subclasses(module.BaseEstimator)
    # This one replaces methods of a class after its bases have had their say.
    output = getattr(module, "_SetOutputMixin", None)
    if output is not None:
        _watch_subclasses(output)
    for mixin in vars(module).values():
        if isinstance(mixin, type) and mixin.__name__.endswith("Mixin"):
            _watch(mixin)


def _watch_subclasses(kind: Any) -> None:
    own = kind.__dict__.get("__init_subclass__")

    def defined(cls: Any, /, **kwargs: Any) -> None:
        if own is not None:
            own.__get__(None, cls)(**kwargs)
        else:
            super(kind, cls).__init_subclass__(**kwargs)
        try:
            _watch(cls)
        except Exception as error:
            swallow(error)

    kind.__init_subclass__ = classmethod(defined)


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
        global _fits
        outermost = not _fits and not (again and id(self) in _partly)
        _fits += 1
        within, _metrics.running = _metrics.running, 1
        try:
            if outermost:
                _params(self)
                if again and len(_partly) < 10_000:
                    _partly.add(id(self))
            result = original(self, *args, **kwargs)
            if outermost:
                _found(self)
            return result
        finally:
            _fits -= 1
            _metrics.running = within

    return observed


def _params(estimator: Any) -> None:
    try:
        if _in_pool():
            return
        name = type(estimator).__name__
        package = type(estimator).__module__.partition(".")[0]
        source = package if package in _OTHERS else "sklearn"
        report.params(estimator.get_params(deep=True), source, name + ".")
    except Exception as error:
        swallow(error)


def _found(estimator: Any) -> None:
    """What a search over parameters came to."""
    try:
        best = getattr(estimator, "__dict__", {}).get("best_params_")
        if isinstance(best, dict) and not _in_pool():
            name = type(estimator).__name__
            report.params(best, "sklearn", name + ".best.")
            report.metric("best_score", getattr(estimator, "best_score_", None))
    except Exception as error:
        swallow(error)


def _in_pool() -> bool:
    """Whether this process is a worker of joblib's, which fits parts of what another process fits."""
    process = sys.modules.get("multiprocessing.process")
    name = process.current_process().name if process is not None else ""
    return name.startswith(("LokyProcess", "ForkPoolWorker", "SpawnPoolWorker", "ForkServerPoolWorker"))
