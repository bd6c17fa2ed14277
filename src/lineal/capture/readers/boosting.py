"""Gradient boosting libraries: data sets and models that are read and written in C++."""

from __future__ import annotations

from ..calls import argument, around, given, writes
from ..places import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def xgboost(module: Any) -> None:
    """Record `DMatrix` from a file, and models."""
    around(module.DMatrix, "__init__", _matrix)
    around(module.Booster, "__init__", given(3, "model_file", "xgboost.Booster"))
    around(module.Booster, "load_model", given(1, "fname", "xgboost.Booster.load_model"))
    writes(module.Booster, ("save_model",), "xgboost.Booster", 1, "fname")


def _matrix(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    data = argument(args, kwargs, 1, "data")
    if isinstance(data, str):  # `path?format=libsvm#cache`
        data = data.partition("#")[0].partition("?")[0]
    read(data, "xgboost.DMatrix")


def lightgbm(module: Any) -> None:
    """Record `Dataset` from a file, and models."""
    around(module.Dataset, "__init__", given(1, "data", "lightgbm.Dataset"))
    around(module.Booster, "__init__", given(3, "model_file", "lightgbm.Booster"))
    writes(module.Booster, ("save_model",), "lightgbm.Booster", 1, "filename")
    writes(module.Dataset, ("save_binary",), "lightgbm.Dataset", 1, "filename")


def catboost(module: Any) -> None:
    """Record `Pool` from a file, and models."""
    around(module.Pool, "__init__", given(1, "data", "catboost.Pool"))
    around(module.CatBoost, "load_model", given(1, "fname", "catboost.CatBoost.load_model"))
    writes(module.CatBoost, ("save_model",), "catboost.CatBoost", 1, "fname")
