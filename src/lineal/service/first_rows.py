"""The first rows of a Parquet file, as JSON on stdout: `python -m lineal.service.first_rows PATH ROWS COLUMNS CHARACTERS`.

Run by `preview`, apart from the server: the file may come from anybody, and what reads it is large.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from typing import Any

_MEMORY = 2 << 30  # bytes that may be written to
_SECONDS = 10


def main() -> int:
    """Print what `preview` answers; the exit code."""
    path, rows, columns, characters = sys.argv[1], *(int(word) for word in sys.argv[2:5])
    os.nice(5)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        found = first_rows(path, rows, columns, characters)
    except BaseException as error:  # noqa: BLE001 - Polars panics are none of Exception
        said = " ".join(str(error).split())[:200]
        found = {**_EMPTY, "reason": f"it cannot be read as Parquet: {said}"}
    sys.stdout.write(json.dumps(found))
    return 0


_EMPTY: dict[str, Any] = {"columns": [], "types": [], "rows": [], "total": None, "cut": False}


def first_rows(path: str, rows: int, columns: int, characters: int) -> dict[str, Any]:
    """At most so many rows and columns of the file, each value as text of at most so many characters."""
    import polars as pl

    frame = pl.scan_parquet(path, glob=False)
    schema = frame.collect_schema()
    total = frame.select(pl.len()).collect().item()
    names = list(schema)[:columns]
    head = frame.select(names).head(rows).collect()

    def text(value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, pl.Series):
            value = value.to_list()
        said = str(value)
        return said if len(said) <= characters else said[:characters] + "…"

    return {
        "columns": [name[:characters] for name in names],
        "types": [str(schema[name]).partition("(time_unit")[0] for name in names],
        "rows": [[text(value) for value in row] for row in head.rows()],
        "total": total,
        "cut": total > head.height or len(schema) > columns,
        "reason": "",
    }


if __name__ == "__main__":
    sys.exit(main())
