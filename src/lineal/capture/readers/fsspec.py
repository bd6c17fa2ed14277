"""fsspec: files of other hosts, by URL. Those of this machine are seen when they are opened."""

from __future__ import annotations

from functools import wraps

from ..calls import argument, around
from ..guard import swallow
from ..remote import report, scheme

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

_LOCAL = frozenset(("file", "local", "memory", "dir", "data", "zip", "tar", "libarchive"))
_READ = ("cat_file", "cat", "get_file", "get", "read_bytes", "read_text", "download")
_WRITTEN = ("pipe_file", "write_bytes", "write_text")
_PUT = ("put_file", "put", "upload")


def patch(module: Any) -> None:
    """Record what every file system opens, fetches and stores."""
    kind = module.AbstractFileSystem
    around(kind, "open", lambda args, kwargs: None, _opened)
    for name in _READ:
        around(kind, name, _moved(1, "path", "read", name))
    for name in _WRITTEN:
        around(kind, name, _moved(1, "path", "write", name))
    for name in _PUT:
        around(kind, name, _moved(2, "rpath", "write", name))


def mirrored(module: Any) -> None:
    """Record what file systems that are awaited inside fetch and store: each object of one has its own functions for that."""
    around(module, "mirror_sync_methods", lambda args, kwargs: None, _mirrored)


def _mirrored(token: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
    system = argument(args, kwargs, 0, "obj")
    protocols = system.protocol if isinstance(system.protocol, (tuple, list)) else (system.protocol,)
    if failed or "s3" in protocols:
        return  # what that one is answered is told, with its version, by the client in it
    for names, op, at, key in (
        (_READ, "read", 0, "path"),
        (_WRITTEN, "write", 0, "path"),
        (_PUT, "write", 1, "rpath"),
    ):
        for name in names:
            inner = vars(system).get(name)
            if inner is not None:
                setattr(system, name, _told(system, inner, op, name, at, key))


def _told(system: Any, inner: Any, op: str, name: str, at: int, key: str) -> Any:
    @wraps(inner)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = inner(*args, **kwargs)
        try:
            _report(system, argument(args, kwargs, at, key), op, name)
        except Exception as error:
            swallow(error)
        return result

    return call


def _opened(token: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
    mode = argument(args, kwargs, 2, "mode") or "rb"
    writes = any(letter in mode for letter in "wax")
    if not failed or writes:
        about = {} if writes else _version(result)
        _report(args[0], argument(args, kwargs, 1, "path"), "write" if writes else "read", "open", **about)


def _version(file: Any) -> dict[str, str]:
    """Which state of an object was opened, from what its file system had to ask for anyway: S3 says VersionId, Google Cloud
    generation, Azure version_id."""
    inside = getattr(file, "buffer", file)  # of a text file
    details = getattr(inside, "__dict__", {}).get("_details")
    if not isinstance(details, dict):
        return {}
    found = {
        "version": details.get("VersionId") or details.get("generation") or details.get("version_id"),
        "etag": details.get("ETag") or details.get("etag"),
    }
    return {name: str(value).strip('"') for name, value in found.items() if value and value != "null"}


def _moved(at: int, key: str, op: str, name: str) -> Any:
    return lambda args, kwargs: _report(args[0], argument(args, kwargs, at, key), op, name)


def _report(system: Any, path: Any, op: str, name: str, **more: str) -> None:
    protocols = system.protocol if isinstance(system.protocol, (tuple, list)) else (system.protocol,)
    if not protocols or protocols[0] in _LOCAL or getattr(system, "target_protocol", None):
        return  # a local file, or a cache or an archive in front of the file system that is asked next
    for one in path if isinstance(path, (list, tuple)) else (path,):
        if isinstance(one, str):
            report(one if scheme(one) else str(system.unstrip_protocol(one)), op, "fsspec." + name, **more)
