"""PyTorch: what it saves is written in C++; so are compiled models."""

from __future__ import annotations

from ..calls import reads, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch(torch: Any) -> None:
    """Record `torch.load` and `torch.save`, and the same of `torch.jit`."""
    reads(torch, ("load", "from_file"), "torch", 0, "f")
    writes(torch, ("save",), "torch", 1, "f")
    reads(torch.jit, ("load",), "torch.jit", 0, "f")
    writes(torch.jit, ("save",), "torch.jit", 1, "f")
    for kind in ("ScriptModule", "RecursiveScriptModule", "ScriptFunction"):
        owner = getattr(torch.jit, kind, None)
        if isinstance(owner, type) and "save" in owner.__dict__:
            writes(owner, ("save",), "torch.jit." + kind, 1, "f")


def export(module: Any) -> None:
    """Record exported programs."""
    reads(module, ("load",), "torch.export", 0, "f")
    writes(module, ("save",), "torch.export", 1, "f")


def onnx(module: Any) -> None:
    """Record models exported to ONNX."""
    writes(module, ("export",), "torch.onnx", 2, "f")
