"""The identity of a table in memory: a digest of its content, column by column.

Two tables have the same digest exactly when they have the same columns in the same order, of the same types, with the same rows: whatever
library holds them, however they are chunked, sliced or encoded, and whatever stands in the memory behind a missing value. NaN is a value, null is
none. What cannot be read like this gets no digest and a reason; it is never taken for equal to anything.

How a column is written down is fixed by the prefix `frame1:` and told in `lineal.sdk.columns`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any, NamedTuple

VERSION = "frame1"


class Column(NamedTuple):
    """A column's name (as text), canonical type, and digest (64 hex digits; None with the reason in the frame)."""

    name: str
    type: str
    digest: str | None


class FrameDigest(NamedTuple):
    """digest: `frame1:` and 64 hex digits, or None with `reason`; rows: their count, or None when it is not known."""

    digest: str | None
    rows: int | None
    columns: list[Column]
    reason: str = ""


class CannotDigest(Exception):
    """A column whose values have no canonical form; the text says why."""


_FRAMES = {
    ("pandas", "DataFrame"), ("pandas", "Series"), ("pandas", "Index"),
    ("polars", "DataFrame"), ("polars", "Series"), ("polars", "LazyFrame"),
    ("pyarrow", "Table"), ("pyarrow", "RecordBatch"), ("pyarrow", "ChunkedArray"), ("pyarrow", "Array"),
    ("numpy", "ndarray"), ("dask", "DataFrame"), ("pyspark", "DataFrame"), ("modin", "DataFrame"),
    ("torch", "Tensor"),
}  # fmt: skip


def _library(value: Any) -> tuple[str, str] | None:
    for base in type(value).__mro__:
        found = (base.__module__.partition(".")[0], base.__name__)
        if found in _FRAMES:
            return found
    return None


def is_frame(value: Any) -> bool:
    """Whether `value` is a data frame, series, table or array of a library known here."""
    return _library(value) is not None


def digest(value: Any) -> FrameDigest:
    """The digest of a data frame (pandas, polars, pyarrow), or of a series or array as one column. Reads every value; never raises.

    A pandas index counts as columns in front, unless it is an unnamed range that counts in ones.
    """
    found = _library(value)
    try:
        if found is None:
            raise CannotDigest(f"{type(value).__name__} is no data frame known here")
        rows, parts = _PARTS.get(found[0], _unknown)(value)
    except Exception as error:  # noqa: BLE001 - what cannot be read has no digest, and the reason is kept
        return FrameDigest(None, None, [], _reason(error))
    columns: list[Column] = []
    reasons: list[str] = []
    for name, kind, make in parts:
        try:
            type_name, hexadecimal = make()
            columns.append(Column(name, type_name, hexadecimal))
        except Exception as error:  # noqa: BLE001
            columns.append(Column(name, kind, None))
            reasons.append(f"column {name!r}: {_reason(error)}")
    if reasons:
        return FrameDigest(None, rows, columns, "; ".join(reasons[:3]))
    body = json.dumps([VERSION, rows, [list(column) for column in columns]], ensure_ascii=True)
    return FrameDigest(f"{VERSION}:{hashlib.sha256(body.encode()).hexdigest()}", rows, columns)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, CannotDigest) else f"{type(error).__name__}: {error}"


def _label(name: Any) -> str:
    """A column's name as text; one that is no text is told apart from the text that looks like it."""
    if isinstance(name, str):
        return "'" + name if name.startswith(("'", "(")) else name
    return f"({type(name).__name__}) {name!r}"


# --- libraries: each gives the number of rows, and (name, type, function that digests) of every column ------------------


def _unknown(value: Any) -> Any:
    raise CannotDigest(
        f"a {type(value).__module__.partition('.')[0]} frame is not in memory; convert it to pandas, polars or pyarrow first"
    )


def _pyarrow(value: Any) -> Any:
    from . import columns

    if hasattr(value, "column_names"):
        names = value.schema.names
        cells = [value.column(i) for i in range(len(names))]
        rows = value.num_rows
    else:
        names, cells, rows = ["values"], [value], len(value)
    return rows, [
        (_label(name), str(cell.type), lambda cell=cell: columns.arrow(cell))
        for name, cell in zip(names, cells)
    ]


def _pandas(value: Any) -> Any:
    from . import columns

    parts: list[Any] = []
    pandas = sys.modules["pandas"]

    def add(name: Any, column: Any) -> None:
        parts.append((_label(name), str(column.dtype), lambda: columns.pandas(column)))

    index = None if isinstance(value, pandas.Index) else value.index
    if index is not None and not (
        isinstance(index, pandas.RangeIndex) and index.step == 1 and index.name is None
    ):
        for level in range(index.nlevels):
            add(("index", index.names[level]), index.get_level_values(level))
    if isinstance(value, pandas.DataFrame):
        for i, name in enumerate(value.columns):
            add(name, value.iloc[:, i])
        names = [name for name in value.columns.names if name is not None]
        if names:
            parts.append(("(columns)", "", lambda: (f"names {names!r}", "")))
    else:
        add("values" if value.name is None else value.name, value)
    return len(value), parts


def _polars(value: Any) -> Any:
    from . import columns

    if type(value).__name__ == "LazyFrame":
        raise CannotDigest("a LazyFrame holds a plan, not data; collect it first")
    series = value.get_columns() if hasattr(value, "get_columns") else [value]
    named = hasattr(value, "get_columns")
    return len(value), [
        (_label(s.name if named or s.name else "values"), str(s.dtype), lambda s=s: columns.polars(s))
        for s in series
    ]


def _numpy(value: Any) -> Any:
    from . import columns

    rows = int(value.shape[0]) if value.ndim else 1
    if value.dtype.names:
        return rows, [
            (_label(n), str(value.dtype[n]), lambda n=n: columns.numpy(value[n])) for n in value.dtype.names
        ]
    return rows, [("values", str(value.dtype), lambda: columns.numpy(value))]


def _torch(value: Any) -> Any:
    return _numpy(value.detach().cpu().numpy())


_PARTS: dict[str, Any] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
    "numpy": _numpy,
    "torch": _torch,
}
