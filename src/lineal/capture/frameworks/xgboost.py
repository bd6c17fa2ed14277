"""xgboost: parameters of the native `train` and `cv`, how they went, and models saved. Its estimators are scikit-learn's business."""

from __future__ import annotations

from . import models, seam, sklearn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_training = seam.Depth()


def hook(module: ModuleType) -> None:
    """After `xgboost`."""
    for name in ("train", "cv"):
        seam.before(module, name, _asked, depth=_training)
    models.saved_by(module.Booster, "save_model", "xgboost.Booster.save_model", (1, "fname"))
    estimator = getattr(module, "XGBModel", None)
    if estimator is not None:
        models.saved_by(estimator, "save_model", "xgboost.XGBModel.save_model", (1, "fname"))


def callbacks(module: ModuleType) -> None:
    """After `xgboost.callback`: what is evaluated after each round, by whatever trains."""
    seam.after(module.CallbackContainer, "after_iteration", _evaluated)


def _evaluated(_result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if sklearn.nested() or seam.in_pool():
        return
    step = seam.argument(args, kwargs, 2, "epoch")
    for data, found in args[0].history.items():
        for name, values in found.items():
            last = values[-1]
            pair = isinstance(last, tuple)  # of `cv`: mean and standard deviation over the folds
            for ending, value in (("-mean", last[0]), ("-std", last[1])) if pair else (("", last),):
                seam.metric(data + "-" + name + ending, value, step)


def _asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    given = seam.argument(args, kwargs, 0, "params")
    values = dict(given) if given is not None else {}
    rounds = seam.argument(args, kwargs, 2, "num_boost_round")
    values["num_boost_round"] = 10 if rounds is None else rounds
    for name in ("early_stopping_rounds", "nfold", "maximize"):
        if kwargs.get(name) is not None:
            values[name] = kwargs[name]
    seam.params(values, "xgboost", "xgboost.")
