"""NumPy: it opens its files through Python, so these hooks only say by which function."""

from __future__ import annotations

from ..calls import argument, around, reads, writes
from ..places import before_write, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch(numpy: Any) -> None:
    """Record `numpy.load` and its kin."""
    reads(numpy, ("load", "fromfile"), "numpy", 0, "file")
    reads(numpy, ("loadtxt", "genfromtxt"), "numpy", 0, "fname")
    for name in ("save", "savez", "savez_compressed"):
        around(numpy, name, _before("numpy." + name), _after("numpy." + name))
    writes(numpy, ("savetxt",), "numpy", 0, "fname")


def _before(lib: str) -> Any:
    def before(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        path = argument(args, kwargs, 0, "file")
        suffix = ".npy" if lib == "numpy.save" else ".npz"
        if isinstance(path, str) and not path.endswith(suffix):
            path += suffix  # NumPy adds it
        return before_write(path, lib)

    return before


def _after(lib: str) -> Any:
    return lambda earlier, args, kwargs, result, failed: written(earlier or [], lib, failed=failed)
