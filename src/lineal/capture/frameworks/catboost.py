"""catboost: parameters at fit, the evaluation of every iteration, and models saved."""

from __future__ import annotations

from . import models, schema, seam, sklearn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_fitting = seam.Depth()


def hook(module: ModuleType) -> None:
    """After `catboost`."""
    seam.both(module.CatBoost, "_fit", _asked, _fitted, depth=_fitting)
    models.saved_by(module.CatBoost, "save_model", "catboost.CatBoost.save_model", (1, "fname"))


def _inside(model: Any) -> bool:
    """Whether the fit is a part of something else's."""
    counted = any(kind.__name__ == "BaseEstimator" for kind in type(model).__mro__)
    return seam.in_pool() or sklearn.nested(counted=counted)


def _asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not _inside(args[0]):
        schema.remember(seam.argument(args, kwargs, 1, "X"))
        seam.params(args[0].get_params(), "catboost", type(args[0]).__name__ + ".")


def _fitted(_result: Any, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    if _inside(args[0]):
        return
    for data, found in args[0].get_evals_result().items():
        for name, values in found.items():
            for step, value in enumerate(values):
                seam.metric(data + "-" + name, value, step)
