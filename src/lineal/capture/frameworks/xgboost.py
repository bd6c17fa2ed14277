"""xgboost: parameters of the native `train` and `cv`, and models saved. Its estimators are scikit-learn's business."""

from __future__ import annotations

from .. import report, wrapping
from . import models

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_training = wrapping.Depth()


def hook(module: ModuleType) -> None:
    """After `xgboost`."""
    for name in ("train", "cv"):
        wrapping.in_module(module, name, None, asked=_asked, depth=_training)
    models.saved_by(module.Booster, "save_model", "xgboost.Booster.save_model", (1, "fname"))
    estimator = getattr(module, "XGBModel", None)
    if estimator is not None:
        models.saved_by(estimator, "save_model", "xgboost.XGBModel.save_model", (1, "fname"))


def _asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    given = models.argument(args, kwargs, 0, "params")
    values = dict(given) if given is not None else {}
    rounds = models.argument(args, kwargs, 2, "num_boost_round")
    values["num_boost_round"] = 10 if rounds is None else rounds
    for name in ("early_stopping_rounds", "nfold", "maximize"):
        if kwargs.get(name) is not None:
            values[name] = kwargs[name]
    report.params(values, "xgboost", "xgboost.")
