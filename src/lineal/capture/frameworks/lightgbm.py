"""lightgbm: parameters of the native `train` and `cv`, how they went, and models saved. Its estimators are scikit-learn's business."""

from __future__ import annotations

from . import models, seam, sklearn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_training = seam.Depth()
_folds = seam.Depth()


def hook(module: ModuleType) -> None:
    """After `lightgbm`."""
    for name in ("train", "cv"):
        seam.before(module, name, _asked, depth=_training)


def basic(module: ModuleType) -> None:
    """After `lightgbm.basic`: what a booster says of itself after each round, by whatever trains it; models saved."""
    for name in ("eval_train", "eval_valid"):
        seam.after(module.Booster, name, _evaluated, depth=_folds)
    models.saved_by(module.Booster, "save_model", "lightgbm.Booster.save_model", (1, "filename"))


def engine(module: ModuleType) -> None:
    """After `lightgbm.engine`: what cross-validation gives, whose boosters say nothing by themselves."""
    seam.after(module, "cv", _validated, depth=_folds)


def _evaluated(result: Any, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    if sklearn.nested() or seam.in_pool():
        return
    step = args[0].current_iteration() - 1
    for data, name, value, *_ in result:
        seam.metric(str(data) + "-" + str(name), value, step)


def _validated(result: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    for name, values in result.items():
        if name != "cvbooster":
            for step, value in enumerate(values):
                seam.metric(name, value, step)


def _asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    given = seam.argument(args, kwargs, 0, "params")
    values = dict(given) if given is not None else {}
    rounds = seam.argument(args, kwargs, 2, "num_boost_round")
    values["num_boost_round"] = 100 if rounds is None else rounds
    seam.params(values, "lightgbm", "lightgbm.")
