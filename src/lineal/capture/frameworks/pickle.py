"""Models written by `dump` of pickle and of those that follow it (cloudpickle, dill, skops)."""

from __future__ import annotations

from . import models

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def hook(module: ModuleType) -> None:
    """After `pickle`, `cloudpickle`, `dill` or `skops.io`: `dump(obj, file)`, where the file has a name or is one."""
    models.saved_by(module, "dump", f"{module.__name__}.dump", (1, "file"), (0, "obj"))
