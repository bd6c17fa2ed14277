"""statsmodels: what is fitted and how, what came of it, and results saved."""

from __future__ import annotations

from . import models, seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_fitting = seam.Depth()  # a model fits others as its beginning, and a method `fit` calls that of its base
_FIGURES = (
    "rsquared",
    "rsquared_adj",
    "prsquared",
    "aic",
    "bic",
    "llf",
    "fvalue",
    "f_pvalue",
    "mse_resid",
    "nobs",
)


def model(module: ModuleType) -> None:
    """After `statsmodels.base.model`, from which every model's class descends."""
    _watch(module.Model)
    seam.subclasses(module.Model, _watch)


def _watch(cls: type) -> None:
    for name in ("fit", "fit_regularized"):
        if name in vars(cls):
            seam.after(cls, name, _fitted, depth=_fitting)


def _fitted(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    fitted = args[0]
    name = type(fitted).__name__
    values: dict[str, Any] = {k: v for k, v in kwargs.items() if isinstance(v, (str, bool, int, float))}
    about = {name: getattr(fitted, name, None) for name in ("formula", "endog_names", "exog_names")}
    values.update({key: value for key, value in about.items() if value is not None})
    seam.params(values, "statsmodels", name + ".")
    for figure in _FIGURES:
        try:
            seam.metric(figure, getattr(result, figure, None))
        except Exception:
            continue  # not every kind of fit has every figure, and some say so in their own way


def saved(module: ModuleType) -> None:
    """After `statsmodels.iolib.smpickle`, through which results are saved."""
    models.saved_by(module, "save_pickle", "statsmodels.Results.save", (1, "fname"), (0, "obj"))
