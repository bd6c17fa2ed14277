"""fsspec: files of other hosts, by URL. Those of this machine are seen when they are opened."""

from __future__ import annotations

from ..calls import argument, around
from ..remote import report, scheme

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

_LOCAL = frozenset(("file", "local", "memory", "dir", "data", "zip", "tar", "libarchive"))
_READ = ("cat_file", "cat", "get_file", "get", "read_bytes", "read_text", "download")
_WRITTEN = ("pipe_file", "write_bytes", "write_text")


def patch(module: Any) -> None:
    """Record what every file system opens, fetches and stores."""
    kind = module.AbstractFileSystem
    around(kind, "open", _opened)
    for name in _READ:
        around(kind, name, _moved(1, "path", "read", name))
    for name in _WRITTEN:
        around(kind, name, _moved(1, "path", "write", name))
    for name in ("put_file", "put", "upload"):
        around(kind, name, _moved(2, "rpath", "write", name))


def _opened(args: Args, kwargs: Kwargs) -> None:
    mode = argument(args, kwargs, 2, "mode") or "rb"
    writes = any(letter in mode for letter in "wax")
    _report(args[0], argument(args, kwargs, 1, "path"), "write" if writes else "read", "open")


def _moved(at: int, key: str, op: str, name: str) -> Any:
    return lambda args, kwargs: _report(args[0], argument(args, kwargs, at, key), op, name)


def _report(system: Any, path: Any, op: str, name: str) -> None:
    protocols = system.protocol if isinstance(system.protocol, (tuple, list)) else (system.protocol,)
    if not protocols or protocols[0] in _LOCAL or getattr(system, "target_protocol", None):
        return  # a local file, or a cache or an archive in front of the file system that is asked next
    for one in path if isinstance(path, (list, tuple)) else (path,):
        if isinstance(one, str):
            report(one if scheme(one) else str(system.unstrip_protocol(one)), op, "fsspec." + name)
