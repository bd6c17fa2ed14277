"""Bytes that arrive piece by piece: hashed while they are received, and kept only when they are whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from types import TracebackType
from typing import Self

from lineal.store.blobs import Blobs, key_of

_FOLDER = "incoming"


class Receiver:
    """Takes bytes for a store. What was not `keep`t is gone when it is closed, or when the process ends.

    Use as a context manager, from one thread at a time (but see `settle`).
    """

    def __init__(self, blobs: Blobs) -> None:
        """Raises Unavailable: there is no room for what arrives."""
        self._blobs = blobs
        self._seen = hashlib.sha256()
        self._size = 0
        self._name = ""
        with blobs.errors():
            self._file = self._open()

    def write(self, piece: bytes) -> None:
        """Take the next bytes. Raises Unavailable: they cannot be written down."""
        self._seen.update(piece)
        with self._blobs.errors():
            left = memoryview(piece)
            while left:
                written = os.write(self._file, left)
                left = left[written:]
        self._size += len(piece)

    def settle(self) -> None:
        """Bring what was written until now to the disk, while another thread may write on: so that little is left to wait
        for when it is kept. Raises Unavailable: that failed."""
        if self._blobs.folder:
            with self._blobs.errors():
                os.fdatasync(self._file)

    @property
    def digest(self) -> str:
        """The digest of what was received until now."""
        return "sha256:" + self._seen.hexdigest()

    def keep(self) -> tuple[str, int]:
        """Keep what was received: its digest, and its size in bytes. It is on disk then.

        Raises Unavailable: it cannot be kept.
        """
        digest = self.digest
        if not self._blobs.folder:
            self._blobs.put_file(f"/proc/self/fd/{self._file}" if not self._name else self._name)
            return digest, self._size
        target = os.path.join(self._blobs.folder, key_of(digest))
        with self._blobs.errors():
            os.fsync(self._file)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with contextlib.suppress(FileExistsError):  # the same bytes are kept already
                if self._name:
                    os.link(self._name, target)
                else:
                    # Only with a folder's descriptor does Python follow the link in /proc; an absolute path ignores it.
                    os.link(f"/proc/self/fd/{self._file}", target, src_dir_fd=self._file)
            self._blobs.sync(digest)
        return digest, self._size

    def close(self) -> None:
        """Give the room back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._name:
            with contextlib.suppress(OSError):
                os.unlink(self._name)
            self._name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> int:
        """A file without a name, which vanishes with the process, where the system knows such; else one with a name."""
        folder = os.path.join(self._blobs.folder, _FOLDER) if self._blobs.folder else tempfile.gettempdir()
        os.makedirs(folder, exist_ok=True)
        if hasattr(os, "O_TMPFILE"):
            with contextlib.suppress(OSError):
                return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o644)
        file, self._name = tempfile.mkstemp(prefix="part-", dir=folder)
        return file
