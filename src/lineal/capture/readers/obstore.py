"""obstore: objects of S3, Google Cloud and Azure in Rust, with the version that the answer to the read or write names."""

from __future__ import annotations

from ..calls import argument, around
from ..guard import swallow
from ..places import before_write, read, written
from ..remote import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SCHEMES = {"S3Store": ("s3", "bucket"), "GCSStore": ("gs", "bucket"), "AzureStore": ("az", "container_name")}


def patch(module: Any) -> None:
    """Record `get` and `put` of objects, plain ones and those that are awaited."""
    for name in ("get", "put"):
        around(module, name, lambda args, kwargs: None, _done(name))
        around(module, name + "_async", lambda args, kwargs: None, _later(name))
    around(module, "open_reader", _begun("get"))


def _address(store: Any, path: str) -> str:
    """Where an object is: a URL, or a path of this machine; empty for a store in memory."""
    prefix = str(getattr(store, "prefix", None) or "").strip("/")
    inside = f"{prefix}/{path}" if prefix else path
    kind = type(store).__name__
    if kind == "LocalStore":
        return "/" + inside
    scheme, key = _SCHEMES.get(kind, ("", ""))
    config = getattr(store, "config", None) or {}
    bucket = config.get(key) or config.get("container") or config.get("azure_container_name")
    return f"{scheme}://{bucket}/{inside}" if scheme and bucket else ""


def _begun(name: str) -> Any:
    """What is only begun by the call: which version it will be is not known."""

    def before(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _report(args, kwargs, name, {})

    return before


def _later(name: str) -> Any:
    """What is awaited is a future, which knows the version when it is done; one that is none is told without."""

    def after(token: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, failed: bool) -> None:
        if failed:
            return
        tell = _done(name)

        def done(future: Any) -> None:
            try:
                if not future.cancelled() and future.exception() is None:
                    tell(None, args, kwargs, future.result(), False)
            except Exception as error:
                swallow(error)

        if hasattr(result, "add_done_callback"):
            result.add_done_callback(done)
        else:
            _report(args, kwargs, name, {})

    return after


def _done(name: str) -> Any:
    def after(token: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, failed: bool) -> None:
        if not failed:
            _report(args, kwargs, name, result.meta if name == "get" else result)

    return after


def _report(args: tuple[Any, ...], kwargs: dict[str, Any], name: str, about: Any) -> None:
    path = argument(args, kwargs, 1, "path")
    address = _address(argument(args, kwargs, 0, "store"), path) if isinstance(path, str) else ""
    lib = "obstore." + name
    if address.startswith("/"):
        if name == "get":
            read(address, lib)
        else:
            written(before_write(address, lib), lib)
    elif address:
        said = {"version": about.get("version"), "etag": about.get("e_tag")}
        more = {key: str(value).strip('"') for key, value in said.items() if value}
        report(address, "read" if name == "get" else "write", lib, **more)
