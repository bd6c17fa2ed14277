"""A Parquet file's footer, read without a library: rows, schema, and per column nulls, smallest and largest value.

The footer is a Thrift structure in the compact protocol before the file's last eight bytes (`<u32 length>PAR1`). See
parquet-format's parquet.thrift and thrift's compact protocol.
"""

from __future__ import annotations

import os
import struct
from datetime import UTC, date, datetime, timedelta
from typing import Any

LARGEST = 64 << 20  # bytes of a footer
MOST_CHUNKS = 50_000  # column chunks whose statistics are read; a file has one for each row group and column
MOST_COLUMNS = 2000
_DEEPEST = 16
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
_PHYSICAL = ("bool", "int32", "int64", "int96", "float", "double", "binary", "fixed")
_UNITS = {1: 1000, 2: 1, 3: 0}  # microseconds of a millisecond, a microsecond; nanoseconds are divided


class NotParquet(ValueError):
    """The file is none, or its footer is damaged or too large."""


def footer(path: bytes) -> dict[str, Any]:
    """`{"rows", "columns": [{"name", "type", "nullable", "nulls", "min", "max"}], "complete"}`.

    A column's `nulls`, `min` and `max` are there only where every row group tells them; nested columns are named by their
    dotted path. Raises NotParquet, OSError.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 8, 0))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if size < 12 or tail[4:] != b"PAR1" or length > min(LARGEST, size - 8):
            raise NotParquet("no footer of a Parquet file")
        file.seek(size - 8 - length)
        data = file.read(length)
    try:
        about = _Reader(data).struct(0)
        return _told(about)
    except (IndexError, KeyError, TypeError, ValueError, struct.error, AttributeError) as error:
        raise NotParquet(f"its footer cannot be read: {error}") from error


class _Reader:
    """Thrift's compact protocol as dictionaries by field number. `chunks`: how many elements of row groups may be read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int) -> dict[int, Any]:
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        found: dict[int, Any] = {}
        field = 0
        while True:
            head = self._byte()
            kind = head & 15
            if kind == _STOP:
                return found
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == _DOUBLE:
            self._at += 8
            return struct.unpack("<d", self._data[self._at - 8 : self._at])[0]
        if kind == _BINARY:
            size = self._varint()
            self._at += size
            if self._at > len(self._data):
                raise ValueError("a text goes beyond the end")
            return self._data[self._at - size : self._at]
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4 if head >> 4 != 15 else self._varint()
            if count > len(self._data):
                raise ValueError("a list longer than the footer")
            return [self._value(head & 15, depth + 1) for _ in range(count)]
        if kind == _MAP:
            count = self._varint()
            kinds = self._byte() if count else 0
            return {
                self._value(kinds >> 4, depth + 1): self._value(kinds & 15, depth + 1) for _ in range(count)
            }
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise ValueError(f"unknown kind {kind}")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number longer than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _told(about: dict[int, Any]) -> dict[str, Any]:
    leaves = _leaves(about[2])
    groups = about.get(4) or []
    complete = len(groups) * len(leaves) <= MOST_CHUNKS and len(leaves) <= MOST_COLUMNS
    columns = []
    for number, (name, element, nullable) in enumerate(leaves[:MOST_COLUMNS]):
        column: dict[str, Any] = {"name": name, "type": _type(element), "nullable": nullable}
        if complete:
            column.update(_statistics(element, [group[1][number].get(3, {}).get(12) for group in groups]))
        columns.append(column)
    return {"rows": int(about.get(3, 0)), "columns": columns, "complete": complete}


def _leaves(elements: list[dict[int, Any]]) -> list[tuple[str, dict[int, Any], bool]]:
    """(dotted name, element, may be null) of the columns that hold values, in order; the schema is a tree in depth-first order."""
    found = []
    above: list[list[Any]] = []  # [children left, name, nullable]
    for number, element in enumerate(elements):
        while above and above[-1][0] == 0:
            above.pop()
        name = element.get(4, b"").decode("utf-8", "backslashreplace")
        nullable = element.get(3, 0) != 0
        if above:
            above[-1][0] -= 1
        children = element.get(5)
        if children:
            above.append([children, "" if number == 0 else name, nullable and number > 0])
            continue
        path = ".".join([level[1] for level in above if level[1]] + [name])
        found.append((path, element, nullable or any(level[2] for level in above)))
    return found


def _type(element: dict[int, Any]) -> str:
    logical = element.get(10) or {}
    converted = element.get(6)
    if 1 in logical or converted == 0:
        return "string"
    if 6 in logical or converted == 6:
        return "date"
    if 8 in logical or converted in (9, 10):
        return "timestamp"
    if 5 in logical or converted == 5:
        return "decimal"
    if 7 in logical or converted in (7, 8):
        return "time"
    return _PHYSICAL[element[1]] if 1 in element and 0 <= element[1] < len(_PHYSICAL) else "group"


def _statistics(element: dict[int, Any], parts: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not parts or not all(isinstance(part, dict) for part in parts):
        return found
    nulls = [part.get(3) for part in parts]
    if all(isinstance(number, int) for number in nulls):
        found["nulls"] = sum(nulls)
    least = [_decoded(element, part.get(6)) for part in parts if 6 in part]
    most = [_decoded(element, part.get(5)) for part in parts if 5 in part]
    # A row group of nothing but nulls has neither, and says so by its count.
    if least and most and all(value is not None for value in least + most):
        found["min"], found["max"] = min(least), max(most)
    return found


def _decoded(element: dict[int, Any], data: Any) -> Any:
    """A bound as JSON holds it; None where its kind has no order of its own here."""
    if not isinstance(data, bytes):
        return None
    kind, told = element.get(1), _type(element)
    if told == "string":
        return data.decode("utf-8")
    if told == "date" and kind == 1:
        return (date(1970, 1, 1) + timedelta(days=struct.unpack("<i", data)[0])).isoformat()
    if told == "timestamp" and kind == 2:
        return _instant(element, struct.unpack("<q", data)[0])
    if told in ("decimal", "time"):
        return None
    form = {0: "<?", 1: "<i", 2: "<q", 4: "<f", 5: "<d"}.get(kind if isinstance(kind, int) else -1)
    if form is None:
        return None
    value = struct.unpack(form, data)[0]
    return value if value == value else None


def _instant(element: dict[int, Any], ticks: int) -> str:
    unit = next(iter(((element.get(10) or {}).get(8) or {}).get(2) or {2 if element.get(6) == 10 else 1: {}}))
    micros = ticks // 1000 if unit == 3 else ticks * _UNITS[unit]
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).replace(tzinfo=None).isoformat()
    )
