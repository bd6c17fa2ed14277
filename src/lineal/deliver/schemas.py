"""Schema facets of data files, remembered by content digest for as long as this process delivers."""

from __future__ import annotations

import msgspec

from lineal.deliver.columns import readable, schema_of
from lineal.deliver.fingerprint import Fingerprint
from lineal.deliver.profiles import Profiles

MOST_FILES = (
    64  # data files of one delivery whose columns are read: a folder of thousands is data, not tables
)


class Schemas:
    """Reads each content's columns once. `known`: digests whose schema the record holds already."""

    def __init__(self, profiles: Profiles | None = None) -> None:
        self._profiles = profiles
        self._read: dict[str, msgspec.Raw | None] = {}
        self.known: set[str] = set()

    def of(self, path: bytes, content: Fingerprint) -> msgspec.Raw | None:
        """The facet `lineal.schema/1` of the content, None when it is no readable table or is recorded already."""
        digest = content.sha256
        if digest is None or digest in self.known or not readable(path, content.size):
            return None
        if digest not in self._read:
            if len(self._read) >= MOST_FILES:
                return None
            found = schema_of(path)
            self._read[digest] = msgspec.Raw(msgspec.json.encode(found)) if found else None
        return self._read[digest]

    def close(self) -> None:
        """End what works on profiles."""
        if self._profiles is not None:
            self._profiles.close()

    def profile(self, path: bytes, content: Fingerprint) -> msgspec.Raw | None:
        """The facet `lineal.profile/1` of the content that the path holds now; None when it is no table."""
        return self._profiles.of(path, content) if self._profiles is not None else None
