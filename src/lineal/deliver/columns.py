"""The columns of a data file: names, types, and a digest each, so that a difference can name the column that changed.

Read with pyarrow where it is installed (`pip install 'lineal[data]'`); without it the file has no schema facet.
"""

from __future__ import annotations

import os
from typing import Any

LARGEST = 512 << 20  # bytes of a file whose columns are read
_READERS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".feather": "feather",
    ".arrow": "feather",
}


def readable(path: bytes, size: int | None) -> bool:
    """Whether this file's columns would be read."""
    return (
        os.path.splitext(os.fsdecode(path))[1].lower() in _READERS
        and size is not None
        and 0 < size <= LARGEST
    )


def schema_of(path: bytes) -> dict[str, Any] | None:
    """`{"columns": [{"name", "type", "digest"}], "rows": n, "by": "pyarrow ..."}`; None when it cannot be read so."""
    try:
        import pyarrow as pa

        from lineal.sdk import frame
    except ImportError:
        return None
    try:
        table = _table(os.fsdecode(path))
    except (pa.ArrowException, OSError, ValueError):
        return None
    digest = frame.digest(table)
    return {
        "columns": [{"name": c.name, "type": c.type, "digest": c.digest} for c in digest.columns],
        "rows": table.num_rows,
        "by": f"pyarrow {pa.__version__}",
    }


def _table(path: str) -> Any:
    extension = os.path.splitext(path)[1].lower()
    kind = _READERS[extension]
    if kind == "parquet":
        from pyarrow import parquet

        return parquet.ParquetFile(path).read()
    if kind == "feather":
        from pyarrow import feather

        return feather.read_table(path, memory_map=False)
    from pyarrow import csv

    return csv.read_csv(path, parse_options=csv.ParseOptions(delimiter="\t" if extension == ".tsv" else ","))
