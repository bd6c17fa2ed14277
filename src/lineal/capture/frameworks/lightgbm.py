"""lightgbm: parameters of the native `train` and `cv`, and models saved. Its estimators are scikit-learn's business."""

from __future__ import annotations

from .. import report, wrapping
from . import models

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_training = wrapping.Depth()


def hook(module: ModuleType) -> None:
    """After `lightgbm`."""
    for name in ("train", "cv"):
        wrapping.in_module(module, name, None, asked=_asked, depth=_training)
    models.saved_by(module.Booster, "save_model", "lightgbm.Booster.save_model", (1, "filename"))


def _asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    given = models.argument(args, kwargs, 0, "params")
    values = dict(given) if given is not None else {}
    rounds = models.argument(args, kwargs, 2, "num_boost_round")
    values["num_boost_round"] = 100 if rounds is None else rounds
    report.params(values, "lightgbm", "lightgbm.")
