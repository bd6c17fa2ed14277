"""What stands at a run's paths: its content, as it was read or was left, and the version that this is."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from lineal.core import events as ev
from lineal.deliver import kinds, parquet_folder
from lineal.deliver.access import Access
from lineal.deliver.fingerprint import Fingerprint, Fingerprints
from lineal.deliver.remotes import stand_in
from lineal.deliver.schemas import Schemas
from lineal.resolve.content import Stat, stat_of
from lineal.resolve.location import file_uri
from lineal.resolve.project import Project, artifact_name

_AFTERWARDS_US = 50_000  # a file changed later than this after its run ended was changed by somebody else


class Place:
    """One path in the run's story."""

    __slots__ = (
        "before", "directory", "hashes", "look_at", "model", "name", "reads", "told", "told_at", "written",
    )  # fmt: skip

    def __init__(self) -> None:
        self.reads: dict[Stat | None, Access] = {}
        self.written: Access | None = None
        self.before: Stat | None = None  # the state in which the run first met it
        self.hashes: dict[Stat, tuple[str | None, str]] | None = None
        self.directory = False
        self.model: dict[str, Any] | None = None
        self.name = ""
        self.told: Stat | None = None  # the state in which it was told to be an output, and when
        self.told_at = self.look_at = 0


class Contents:
    """What stands, or stood, at the paths of a run, and the versions of it.

    Args:
        project: whose root names files; fingerprints: where digests come from; schemas: where columns come from.
    """

    def __init__(self, run: str, project: Project, fingerprints: Fingerprints, schemas: Schemas) -> None:
        self._run = run
        self._project = project
        self._fingerprints = fingerprints
        self._schemas = schemas
        self.went: dict[bytes, bytes] = {}  # renamed from -> to

    def read(self, path: bytes, place: Place, stat: Stat | None) -> Fingerprint:
        """The content that the run read at the path, then in the state `stat`."""
        if place.directory and os.path.isdir(path):
            return self._fingerprints.take_directory(path)
        if place.directory and os.path.isdir(there := self.went.get(path, b"")):
            return self._fingerprints.take_directory(there)
        if stat is not None and place.hashes and stat in place.hashes:
            digest, reason = place.hashes[stat]
            level = ev.Level.CONTENT if digest else ev.Level.NONE
            return Fingerprint(
                sha256=digest, size=stat.size, level=level, reason=reason, changed=digest is None
            )
        found = self._fingerprints.take(path, stat)
        if found.sha256 is None and stat is not None and (now := self._renamed(path, stat)):
            return self._fingerprints.take(now, None)
        return found

    def written(
        self, path: bytes, place: Place, ended_at: int | None
    ) -> tuple[Fingerprint, Stat | None] | None:
        """The content the run left at the path, and its stat; None when nothing is there any more."""
        if place.directory and os.path.isdir(path):
            return self._fingerprints.take_directory(path), None
        stat = stat_of(path)
        if stat is None:
            return None
        if (
            ended_at
            and stat.mtime_ns // 1000 > ended_at + _AFTERWARDS_US
            and stat.ctime_ns // 1000 > ended_at
        ):
            reason = "changed after the run ended, before it was hashed"
            return Fingerprint(sha256=None, size=None, level=ev.Level.NONE, reason=reason, changed=True), None
        return self._fingerprints.take(path, stat), stat

    def _renamed(self, path: bytes, stat: Stat) -> bytes | None:
        """Where the very file that was at the path is now, unchanged (a rename changes only its ctime)."""
        now = self.went.get(path)
        there = stat_of(now) if now is not None else None
        same = there is not None and there._replace(ctime_ns=stat.ctime_ns) == stat
        return now if same else None

    def version(self, path: bytes, place: Place, content: Fingerprint, stat: Stat | None) -> ev.VersionState:
        """The version of a content at a path."""
        namespace, name = artifact_name(self._project, path)
        facets: dict[str, msgspec.Raw] = {}
        if place.model:
            facets["lineal.model/1"] = msgspec.Raw(msgspec.json.encode(place.model))
        if parquet_folder.parts(content.members) and self._all_still_there(path, content):
            if profile := self._schemas.profile(path, content):
                facets["lineal.profile/1"] = profile
        elif content.sha256 and self._still_there(path, content):
            if schema := self._schemas.of(path, content):
                facets["lineal.schema/1"] = schema
            if profile := self._schemas.profile(path, content):
                facets["lineal.profile/1"] = profile
        if content.changed:
            facets["lineal.file/1"] = msgspec.Raw(b'{"changed":true}')
        if content.sha256:
            digest = f"sha256:{content.sha256}"
            references = [ev.Reference(scheme="sha256", value=content.sha256)]
        else:
            digest = stand_in(path, stat, self._run)
            references = []
        return ev.VersionState(
            namespace=namespace,
            name=name,
            kind="model" if place.model else kinds.kind_of(path, written=place.written is not None),
            digest=digest,
            level=content.level,
            reason=content.reason,
            size=content.size,
            location=file_uri(path),
            references=references,
            members=content.members,
            facets=facets,
        )

    def _still_there(self, path: bytes, content: Fingerprint) -> bool:
        """Whether the path holds that very content now, so that it can be looked into."""
        stat = stat_of(path)
        return stat is not None and self._fingerprints.known(path, stat) == content.sha256

    def _all_still_there(self, folder: bytes, content: Fingerprint) -> bool:
        """The same of a folder and each of its files."""
        for member in content.members:
            path = os.path.join(folder, os.fsencode(member.path))
            stat = stat_of(path)
            if stat is None or f"sha256:{self._fingerprints.known(path, stat)}" != member.digest:
                return False
        return True
