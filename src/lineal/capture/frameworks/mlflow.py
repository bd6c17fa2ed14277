"""MLflow: a program that logs with it, to where Lineal has pointed it, logs into the run that is recorded.

One more provider of request headers stands beside MLflow's own, and tells the run. A dataset that is logged is known to
MLflow by a digest of a sample; here, where it can be reached, its file or frame is told to the record, with that digest as a label.
"""

from __future__ import annotations

import os

from .. import wrapping
from ..current import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

HEADER = "Lineal-Run"
_SCHEME = "mlflow-digest"
_LARGEST = 256 << 20  # bytes of a frame: hashing that many takes a fraction of a second
_HELD = ("_df", "_features")  # where the classes of `mlflow.data` keep what is in memory


def headers(module: ModuleType) -> None:
    """After `mlflow.tracking.request_header.registry`."""
    module._request_header_provider_registry.register(Provider)


def dataset(module: ModuleType) -> None:
    """After `mlflow.data.dataset`."""
    wrapping.in_class(module.Dataset, "_to_mlflow_entity", _logged)


def _logged(entity: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    found, given = journal(), args[0]
    if found is None:
        return
    labels = {_SCHEME: str(entity.digest)}
    if path := _local(getattr(given, "_source", None)):
        found.json("use", path=path, role="", name="", labels=labels)
        return
    from ...sdk import frame

    held = next((value for name in _HELD if frame.is_frame(value := getattr(given, name, None))), None)
    if held is None:
        return
    size = _size(held)
    if size > _LARGEST:
        told = frame.FrameDigest(None, len(held), [], f"not hashed: {size} bytes in memory")
    else:
        told = frame.digest(held)
    columns = [[column.name, column.type, column.digest] for column in told.columns]
    fields = {"digest": told.digest, "columns": columns, "rows": told.rows, "reason": told.reason}
    found.json("frame", name=str(entity.name), role="", op="read", kind="dataset", labels=labels, **fields)


def _local(source: Any) -> str:
    """The file or folder of this machine that a source names; empty when it names none."""
    for name in ("_uri", "_path", "uri", "path"):
        value = getattr(source, name, None)
        if isinstance(value, str) and value:
            path = value.replace("file://", "", 1)
            return os.path.abspath(path) if "://" not in path and os.path.exists(path) else ""
    return ""


def _size(held: Any) -> int:
    """Bytes of a frame in memory, as its library counts them without looking at each object."""
    if hasattr(held, "memory_usage"):
        return int(held.memory_usage().sum())
    for name in ("nbytes", "estimated_size"):
        value = getattr(held, name, None)
        if value is not None:
            return int(value() if callable(value) else value)
    return _LARGEST + 1


class Provider:
    """As MLflow's `RequestHeaderProvider` asks for it."""

    def in_context(self) -> bool:
        """Whether requests go to where Lineal keeps the record."""
        from mlflow.tracking import get_tracking_uri

        uri = get_tracking_uri()
        ours = (os.environ.get("LINEAL_MLFLOW"), os.environ.get("LINEAL_URL"))
        return bool(os.environ.get("LINEAL_RUN")) and (uri in ours or uri.startswith("lineal:"))

    def request_headers(self) -> dict[str, str]:
        """The run of this process."""
        return {HEADER: os.environ.get("LINEAL_RUN", "")}
