"""Polars: everything it reads and writes is done in Rust."""

from __future__ import annotations

from ..calls import reads, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMATS = ("csv", "parquet", "ipc", "ndjson", "lines", "avro", "json", "delta", "iceberg", "excel", "ods")
_MORE = (
    "read_csv_batched",
    "read_ipc_stream",
    "read_parquet_schema",
    "read_parquet_metadata",
    "read_ipc_schema",
    "scan_ipc",
)
_WRITTEN = ("csv", "parquet", "ipc", "ipc_stream", "ndjson", "avro", "json", "delta", "excel", "iceberg")


def patch(polars: Any) -> None:
    """Record `polars.read_*`, `polars.scan_*`, `DataFrame.write_*` and `LazyFrame.sink_*`."""
    readers = [verb + form for verb in ("read_", "scan_") for form in _FORMATS] + list(_MORE)
    for name in readers:
        reads(polars, (name,), "polars", 0, _KEYS.get(name, "source"))
    for form in _WRITTEN:
        key = {"delta": "target", "excel": "workbook", "iceberg": "target"}.get(form, "file")
        writes(polars.DataFrame, ("write_" + form,), "polars.DataFrame", 1, key)
        key = {"delta": "target", "iceberg": "target"}.get(form, "path")
        writes(polars.LazyFrame, ("sink_" + form,), "polars.LazyFrame", 1, key)


_KEYS = {"scan_iceberg": "source", "read_delta": "source"}
