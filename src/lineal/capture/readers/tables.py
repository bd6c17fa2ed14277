"""Table formats that are folders: Delta Lake and Lance, in Rust."""

from __future__ import annotations

from ..calls import around, given, reads, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def deltalake(module: Any) -> None:
    """Record `DeltaTable` and `write_deltalake`."""
    around(module.DeltaTable, "__init__", given(1, "table_uri", "deltalake.DeltaTable"))
    writes(module, ("write_deltalake",), "deltalake", 0, "table_or_uri")


def lance(module: Any) -> None:
    """Record `lance.dataset` and `lance.write_dataset`."""
    reads(module, ("dataset",), "lance", 0, "uri")
    writes(module, ("write_dataset",), "lance", 1, "uri")
