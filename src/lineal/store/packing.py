"""Compression: making a compressor costs more than most of what it is used for, so each thread keeps its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zstandard

_LEVEL = 3
_own = threading.local()


def pack(body: bytes, *, checked: bool = False) -> bytes:
    """Bytes compressed by zstd; `checked`: with a checksum of what was compressed."""
    name = "checked" if checked else "plain"
    made: zstandard.ZstdCompressor | None = getattr(_own, name, None)
    if made is None:
        import zstandard  # costs start-up time, and most commands pack nothing

        made = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=checked)
        setattr(_own, name, made)
    return made.compress(body)


def unpack(body: bytes) -> bytes:
    """What `pack` was given. Raises zstandard.ZstdError: the bytes are damaged."""
    made: zstandard.ZstdDecompressor | None = getattr(_own, "unpacking", None)
    if made is None:
        import zstandard

        made = _own.unpacking = zstandard.ZstdDecompressor()
    return made.decompress(body)
