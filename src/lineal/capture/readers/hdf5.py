"""HDF5: files that stay open; the library below reads and writes them in C."""

from __future__ import annotations

from ..calls import argument, around
from ..places import before_write, opened, read, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]


def h5py(module: Any) -> None:
    """Record `h5py.File`."""
    around(module.File, "__init__", _opened("h5py.File", 1, "name", 2), _kept)
    around(module.File, "close", _closing, _closed("h5py.File"))


def pytables(module: Any) -> None:
    """Record `tables.open_file`."""
    around(module, "open_file", _opened("tables.open_file", 0, "filename", 1))


def _opened(lib: str, at: int, key: str, mode_at: int) -> Any:
    def before(args: Args, kwargs: Kwargs) -> Any:
        path, mode = argument(args, kwargs, at, key), argument(args, kwargs, mode_at, "mode") or "r"
        if mode == "r":
            read(path, lib)
        elif mode in {"a", "r+"}:
            opened(path, lib)
        else:
            earlier = before_write(path, lib)
            written(earlier, lib, pending=True)
            return earlier
        return None

    return before


_open: dict[int, Any] = {}  # by the id of a file object that is written: the path, until it is closed


def _kept(earlier: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
    if earlier and not failed:
        _open[id(args[0])] = earlier


def _closing(args: Args, kwargs: Kwargs) -> Any:
    return _open.pop(id(args[0]), None)


def _closed(lib: str) -> Any:
    def after(earlier: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
        if earlier:
            written(earlier, lib, failed=failed)

    return after
