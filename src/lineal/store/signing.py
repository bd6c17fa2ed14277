"""Bytes that clients send to a bucket and fetch from it themselves, by addresses that are signed for one of them and a time.

What is sent so arrives in parts under a number of the upload, and is kept under its digest only when all parts were read.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lineal.core.errors import NotFound
from lineal.store.blobs import Blobs, key_of
from lineal.store.receiving import Receiver

_INCOMING = "incoming"
_AZURE = ("az:", "azure:", "abfs:", "abfss:")


def signs(blobs: Blobs | None) -> bool:
    """Whether there is a bucket that clients can be sent to."""
    return blobs is not None and not blobs.folder and not blobs.place.startswith("memory:")


def part_addresses(blobs: Blobs, upload: str, count: int, *, expires_s: int) -> list[str]:
    """Where to PUT the parts of an upload, in their order. Raises Unavailable: nothing can be signed."""
    return _signed(blobs, "PUT", [_part(upload, number) for number in range(1, count + 1)], expires_s)


def part_headers(blobs: Blobs) -> dict[str, str]:
    """What must be sent with a part."""
    return {"x-ms-blob-type": "BlockBlob"} if blobs.place.startswith(_AZURE) else {}


def address(blobs: Blobs, digest: str, *, expires_s: int) -> str:
    """Where to GET kept bytes. Raises Unavailable: nothing can be signed."""
    return _signed(blobs, "GET", [key_of(digest)], expires_s)[0]


def assemble(blobs: Blobs, upload: str, count: int) -> tuple[str, int]:
    """Keep the parts of an upload as one: digest and size in bytes. The parts are gone then.

    Raises NotFound: a part did not arrive; Unavailable: the bucket cannot be reached.
    """
    import obstore

    with Receiver(blobs) as receiver:
        for number in range(1, count + 1):
            with blobs.errors():
                try:
                    found = obstore.get(blobs.opened, _part(upload, number))
                except FileNotFoundError:
                    raise NotFound(
                        f"part {number} of upload {upload} did not arrive",
                        hint="send it again, then complete",
                    ) from None
                for piece in found.stream(min_chunk_size=8 << 20):
                    receiver.write(bytes(piece))
        kept = receiver.keep()
    forget(blobs, upload, count)
    return kept


def forget(blobs: Blobs, upload: str, count: int) -> None:
    """Delete the parts of an upload."""
    import obstore

    with blobs.errors():
        for number in range(1, count + 1):
            try:
                obstore.delete(blobs.opened, _part(upload, number))
            except FileNotFoundError:
                continue


def _part(upload: str, number: int) -> str:
    return f"{_INCOMING}/{upload}/{number:05d}"


def _signed(blobs: Blobs, method: Any, keys: list[str], expires_s: int) -> list[str]:
    import obstore

    with blobs.errors():
        store: Any = blobs.opened
        return list(obstore.sign(store, method, keys, timedelta(seconds=expires_s)))
