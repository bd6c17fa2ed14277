"""How a column of values is written down for its digest (`frame1`).

A column is its canonical type, its length, which rows are null, and its values; each part is hashed by itself, and the digest is the SHA-256 of
the parts' digests. Null rows count as zero or empty. By type:

- integers, floats, times (as integers of their unit): little endian, as wide as the type; any NaN is the one quiet NaN;
- booleans: one byte; decimals: 32 bytes of two's complement;
- texts and bytes: all lengths as 64 bits, then all bytes; large, small and view forms are one type;
- lists and maps: all lengths, then the values of all rows as a column; structs: each field as a column;
- dictionaries (categories): the values they stand for, then whether and how categories are ordered, and in pandas those that no row has;
- Python objects that are not all texts: each with its kind, so that 1, 1.0, True and "1" all differ.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .frame import CannotDigest

if TYPE_CHECKING:
    import numpy as np

_DEEPEST = 50


def arrow(column: Any, *, unused: bool = False) -> tuple[str, str]:
    """(canonical type, 64 hex digits) of a pyarrow array.

    unused: categories that no row has count too. In arrow they are a matter of storage, which a copy may drop; in pandas
    they belong to the type.
    """
    import pyarrow as pa

    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return _arrow(chunks, column.type, unused)


def _arrow(chunks: list[Any], kind: Any, unused: bool) -> tuple[str, str]:
    import pyarrow as pa
    from pyarrow import types as t

    if isinstance(kind, pa.BaseExtensionType):
        name, inner = _arrow([chunk.storage for chunk in chunks], kind.storage_type, unused)
        metadata = (
            kind.__arrow_ext_serialize__() if isinstance(kind, pa.ExtensionType) else str(kind).encode()
        )
        return f"extension[{kind.extension_name},{hashlib.sha256(metadata).hexdigest()[:16]},{name}]", inner
    if t.is_dictionary(kind):
        return _dictionary(chunks, kind, unused)
    if t.is_run_end_encoded(kind):
        import pyarrow.compute as pc

        return _arrow([pc.run_end_decode(chunk) for chunk in chunks], kind.value_type, unused)
    parts = _Parts(sum(len(chunk) for chunk in chunks))
    for chunk in chunks:
        parts.validity(chunk)
    if t.is_null(kind):
        return "null", parts.end("null")
    if t.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        flat = [chunk.flatten() for chunk in chunks]
        below = [
            _arrow([columns[i] for columns in flat], field.type, unused) for i, field in enumerate(fields)
        ]
        name = "struct[" + ",".join(f"{f.name!r}:{n}" for f, (n, _) in zip(fields, below)) + "]"
        return name, parts.end(name, *(digest for _, digest in below))
    if t.is_map(kind):
        plain = pa.large_list(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))
        name, digest = _lists(
            [_map_as_list(chunk, plain) for chunk in chunks], plain.value_type, parts, unused
        )
        return "map" + name, parts.end("map" + name, digest)
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind) or _is_list_view(kind):
        name, digest = _lists(chunks, kind.value_type, parts, unused)
        name = (f"fixed_list[{kind.list_size}]" if t.is_fixed_size_list(kind) else "list") + name
        return name, parts.end(name, digest)
    name = _leaf(chunks, kind, parts)
    return name, parts.end(name)


def _is_list_view(kind: Any) -> bool:
    from pyarrow import types as t

    return any(hasattr(t, name) and getattr(t, name)(kind) for name in ("is_list_view", "is_large_list_view"))


def _map_as_list(chunk: Any, plain: Any) -> Any:
    import pyarrow as pa

    offsets = chunk.offsets.cast(pa.int64())
    items = pa.StructArray.from_arrays([chunk.keys, chunk.items], fields=list(plain.value_type))
    return pa.LargeListArray.from_arrays(offsets, items, mask=chunk.is_null() if chunk.null_count else None)


def _lists(chunks: list[Any], inner: Any, parts: _Parts, unused: bool) -> tuple[str, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    for chunk in chunks:
        lengths = pc.list_value_length(chunk).cast(pa.int64())
        parts.lengths(_numbers(lengths, "int64"))
    name, digest = _arrow([chunk.flatten() for chunk in chunks], inner, unused)
    return f"[{name}]", digest


def _dictionary(chunks: list[Any], kind: Any, unused: bool) -> tuple[str, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    decoded = [chunk.dictionary_decode() for chunk in chunks]
    name, digest = _arrow(decoded, kind.value_type, unused)
    name = f"dictionary[{name}{',ordered' if kind.ordered else ''}]"
    extra = ""
    if kind.ordered or unused:
        found = pa.chunked_array([chunk.dictionary for chunk in chunks], kind.value_type).unique().drop_null()
        used = pa.chunked_array(decoded, kind.value_type).unique().drop_null()
        if not unused:
            found = found.filter(pc.is_in(found, value_set=used))
        if kind.ordered:
            extra = _arrow([found], kind.value_type, unused)[1]
        elif len(found) != len(used):
            extra = _arrow([found.take(_sorted(found))], kind.value_type, unused)[1]
    return name, hashlib.sha256(f"{name}\0{digest}\0{extra}".encode()).hexdigest()


def _sorted(values: Any) -> Any:
    import pyarrow as pa

    found = values.to_pylist()
    return pa.array(sorted(range(len(found)), key=lambda i: repr(found[i])), pa.int64())


def _leaf(chunks: list[Any], kind: Any, parts: _Parts) -> str:
    """Feeds values of a type without inner types; gives back its canonical name."""
    import pyarrow as pa
    from pyarrow import types as t

    if t.is_boolean(kind):
        for chunk in chunks:
            parts.values(_numbers(chunk.cast(pa.uint8()), "uint8"))
        return "bool"
    if t.is_floating(kind):
        width = kind.bit_width
        for chunk in chunks:
            parts.values(_one_nan(_numbers(chunk, f"float{width}")))
        return f"float{width}"
    if t.is_decimal(kind):
        wide = pa.decimal256(kind.precision, kind.scale)
        for chunk in chunks:
            parts.values(_fixed(chunk.cast(wide), 32))
        return f"decimal[{kind.precision},{kind.scale}]"
    if _is_text(kind) or _is_bytes(kind):
        for chunk in chunks:
            _texts(chunk, _is_text(kind), parts)
        return "string" if _is_text(kind) else "binary"
    if t.is_fixed_size_binary(kind):
        for chunk in chunks:
            parts.values(_fixed(chunk, kind.byte_width))
        return f"fixed_binary[{kind.byte_width}]"
    if t.is_integer(kind):
        for chunk in chunks:
            parts.values(_numbers(chunk, str(kind)))
        return str(kind)
    if t.is_temporal(kind) and kind.bit_width in (32, 64):
        for chunk in chunks:
            parts.values(
                _numbers(
                    chunk.view(pa.int64() if kind.bit_width == 64 else pa.int32()), f"int{kind.bit_width}"
                )
            )
        return str(kind)
    if kind == pa.month_day_nano_interval():
        for chunk in chunks:
            parts.values(_fixed(chunk, 16))
        return str(kind)
    raise CannotDigest(f"values of type {kind} have no canonical form here")


def _is_text(kind: Any) -> bool:
    from pyarrow import types as t

    return (
        t.is_string(kind)
        or t.is_large_string(kind)
        or (hasattr(t, "is_string_view") and t.is_string_view(kind))
    )


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types as t

    return (
        t.is_binary(kind)
        or t.is_large_binary(kind)
        or (hasattr(t, "is_binary_view") and t.is_binary_view(kind))
    )


def _texts(chunk: Any, text: bool, parts: _Parts) -> None:
    import numpy as np
    import pyarrow as pa

    if text:
        chunk = chunk.cast(pa.large_string())
    chunk = chunk.cast(pa.large_binary())
    if chunk.null_count:
        chunk = chunk.fill_null(b"")
    _, offsets, data = chunk.buffers()
    if offsets is None or not len(chunk):
        return
    at = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    parts.lengths(np.diff(at))
    if data is not None:
        parts.values(memoryview(data)[int(at[0]) : int(at[-1])])


def _numbers(chunk: Any, dtype: str) -> np.ndarray[Any, Any]:
    """The values of an array of numbers, zero where they are null."""
    import numpy as np

    if chunk.null_count:
        import pyarrow as pa

        chunk = chunk.fill_null(
            pa.scalar(0, pa.float64()).cast(chunk.type) if "float" in dtype else pa.scalar(0, chunk.type)
        )
    data = chunk.buffers()[1]
    if data is None:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype)[chunk.offset : chunk.offset + len(chunk)]


def _fixed(chunk: Any, width: int) -> np.ndarray[Any, Any]:
    """The bytes of an array of values of one width, zero where they are null; one row each."""
    import numpy as np

    data = chunk.buffers()[1]
    if data is None or not width:
        return np.empty(0, np.uint8)
    rows = np.frombuffer(data, np.uint8)[chunk.offset * width : (chunk.offset + len(chunk)) * width].reshape(
        -1, width
    )
    if chunk.null_count:
        rows = np.where(np.asarray(chunk.is_valid())[:, None], rows, np.uint8(0))
    return rows


def _one_nan(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    missing = np.isnan(values)
    if missing.any():
        values = values.copy()
        values[missing] = np.nan
    return values


class _Parts:
    """The running digests of one column's parts."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._nulls = 0
        self._validity = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._values = hashlib.sha256()

    def validity(self, chunk: Any) -> None:
        """Which rows of an arrow array are null, one byte a row."""
        import numpy as np

        if chunk.null_count:
            self.mask(np.asarray(chunk.is_null().to_numpy(zero_copy_only=False)))
        else:
            self.mask(np.zeros(len(chunk), bool))

    def mask(self, null: np.ndarray[Any, Any]) -> None:
        """Which of the next rows are null."""
        self._nulls += int(null.sum())
        self._validity.update(_bytes(null.view("uint8")))

    def lengths(self, values: np.ndarray[Any, Any]) -> None:
        """Lengths of the next rows, int64."""
        self._lengths.update(_bytes(values))

    def values(self, values: Any) -> None:
        """The next rows' bytes."""
        self._values.update(values if isinstance(values, memoryview) else _bytes(values))

    def end(self, name: str, *inner: str) -> str:
        """The column's digest, inner columns' digests included."""
        validity = self._validity.hexdigest() if self._nulls else ""
        parts = [
            name,
            str(self._length),
            validity,
            self._lengths.hexdigest(),
            self._values.hexdigest(),
            *inner,
        ]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _bytes(values: Any) -> memoryview:
    import numpy as np

    if values.dtype.byteorder == ">" or (values.dtype.byteorder == "=" and sys.byteorder == "big"):
        values = values.astype(values.dtype.newbyteorder("<"))
    return memoryview(np.ascontiguousarray(values).data).cast("B") if values.size else memoryview(b"")


# --- other libraries -------------------------------------------------------------------------------------------------


def polars(series: Any) -> tuple[str, str]:
    """As `arrow`, of a polars series."""
    name = str(series.dtype)
    if name == "Object":
        return _objects(series.to_list())
    return arrow(series.to_arrow(), unused=name.startswith("Enum"))


def pandas(series: Any) -> tuple[str, str]:
    """As `arrow`, of a pandas series or index."""
    dtype = series.dtype
    if str(dtype) == "object":
        return _objects(series.tolist())
    if type(dtype).__module__.startswith("numpy"):
        return numpy(series.to_numpy())
    if type(dtype).__name__ == "SparseDtype":
        return pandas(series.sparse.to_dense())
    import pyarrow as pa

    values = series.array
    if hasattr(values, "__arrow_array__") or type(dtype).__name__ in (
        "CategoricalDtype",
        "DatetimeTZDtype",
        "StringDtype",
    ):
        return arrow(pa.array(series, from_pandas=True), unused=type(dtype).__name__ == "CategoricalDtype")
    raise CannotDigest(f"values of dtype {dtype} have no canonical form here")


def numpy(values: Any) -> tuple[str, str]:
    """As `arrow`, of a numpy array. More than one dimension is part of the type."""
    import numpy as np

    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    plain = np.ma.getdata(values) if mask is not None else values
    kind = plain.dtype.kind
    if kind == "O":
        if mask is not None or plain.ndim != 1:
            raise CannotDigest("objects in a masked or nested array have no canonical form here")
        return _objects(plain.tolist())
    if kind in "US":
        if mask is not None:
            raise CannotDigest("texts in a masked array have no canonical form here")
        name, digest = _objects(plain.ravel().tolist())
    else:
        name, digest = _plain(plain.ravel(), mask.ravel() if mask is not None else None)
    if plain.ndim == 1:
        return name, digest
    name = f"array[{','.join(str(n) for n in plain.shape)}][{name}]"
    return name, hashlib.sha256(f"{name}\0{digest}".encode()).hexdigest()


_UNITS = {"datetime64": "timestamp", "timedelta64": "duration"}


def _plain(values: Any, mask: Any) -> tuple[str, str]:
    import numpy as np

    parts = _Parts(len(values))
    null = mask if mask is not None else np.zeros(len(values), bool)
    kind = values.dtype.kind
    if kind in "mM":
        unit, count = np.datetime_data(values.dtype)
        null = null | np.isnat(values)
        if count != 1 or unit not in ("s", "ms", "us", "ns", "D"):
            raise CannotDigest(f"values of dtype {values.dtype} have no canonical form here")
        name = f"{'timestamp' if kind == 'M' else 'duration'}[{unit}]"
        values = values.view("int64")
    elif kind in "iub":
        name = "bool" if kind == "b" else values.dtype.name
    elif kind == "f" and values.dtype.itemsize <= 8:
        name = values.dtype.name
        values = _one_nan(values)
    elif kind == "c" and values.dtype.itemsize <= 16:
        name = values.dtype.name
        null = np.repeat(null, 2)
        values = _one_nan(values.view(f"{values.dtype.byteorder}f{values.dtype.itemsize // 2}"))
    else:
        raise CannotDigest(f"values of dtype {values.dtype} have no canonical form here")
    if null.any():
        values = np.where(null, values.dtype.type(0), values)
    parts.mask(null)
    parts.values(values.view("uint8") if name == "bool" else values)
    return name, parts.end(name)


def _objects(values: list[Any]) -> tuple[str, str]:
    """Python objects: texts (and None) as a column of texts, bytes alike, anything else by kind and value."""
    kinds = {type(value) for value in values}
    for kind, name in ((str, "string"), (bytes, "binary")):
        if kinds <= {kind, type(None)} and kind in kinds:
            return name, _encoded(values, name)
    parts = _Parts(len(values))
    digest = hashlib.sha256()
    for value in values:
        for piece in _tagged(value, 0):
            digest.update(piece)
    return "object", parts.end("object", digest.hexdigest())


def _encoded(values: list[Any], name: str) -> str:
    import numpy as np

    parts = _Parts(len(values))
    parts.mask(np.fromiter((value is None for value in values), bool, len(values)))
    data = [
        b"" if v is None else v.encode("utf-8", "surrogatepass") if isinstance(v, str) else v for v in values
    ]
    parts.lengths(np.fromiter(map(len, data), np.int64, len(data)))
    parts.values(memoryview(b"".join(data)))
    return parts.end(name)


def _tagged(value: Any, depth: int) -> Iterable[bytes]:
    """The kind and value of a Python object, such that two different values never give the same bytes."""
    kind = type(value)
    if depth > _DEEPEST:
        raise CannotDigest("objects nested deeper than 50 have no canonical form here")
    if value is None:
        yield b"N"
    elif kind is bool:
        yield b"b1" if value else b"b0"
    elif kind is float:
        yield b"f" + (struct.pack("<d", value) if value == value else b"NaN")
    elif kind in (int, str, bytes, complex):
        yield _framed(kind.__name__, value if kind is bytes else str(value).encode("utf-8", "surrogatepass"))
    elif kind in (list, tuple):
        yield _framed(kind.__name__, str(len(value)).encode())
        for item in value:
            yield from _tagged(item, depth + 1)
    elif kind is dict:
        yield _framed("dict", str(len(value)).encode())
        for key, item in value.items():
            yield from _tagged(key, depth + 1)
            yield from _tagged(item, depth + 1)
    elif kind.__module__ in ("datetime", "decimal", "fractions", "uuid") or _is_missing(value):
        yield _framed(f"{kind.__module__}.{kind.__qualname__}", repr(value).encode("utf-8", "surrogatepass"))
    elif kind.__module__.startswith("pandas.") and kind.__name__ in (
        "Timestamp",
        "Timedelta",
        "Period",
        "Interval",
    ):
        yield _framed(
            kind.__name__, f"{value!r} {getattr(value, 'unit', '')} {getattr(value, 'value', '')}".encode()
        )
    elif kind.__module__ == "numpy" and hasattr(value, "dtype"):
        name, digest = numpy(value if kind.__name__ == "ndarray" else value.reshape(1))
        yield _framed("numpy", f"{value.shape}{name}{digest}".encode())
    else:
        raise CannotDigest(
            f"objects of class {kind.__module__}.{kind.__qualname__} have no canonical form here"
        )


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in ("NAType", "NaTType") and type(value).__module__.startswith("pandas.")


def _framed(kind: str, data: bytes) -> bytes:
    return f"{kind}:{len(data)}:".encode() + data
