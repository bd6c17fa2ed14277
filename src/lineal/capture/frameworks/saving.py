"""Frameworks of which only the writing of a model is observed: one line each."""

from __future__ import annotations

from .. import report, wrapping
from . import models

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


def keras(module: ModuleType) -> None:
    """After `keras`."""
    kind = next((c for c in module.Model.__mro__ if "save" in vars(c)), module.Model)
    models.saved_by(kind, "save", "keras.Model.save", (1, "filepath"))
    if hasattr(module, "saving"):
        models.saved_by(module.saving, "save_model", "keras.saving.save_model", (1, "filepath"), (0, "model"))


def onnx(module: ModuleType) -> None:
    """After `onnx`."""
    for name in ("save", "save_model"):
        models.saved_by(module, name, f"onnx.{name}", (1, "f"), (0, "proto"))


def catboost(module: ModuleType) -> None:
    """After `catboost`."""
    models.saved_by(module.CatBoost, "save_model", "catboost.CatBoost.save_model", (1, "fname"))


def transformers(module: ModuleType) -> None:
    """After `transformers.modeling_utils`."""
    models.saved_by(
        module.PreTrainedModel, "save_pretrained", "transformers.save_pretrained", (1, "save_directory")
    )


def safetensors(module: ModuleType) -> None:
    """After `safetensors.torch` or one of its siblings: `save_file(tensors, filename)`."""
    framework = module.__name__.rpartition(".")[2]

    def told(_result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        report.model(
            models.argument(args, kwargs, 1, "filename"),
            framework,
            "safetensors",
            f"{module.__name__}.save_file",
        )

    wrapping.in_module(module, "save_file", told, depth=models.saving)
