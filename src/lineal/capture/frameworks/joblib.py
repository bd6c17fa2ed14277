"""joblib: models written by `joblib.dump`."""

from __future__ import annotations

from . import models

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def hook(module: ModuleType) -> None:
    """After `joblib`."""
    models.saved_by(module, "dump", "joblib.dump", (1, "filename"), (0, "value"))
