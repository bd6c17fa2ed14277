"""PyTorch: what `torch.save` and `torch.jit.save` write, when it is a module or its weights; seeds."""

from __future__ import annotations

from .. import report, seeds, wrapping
from . import models, origins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


def hook(module: ModuleType) -> None:
    """After `torch`."""
    wrapping.in_module(module, "save", _saved, depth=models.saving)
    seeds.torch(module)


def jit(module: ModuleType) -> None:
    """After `torch.jit`."""
    models.saved_by(module, "save", "torch.jit.save", (1, "f"), (0, "m"))


def export(module: ModuleType) -> None:
    """After `torch.export`."""
    models.saved_by(module, "save", "torch.export.save", (1, "f"), (0, "ep"))


def _saved(_result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    value = models.argument(args, kwargs, 0, "obj")
    found = models.framework_of(value) or models.weights(value)
    if found is not None:
        where = models.argument(args, kwargs, 1, "f")
        report.model(where, *found, "torch.save", origin=origins.of(value))
