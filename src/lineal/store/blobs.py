"""Bytes kept by their digest: whole objects `sha256/ab/<rest>`, in a folder or an object store, verified when read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

from lineal.core.errors import Invalid, NotFound, Unavailable
from lineal.core.ids import is_hex

CHUNK = 1 << 20


class Blobs:
    """Kept bytes at a folder or an object store's URL (`s3://`, `gs://`, `az://`, `memory://`). Opened at first use."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: Any = None

    @property
    def _store(self) -> Any:
        if self._opened is None:
            from obstore.store import LocalStore, MemoryStore, from_url

            try:
                if "://" not in self.url:
                    self._opened = LocalStore(os.path.abspath(self.url), mkdir=True)
                elif self.url.startswith("memory://"):
                    self._opened = MemoryStore()
                else:
                    self._opened = from_url(self.url)
            except Exception as error:  # the library raises one class per backend and cause
                raise _unavailable(self.url, error) from error
        return self._opened

    def put(self, data: bytes) -> str:
        """Keep the bytes; gives back `sha256:...`. Kept already: nothing is written. Raises Unavailable."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        digest = hashlib.sha256(data).hexdigest()
        try:
            obstore.put(self._store, _path(digest), data, mode="create")
        except AlreadyExistsError:
            pass
        except Exception as error:
            raise _unavailable(self.url, error) from error
        return f"sha256:{digest}"

    def has(self, digest: str) -> bool:
        """Whether the bytes of `sha256:...` are kept."""
        import obstore

        try:
            obstore.head(self._store, _path(_hex(digest)))
        except FileNotFoundError:
            return False
        except Exception as error:
            raise _unavailable(self.url, error) from error
        return True

    def get(self, digest: str) -> bytes:
        """The bytes of `sha256:...`, verified. Raises NotFound (not kept), Unavailable (damaged, or no answer)."""
        return b"".join(self.stream(digest))

    def stream(self, digest: str) -> Iterator[bytes]:
        """The bytes in pieces; raises Unavailable after the last piece when they were not the ones asked for."""
        import obstore

        wanted = _hex(digest)
        try:
            found = obstore.get(self._store, _path(wanted))
        except FileNotFoundError as error:
            raise NotFound(
                f"the bytes of {digest} are not kept", hint="they may have been deleted"
            ) from error
        except Exception as error:
            raise _unavailable(self.url, error) from error
        seen = hashlib.sha256()
        for piece in found.stream(min_chunk_size=CHUNK):
            part = bytes(piece)
            seen.update(part)
            yield part
        if seen.hexdigest() != wanted:
            raise Unavailable(
                f"the kept bytes of {digest} are damaged: they have the digest sha256:{seen.hexdigest()}",
                hint="restore them from a copy; `lineal fsck` lists all damaged objects",
            )

    def delete(self, digest: str) -> None:
        """Remove the bytes; nothing happens when they are not kept."""
        import obstore

        try:
            obstore.delete(self._store, _path(_hex(digest)))
        except FileNotFoundError:
            return
        except Exception as error:
            raise _unavailable(self.url, error) from error

    def list_digests(self) -> Iterator[str]:
        """Every kept object's `sha256:...`."""
        import obstore

        for page in obstore.list(self._store, prefix="sha256"):
            for entry in page:
                found = "".join(str(entry["path"]).split("/")[1:])
                if len(found) == 64 and is_hex(found):
                    yield f"sha256:{found}"

    def check(self) -> tuple[list[str], int]:
        """(what is damaged, one sentence each; how many objects were read)."""
        problems: list[str] = []
        count = 0
        for digest in self.list_digests():
            count += 1
            try:
                for _ in self.stream(digest):
                    pass
            except (NotFound, Unavailable) as error:
                problems.append(error.message)
        return problems, count


def _path(digest: str) -> str:
    return f"sha256/{digest[:2]}/{digest[2:]}"


def _hex(digest: str) -> str:
    found = digest.removeprefix("sha256:")
    if len(found) != 64 or not is_hex(found):
        raise Invalid(f"{digest!r} is not a digest", hint="write sha256: and 64 hex digits")
    return found


def _unavailable(url: str, error: Exception) -> Unavailable:
    return Unavailable(
        f"the kept bytes at {url} cannot be reached: {error}",
        hint="check the folder's or bucket's rights and space",
    )
