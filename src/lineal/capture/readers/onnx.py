"""ONNX: models as files."""

from __future__ import annotations

from ..calls import around, given, reads, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def onnx(module: Any) -> None:
    """Record `onnx.load` and `onnx.save`."""
    for name in ("load", "load_model"):
        reads(module, (name,), "onnx", 0, "f")
    for name in ("save", "save_model"):
        writes(module, (name,), "onnx", 1, "f")


def onnxruntime(module: Any) -> None:
    """Record the model an inference session is made of."""
    around(module.InferenceSession, "__init__", given(1, "path_or_bytes", "onnxruntime.InferenceSession"))
