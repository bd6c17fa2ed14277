"""Frameworks of which only the writing of a model is observed: one line each."""

from __future__ import annotations

from .. import report, wrapping
from . import models, origins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


def onnx(module: ModuleType) -> None:
    """After `onnx`."""
    for name in ("save", "save_model"):
        models.saved_by(module, name, f"onnx.{name}", (1, "f"), (0, "proto"))


def safetensors(module: ModuleType) -> None:
    """After `safetensors.torch` or one of its siblings: `save_file(tensors, filename)`."""
    framework = module.__name__.rpartition(".")[2]

    def told(_result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        report.model(
            models.argument(args, kwargs, 1, "filename"),
            framework,
            "safetensors",
            f"{module.__name__}.save_file",
            origin=origins.of(models.argument(args, kwargs, 0, "tensors")),
        )

    wrapping.in_module(module, "save_file", told, depth=models.saving)
