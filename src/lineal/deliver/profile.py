"""Tables' profiles by Polars, in a process of its own: `python -m lineal.deliver.profile`.

A process of its own, since a pass over a file cannot be stopped from within, and its memory is given back with it. For each
line of JSON on stdin it writes one on stdout: the profile, or null where the file cannot be read as a table.
"""

from __future__ import annotations

import json
import math
import os
import sys
from typing import Any

WHOLE = 256 << 20  # bytes of a file that is read from end to end; of a larger one a part is
PART = 1_000_000  # rows of such a part
SAMPLE = 100_000  # rows that quantiles and top values are counted in
BINS, TOP = 20, 50
MOST_COLUMNS = 500
LONGEST = 200  # characters of a value that is kept


def main() -> int:
    """Answer the requests on stdin until it ends; the exit code."""
    os.nice(10)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = profile(request["path"], request["format"], int(request["size"]), request.get("rows"))
        except BaseException:  # noqa: BLE001 - Polars panics are none of Exception
            answer = None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


def profile(path: str | list[str], form: str, size: int, rows: int | None) -> dict[str, Any]:
    """`{"rows", "rows_read", "sample", "by", "columns": [...]}`; see the reference of `lineal.profile/1`.

    path: of a file, or of each of the Parquet files that are one table.
    """
    import polars as pl

    whole = size <= WHOLE
    frame = _scanned(path, form)
    if not whole:
        frame = frame.head(PART) if form != "parquet" else _spread(frame, rows or 0)
    schema = dict(list(frame.collect_schema().items())[:MOST_COLUMNS])
    names = list(schema)
    told = frame.select(pl.len().alias("rows"), *_asked(schema)).collect(engine="streaming").row(0)
    count = told[0]
    values = iter(told[1:])
    every = max(1, -(-count // SAMPLE))
    sample = frame.select(names).gather_every(every).collect(engine="streaming")
    columns = []
    for name, kind in schema.items():
        column: dict[str, Any] = {"name": name, "type": str(kind), "nulls": next(values)}
        column["distinct"] = next(values) if _comparable(kind) else None
        if _ordered(kind):
            column["min"], column["max"] = (_plain(next(values)) for _ in range(2))
        if kind.is_numeric():
            column["mean"], column["std"] = (_plain(next(values)) for _ in range(2))
        if every == 1 and column["distinct"] is not None:
            column["distinct"] = (
                sample.get_column(name).drop_nulls().n_unique()
            )  # all of it is here, so exactly
        column.update(_spread_of(sample.get_column(name), kind))
        columns.append({key: value for key, value in column.items() if value is not None})
    return {
        "rows": count if whole else rows,
        "rows_read": count,
        "sample": sample.height,
        "by": f"polars {pl.__version__}",
        "columns": columns,
    }


def _scanned(path: str | list[str], form: str) -> Any:
    import polars as pl

    if isinstance(path, list):
        return pl.scan_parquet(path, glob=False, hive_partitioning=True, missing_columns="insert")
    if form == "parquet":
        return pl.scan_parquet(path, glob=False)
    return pl.scan_csv(
        path,
        separator="\t" if form == "tsv" else ",",
        infer_schema_length=10_000,
        ignore_errors=True,
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
        glob=False,
    )


def _spread(frame: Any, rows: int) -> Any:
    """About `PART` rows from ten places of the file, so that one which is sorted shows more than its beginning."""
    import polars as pl

    piece = PART // 10
    if rows <= PART:
        return frame
    return pl.concat([frame.slice(rows // 10 * number, piece) for number in range(10)])


def _asked(schema: dict[str, Any]) -> list[Any]:
    import polars as pl

    asked = []
    for number, (name, kind) in enumerate(schema.items()):
        column = pl.col(name)
        asked.append(column.null_count().alias(f"{number}n"))
        if _comparable(kind):
            asked.append(column.approx_n_unique().alias(f"{number}d"))
        if _ordered(kind):
            asked += [column.min().alias(f"{number}a"), column.max().alias(f"{number}z")]
        if kind.is_numeric():
            asked += [column.mean().alias(f"{number}m"), column.std().alias(f"{number}s")]
    return asked


def _ordered(kind: Any) -> bool:
    import polars as pl

    return bool(kind.is_numeric() or kind.is_temporal() or kind in (pl.String, pl.Boolean))


def _comparable(kind: Any) -> bool:
    return not (kind.is_nested() or str(kind).startswith(("Binary", "Object", "Null", "Decimal")))


def _spread_of(column: Any, kind: Any) -> dict[str, Any]:
    """The quantile bins of numbers and times, or the most frequent values of everything else and of few numbers."""
    import polars as pl

    known = column.drop_nulls()
    if not _comparable(kind) or not len(known):
        return {}
    numeric = kind.is_numeric() or kind.is_temporal()
    if numeric and known.n_unique() > BINS:
        return _bins(known.cast(pl.Int64 if kind.is_temporal() else pl.Float64), kind)
    counted = known.cast(pl.String).value_counts(sort=True) if not numeric else known.value_counts(sort=True)
    names = counted.columns
    top = [[_plain(value), int(number)] for value, number in counted.head(TOP).rows()]
    found: dict[str, Any] = {"top": top, "other": int(counted[names[1]].sum()) - sum(n for _, n in top)}
    if kind in (pl.String, pl.Categorical) or str(kind).startswith("Enum"):
        lengths = known.cast(pl.String).str.len_chars()
        found["length_min"], found["length_max"] = int(lengths.min()), int(lengths.max())
    return found


def _bins(column: Any, kind: Any) -> dict[str, Any]:
    import numpy as np

    values = column.to_numpy()
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)))
    if len(edges) < 2:
        return {}
    # A value at an edge belongs to the bin below it, the smallest to the first.
    place = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1)
    found = {"edges": [float(edge) for edge in edges], "counts": [int(number) for number in counts]}
    if kind.is_temporal():
        found["edges_unit"] = str(kind)
    return found


def _plain(value: Any) -> Any:
    """A value as JSON holds it exactly, else as its text, cut."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


if __name__ == "__main__":
    sys.exit(main())
