"""Bytes kept whole under the SHA-256 of their content: `sha256/ab/<the other 62 digits>`, in a folder or a bucket.

An object is written once and never changed; it is hashed while it is written and again while it is read.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lineal.core.errors import Invalid, LinealError, NotFound, Unavailable
from lineal.core.ids import is_hex

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore

_PREFIX = "sha256/"
_METADATA = (
    "169.254.169.254"  # where a machine of a cloud would be asked for credentials, when none were given
)
_PIECE = 8 << 20  # bytes sent to a bucket, or asked of it, at a time
_READ = 1 << 20  # bytes of a local file read at a time: they stay in the processor's cache
_SCHEMES = ("s3", "gs", "gcs", "az", "azure", "abfs", "abfss", "memory")


class _ChangedError(Exception):
    """The file is no longer what was hashed."""


class Blobs:
    """Kept bytes at a folder, `s3://`, `gs://`, `az://` or `memory:`. Nothing is opened before the first use."""

    def __init__(self, place: str) -> None:
        """Raises Invalid: the address is of no known kind."""
        scheme = place.partition(":")[0] if ":" in place and not os.path.isabs(place) else ""
        if scheme == "file":
            place, scheme = place.removeprefix("file://"), ""
        if scheme and scheme not in _SCHEMES:
            raise Invalid(
                f"{scheme}: is no place for bytes",
                hint="give a folder, s3://BUCKET, gs://BUCKET or az://CONTAINER",
            )
        self.place = place if scheme else os.path.abspath(place)
        self._local = not scheme
        self._opened: ObjectStore | None = None

    def put(self, content: bytes) -> str:
        """Keep bytes; their digest, `sha256:` and 64 hex digits. Bytes that are kept already are left as they are."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        with self.errors():
            import obstore

            try:
                obstore.put(self.opened, key_of(digest), content, mode="create", use_multipart=False)
            except obstore.exceptions.AlreadyExistsError:
                return digest
            self.sync(digest)
        return digest

    def put_file(self, path: str) -> str:
        """Keep a file's bytes, read piece by piece; their digest as `put`.

        Raises Unavailable: the file cannot be read, or it was changed between the two times it is read.
        """
        digest = _digest_of(path)
        if self.has(digest):
            return digest
        with self.errors():
            import obstore

            try:
                obstore.put(
                    self.opened, key_of(digest), _pieces(path, digest), use_multipart=True, chunk_size=_PIECE
                )
            except _ChangedError:
                raise Unavailable(
                    f"{path} was changed while it was read; nothing was kept",
                    hint="repeat when nothing writes it",
                ) from None
            self.sync(digest)
        return digest

    def has(self, digest: str) -> bool:
        """Whether these bytes are kept. Raises Invalid: that is no digest."""
        with self.errors():
            import obstore

            try:
                obstore.head(self.opened, key_of(digest))
            except FileNotFoundError:
                return False
            return True

    def get(self, digest: str) -> bytes:
        """The bytes with this digest, verified. Raises as `stream`."""
        return b"".join(self.stream(digest))

    @property
    def folder(self) -> str:
        """The folder that the bytes are in, empty when they are in a bucket."""
        return self.place if self._local else ""

    def stream(self, digest: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes with this digest, piece by piece, hashed as they pass; or those from `start` until before `end`.

        Raises:
            NotFound: they are not kept.
            Unavailable: what is kept has another digest (after the last piece, and only when all of it passed), or cannot
                be read.
            Invalid: that is no digest.
        """
        key = key_of(digest)
        seen = hashlib.sha256()
        whole = not start and end is None
        with self.errors():
            try:
                for piece in self._pieces(key, start, end):
                    if whole:
                        seen.update(piece)
                    yield piece
            except FileNotFoundError:
                raise NotFound(
                    f"no bytes with digest {digest} are kept", hint="they may have been deleted"
                ) from None
        if whole and "sha256:" + seen.hexdigest() != digest:
            raise Unavailable(
                f"the bytes kept as {digest} are damaged: they have digest sha256:{seen.hexdigest()}",
                hint="`lineal fsck` lists what is damaged; restore a copy",
            )

    def _pieces(self, key: str, start: int, end: int | None) -> Iterator[bytes]:
        """The bytes of an object. Raises FileNotFoundError."""
        if self._local:
            yield from _read(os.path.join(self.place, key), start, end)
            return
        import obstore

        part: GetOptions | None = None
        if start or end is not None:
            part = {"range": {"offset": start} if end is None else (start, end)}
        for piece in obstore.get(self.opened, key, options=part).stream(min_chunk_size=_PIECE):
            yield bytes(piece)

    def delete(self, digest: str) -> None:
        """Forget these bytes; nothing happens when they are not kept."""
        with self.errors():
            import obstore

            try:
                obstore.delete(self.opened, key_of(digest))
            except FileNotFoundError:
                return

    def check(self) -> tuple[list[str], int]:
        """Read everything kept again: one sentence per object that is damaged or does not belong here, and how many
        objects there are."""
        problems: list[str] = []
        count = 0
        for key, _ in self._objects():
            count += 1
            digest = _digest_named(key)
            if digest is None:
                problems.append(f"{key} is not named by a digest: it does not belong here")
                continue
            try:
                for _ in self.stream(digest):
                    pass
            except LinealError as error:
                problems.append(error.message)
        return problems, count

    @property
    def opened(self) -> ObjectStore:
        """The folder or bucket, opened at the first use."""
        if self._opened is None:
            from obstore.store import LocalStore, MemoryStore, from_url

            if self._local:
                self._opened = LocalStore(self.place, mkdir=True)
            elif self.place.startswith("memory:"):
                self._opened = MemoryStore()
            else:
                self._opened = from_url(self.place)
        return self._opened

    def _objects(self) -> Iterator[tuple[str, int]]:
        if self._local and not os.path.isdir(self.place):
            return
        with self.errors():
            import obstore

            for page in obstore.list(self.opened, _PREFIX):
                for item in page:
                    yield item["path"], item["size"]

    def sync(self, digest: str) -> None:
        """Bring a local object and its name to the disk; a bucket has answered only after that."""
        if not self._local:
            return
        path = os.path.join(self.place, key_of(digest))
        for name, flags in ((path, os.O_RDONLY), (os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)):
            handle = os.open(name, flags)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What goes wrong with files or buckets inside the block is raised as Unavailable."""
        try:
            yield
        except (LinealError, GeneratorExit):
            raise
        except Exception as error:
            if not isinstance(error, OSError) and not _is_obstore(error):
                raise
            found = str(error).split("\n", 1)[0]
            if _METADATA in found:
                raise Unavailable(
                    f"the bytes at {self.place} cannot be reached: no credentials for them were given",
                    hint="set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (or the like of the provider)",
                ) from error
            raise Unavailable(
                f"the bytes at {self.place} cannot be reached: {found}",
                hint="check the address, the permissions and the space left",
            ) from error

    def list(self) -> Iterator[tuple[str, int]]:
        """Digest and size in bytes of everything kept."""
        for key, size in self._objects():
            if (digest := _digest_named(key)) is not None:
                yield digest, size


def _is_obstore(error: Exception) -> bool:
    from obstore.exceptions import BaseError

    return isinstance(error, BaseError)


def key_of(digest: str) -> str:
    """Where bytes with this digest are kept. Raises Invalid: that is no digest."""
    hexes = digest.removeprefix("sha256:")
    if not digest.startswith("sha256:") or len(hexes) != 64 or not is_hex(hexes):
        raise Invalid(
            f"{digest[:100]!r} is no digest of bytes", hint="give `sha256:` and 64 lower-case hex digits"
        )
    return f"{_PREFIX}{hexes[:2]}/{hexes[2:]}"


def _digest_named(key: str) -> str | None:
    parts = key.split("/")
    hexes = "".join(parts[1:])
    named = len(parts) == 3 and len(parts[1]) == 2 and len(hexes) == 64 and is_hex(hexes)
    return "sha256:" + hexes if named else None


def _digest_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", hint="check that it exists and may be read"
        ) from error


def _read(path: str, start: int, end: int | None) -> Iterator[bytes]:
    """The bytes of a file from `start` until before `end`."""
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        left = sys.maxsize if end is None else end - start
        while left > 0 and (piece := file.read(min(_READ, left))):
            left -= len(piece)
            yield piece


def _pieces(path: str, digest: str) -> Iterator[Any]:
    """A file's bytes; raises instead of ending when they are not what was hashed, which aborts the upload."""
    seen = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            seen.update(piece)
            yield piece
    if "sha256:" + seen.hexdigest() != digest:
        raise _ChangedError
