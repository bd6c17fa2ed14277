"""joblib: it opens its files through Python, so these hooks only say by which function."""

from __future__ import annotations

from ..calls import reads, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch(joblib: Any) -> None:
    """Record `joblib.load` and `joblib.dump`."""
    reads(joblib, ("load",), "joblib", 0, "filename")
    writes(joblib, ("dump",), "joblib", 1, "filename")
