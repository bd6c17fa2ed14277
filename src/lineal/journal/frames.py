"""The bytes of a journal: how one record becomes one frame.

A file begins with `MAGIC`. A frame is `<u32 length><u32 crc32(payload)><payload>`, little endian; the payload is one
byte of kind and a body:

- `J` a JSON object, ASCII, with `t` (type) and `at` (microseconds UTC);
- `F` a file event (`FILE` below), then the library's name and the path as bytes;
- `K` a metric key: `<u32 id>` and the key in UTF-8, before its first use;
- `M` one metric point: `<u32 key id><i64 step><i64 at><f64 value>`.

This module is imported at the start of every recorded program, so it needs nothing that the bare interpreter lacks.
"""

from __future__ import annotations

from _struct import Struct  # `struct` would be one file more at every start
from os import fsdecode
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

MAGIC = b"LINEALJ1"
LARGEST = 1 << 28  # bytes of payload; a longer one is damage, not data
KIND_JSON, KIND_FILE, KIND_KEY, KIND_POINT = 74, 70, 75, 77  # the letters J F K M

READ, WRITE, REMOVED, READ_WRITE, DIRECTORY_READ, DIRECTORY_WRITE, MODIFY, CLOSED, EMPTIED = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
)
AUDIT, FUNCTION, SDK, ARGV, PRELOAD, SUPERVISOR, INHERITED = 1, 2, 3, 4, 5, 6, 7

HEAD = Struct("<II")
FILE = Struct("<BBBqqqqQQH")  # kind op layer at_us size mtime_ns ctime_ns ino dev len(lib)
KEY = Struct("<BI")
POINT = Struct("<BIqqd")
NO_STAT = (-1, 0, 0, 0, 0)
_DEEPEST = 64
_pack_head, _pack_file = HEAD.pack, FILE.pack
_encode: Optional[Callable[[str], str]] = None


def frame(payload: bytes) -> bytes:
    """The frame around `payload`, whose first byte is its kind."""
    return HEAD.pack(len(payload), crc32(payload)) + payload


def file_frame(
    op: int, layer: int, at: int, stat: tuple[int, int, int, int, int], lib: bytes, path: bytes
) -> bytes:
    """A file event; `stat` is (size, mtime_ns, ctime_ns, ino, dev), `NO_STAT` when there is none."""
    payload = _pack_file(KIND_FILE, op, layer, at, *stat, len(lib)) + lib + path
    return _pack_head(len(payload), crc32(payload)) + payload


def json_frame(fields: dict[str, Any]) -> bytes:
    """`fields` as one `J` frame."""
    return frame(b"J" + json(fields).encode("ascii"))


def json(value: Any, depth: int = 0) -> str:
    """`value` as JSON in ASCII, the way Python's own encoder writes it, without importing that encoder.

    Lone surrogates become `\\udcXX`, NaN and infinities their JavaScript names. Bytes are decoded as file names are;
    anything that JSON has no form for, and what is nested deeper than 64, is written as its text.
    """
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bytes):
        return _quote(fsdecode(value))
    if depth < _DEEPEST:
        if isinstance(value, dict):
            items = [_quote(_name(k)) + ":" + json(v, depth + 1) for k, v in value.items()]
            return "{" + ",".join(items) + "}"
        if isinstance(value, (list, tuple)):
            return "[" + ",".join([json(v, depth + 1) for v in value]) + "]"
    return _quote(_text(value))


def _quote(text: str) -> str:
    global _encode
    if (
        text.__class__ is str
        and text.isascii()
        and text.isprintable()
        and '"' not in text
        and "\\" not in text
    ):
        return '"' + text + '"'
    if _encode is None:
        from _json import encode_basestring_ascii

        _encode = encode_basestring_ascii  # most programs say nothing that needs it
    return _encode(text)


def _integer(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # longer than sys.get_int_max_str_digits() allows
        return _quote(hex(value))


def _float(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


def _name(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bytes):
        return fsdecode(key)
    return json(key) if key is None or isinstance(key, (bool, int, float)) else _text(key)


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return "<" + type(value).__name__ + ">"
