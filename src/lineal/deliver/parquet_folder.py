"""A table that is a folder of Parquet files: what their footers say together, and the columns that folders' names hold.

Partitions are folders named `key=value` (the layout of Hive, Spark, Polars and pyarrow).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from lineal.core.events import Member
from lineal.deliver import parquet_footer

ENDINGS = (".parquet", ".pq")
MOST_FOOTERS = 5000
TOP = 50
_NULL = "__HIVE_DEFAULT_PARTITION__"


def parts(members: Sequence[Member]) -> list[Member]:
    """The members that are the table's files; none when the folder holds others as well, besides `_SUCCESS` and its like."""
    shown = [one for one in members if not one.path.rpartition("/")[2].startswith(("_", "."))]
    return shown if all(one.path.lower().endswith(ENDINGS) for one in shown) else []


def footers(folder: bytes, files: Sequence[Member], until: float) -> dict[str, Any] | None:
    """The facet's `rows`, `columns`, `files` and `by` from the files' footers; None when the first cannot be read.

    until: a time of `time.monotonic()` after which no further file is opened. Where not all were read there is no `rows`, and `reason`
    says how many were.
    """
    merged = _Merged()
    read = 0
    reason = ""
    for member in files[:MOST_FOOTERS]:
        if read and time.monotonic() > until:
            break
        try:
            merged.add(
                parquet_footer.footer(os.path.join(folder, os.fsencode(member.path))), keys(member.path)
            )
        except (parquet_footer.NotParquet, OSError) as error:
            if not read:
                return None
            reason = f"{member.path}: {error}"
            break
        read += 1
    found: dict[str, Any] = {"files": len(files), "columns": merged.columns(), "by": "parquet footers"}
    if read == len(files):
        found["rows"] = merged.rows
    else:
        found["reason"] = reason or f"the footers of {read} of {len(files)} files were read"
        for column in found["columns"]:  # they say nothing of the others
            for name in ("nulls", "min", "max", "top", "other", "distinct"):
                column.pop(name, None)
    return found


def keys(path: str) -> dict[str, str | None]:
    """The columns that the folders' names of a path hold."""
    found: dict[str, str | None] = {}
    for part in path.split("/")[:-1]:
        key, equals, value = part.partition("=")
        if equals and key:
            found[key] = None if value == _NULL else unquote(value)
    return found


class _Merged:
    """What several footers say together."""

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, Counter[str | None]] = {}

    def add(self, footer: dict[str, Any], keys: dict[str, str | None]) -> None:
        """One file more."""
        rows = footer["rows"]
        told = {column["name"]: column for column in footer["columns"]}
        for name, column in told.items():
            if name not in self._columns:
                self._columns[name] = dict(column)
                if self.rows:  # the files before it have no such column
                    self._lacking(name, self.rows)
            elif rows:
                self._join(self._columns[name], column, rows)
        for name in self._columns.keys() - told.keys():
            self._lacking(name, rows)
        for name, value in keys.items():
            self._keys.setdefault(name, Counter())[value] += rows
        self.rows += rows

    def _lacking(self, name: str, rows: int) -> None:
        column = self._columns[name]
        column["nullable"] = True
        if "nulls" in column:
            column["nulls"] += rows

    def _join(self, known: dict[str, Any], column: dict[str, Any], rows: int) -> None:
        only_nulls = known.get("nulls") == self.rows or column.get("nulls") == rows
        if column["type"] != known["type"]:
            known["type"] = " or ".join(dict.fromkeys([*known["type"].split(" or "), column["type"]]))
        known["nullable"] = known.get("nullable") or column.get("nullable")
        if "nulls" in known and "nulls" in column:
            known["nulls"] += column["nulls"]
        else:
            known.pop("nulls", None)
        for name, choose in (("min", min), ("max", max)):
            both = [one[name] for one in (known, column) if one.get(name) is not None]
            if len(both) == 2 and type(both[0]) is type(both[1]):
                known[name] = choose(both)
            elif only_nulls and both:
                known[name] = both[0]
            else:
                known.pop(name, None)

    def columns(self) -> list[dict[str, Any]]:
        """The columns of the files, and then those of the folders' names."""
        return [*self._columns.values(), *(_partition(name, counts) for name, counts in self._keys.items())]


def _partition(name: str, counts: Counter[str | None]) -> dict[str, Any]:
    nulls = counts.pop(None, 0)
    values: Iterable[tuple[Any, int]] = counts.most_common()
    numbers = [int(value) for value in counts if value is not None and _is_number(value)]
    whole = len(numbers) == len(counts) > 0
    if whole:
        values = [(int(str(value)), count) for value, count in values]
    listed = [[value, count] for value, count in values]
    bounds = [value for value, _ in listed]
    column: dict[str, Any] = {
        "name": name,
        "type": "int64" if whole else "string",
        "nullable": nulls > 0,
        "nulls": nulls,
        "distinct": len(listed),
        "partition": True,
        "top": listed[:TOP],
        "other": sum(count for _, count in listed[TOP:]),
    }
    if bounds:
        column["min"], column["max"] = min(bounds), max(bounds)
    return column


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text == str(int(text))
