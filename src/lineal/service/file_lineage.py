"""From which files a file was made, and what was made from it: within data sets of many files, and through what Pachyderm calls datums.

Where a report says which files went into which (a datum of Pachyderm), that is the answer, and exact. Else a run is one step: everything it read may
have gone into everything it wrote, unless it read one file only or left the file as it found it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from lineal.core.errors import Invalid, NotFound
from lineal.core.model import Edge, EdgeKind, VersionRecord
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.show import facet_of

_FILES, _JOB = "pachyderm.files/1", "pachyderm.job/1"
_GOVERNS = frozenset({"environment", "code"})


class FilesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a version; path: of a file in it, empty where the version is one file. down: what was made from it rather than from what it was
    made. limit: most files listed of each run, 1 to 10,000."""

    ref: str
    path: str = ""
    down: bool = False
    limit: int = 100


class FileAt(msgspec.Struct, frozen=True, kw_only=True):
    """A file. version: the version it lies in; path: in it, empty where the version is the file; digest: of its bytes, or its store's own hash."""

    version: str
    path: str = ""
    digest: str = ""


class FilesOf(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did with the file. exact: these files and no others; else any of them may have gone in. rule: how that is known (`datum`, `only`,
    `unchanged`, `run`, `folder`); datum: Pachyderm's id; run: empty where no run stands between; total: how many there are."""

    run: str
    job: str
    exact: bool
    rule: str
    files: list[FileAt]
    total: int
    datum: str = ""


class FilesReply(msgspec.Struct, frozen=True, kw_only=True):
    """The file, and by run the files on the other side."""

    file: FileAt
    down: bool
    runs: list[FilesOf]


@operation(
    "files",
    permission="record:read",
    path="/files",
    summary="From which files a file was made, or which from it",
)
def files(scope: Scope, request: FilesRequest) -> FilesReply:
    """The files that went into a file of a version, or, down, those that were made from it.

    Raises NotFound: the version has no such file. Invalid: the limit is out of range, or the version holds several files and none is named.
    """
    if not 1 <= request.limit <= 10_000:
        raise Invalid(f"a limit of {request.limit}", hint="1 to 10000")
    version = references.find_version(scope, request.ref)
    asked = _Asked(scope, version, request.path.strip("/"), request.limit)
    found = list(asked.down() if request.down else asked.up())
    return FilesReply(file=asked.at(), down=request.down, runs=found)


class _Asked:
    def __init__(self, scope: Scope, version: VersionRecord, path: str, limit: int) -> None:
        self._scope, self._version, self._path, self._limit = scope, version, path, limit
        self._entries = [entry for entry in self._listed(version) if entry["path"].strip("/") == path]
        if not self._entries and (path or self._listed(version)):
            name = references.version_ref(scope, version)
            if not path:
                raise Invalid(f"{name} holds {len(self._listed(version)):,} files", hint="name one of them")
            raise NotFound(
                f"{name} has no file {path!r}", hint=f"`lineal show {name}` lists its files", path=path
            )

    def at(self) -> FileAt:
        digest = self._entries[0]["digest"] if self._entries else self._version.digest
        return FileAt(
            version=references.version_ref(self._scope, self._version),
            path=self._path,
            digest=str(digest or ""),
        )

    # --- both ways ---------------------------------------------------------------------------------------------------

    def up(self) -> Iterator[FilesOf]:
        tx, edges = self._scope.tx, self._scope.store.edges
        for edge in edges.get_in(tx, [self._version.node]):
            if edge.kind == EdgeKind.DERIVED:
                yield from self._derived(edge, edge.src)
            if edge.kind != EdgeKind.GENERATED:
                continue
            written = {entry["datum"] for entry in self._entries if entry.get("datum")}
            by_datum = [d for d in self._datums(edge.src) if d["id"] in written]
            if by_datum:
                yield from (
                    self._by_datum(edge.src, datum, self._named(datum["inputs"])) for datum in by_datum
                )
                continue
            used = [
                e.src
                for e in edges.get_in(tx, [edge.src])
                if e.kind == EdgeKind.USED and e.role not in _GOVERNS
            ]
            versions = self._scope.store.artifacts.get_versions(tx, sorted(set(used)))
            yield self._unchanged(edge.src, versions) or self._whole(edge.src, versions)

    def down(self) -> Iterator[FilesOf]:
        tx, edges = self._scope.tx, self._scope.store.edges
        names = self._keys()
        for edge in edges.get_out(tx, [self._version.node]):
            if edge.kind == EdgeKind.DERIVED:
                yield from self._derived(edge, edge.dst)
            if edge.kind != EdgeKind.USED:
                continue
            made = [e.dst for e in edges.get_out(tx, [edge.dst]) if e.kind == EdgeKind.GENERATED]
            versions = self._scope.store.artifacts.get_versions(tx, sorted(set(made)))
            datums = self._datums(edge.dst)
            if not datums:
                yield self._whole(edge.dst, versions)
            for datum in datums:
                if names.intersection(datum["inputs"]):
                    yield self._by_datum(edge.dst, datum, self._written(versions, datum["id"]))

    # --- how it is known ---------------------------------------------------------------------------------------------

    def _by_datum(self, run: int, datum: dict[str, Any], found: list[FileAt]) -> FilesOf:
        return self._told(run, "datum", found, exact=True, datum=datum["id"])

    def _unchanged(self, run: int, versions: dict[int, VersionRecord]) -> FilesOf | None:
        """The file as the run found it in the version before."""
        digest = self.at().digest
        for version in versions.values():
            if (version.artifact == self._version.artifact) and digest:
                for entry in self._listed(version):
                    if (entry["path"].strip("/"), entry["digest"]) == (self._path, digest):
                        return self._told(run, "unchanged", [self._file(version, entry)], exact=True)
        return None

    def _whole(self, run: int, versions: dict[int, VersionRecord]) -> FilesOf:
        found = [file for version in versions.values() for file in self._all(version)]
        return self._told(run, "only" if len(found) == 1 else "run", found, exact=len(found) == 1)

    def _derived(self, edge: Edge, other: int) -> Iterator[FilesOf]:
        """The folder that holds the same file, or the file by itself."""
        version = self._scope.store.artifacts.get_versions(self._scope.tx, [other])[other]
        digest = self.at().digest
        for file in self._all(version):
            if digest and file.digest == digest:
                yield FilesOf(run="", job="", exact=True, rule=edge.rule or "derived", files=[file], total=1)
                return

    def _told(self, run: int, rule: str, found: list[FileAt], *, exact: bool, datum: str = "") -> FilesOf:
        record = self._scope.store.runs.get_runs(self._scope.tx, [run])[run]
        return FilesOf(
            run=record.run_id,
            job=record.job,
            exact=exact,
            rule=rule,
            files=found[: self._limit],
            total=len(found),
            datum=datum,
        )

    # --- files -------------------------------------------------------------------------------------------------------

    def _listed(self, version: VersionRecord) -> list[dict[str, str]]:
        """The files that a version is known to hold: path, digest, and the datum that wrote each."""
        told = facet_of(self._scope, version.node, _FILES)
        if told is not None:
            return [
                {"path": f["path"], "digest": f.get("hash", ""), "datum": f.get("datum", "")}
                for f in told.get("files", [])
            ]
        members = self._scope.store.artifacts.get_members(self._scope.tx, version.node)
        return [{"path": member.path, "digest": member.digest} for member in members]

    def _all(self, version: VersionRecord) -> Iterator[FileAt]:
        listed = self._listed(version)
        yield from (self._file(version, entry) for entry in listed)
        if not listed:
            yield FileAt(version=references.version_ref(self._scope, version), digest=version.digest or "")

    def _file(self, version: VersionRecord, entry: dict[str, str]) -> FileAt:
        return FileAt(
            version=references.version_ref(self._scope, version),
            path=entry["path"].strip("/"),
            digest=entry["digest"],
        )

    # --- datums ------------------------------------------------------------------------------------------------------

    def _datums(self, run: int) -> list[dict[str, Any]]:
        job = facet_of(self._scope, run, _JOB) or {}
        return [{"inputs": [], **datum} for datum in job.get("datums", [])]

    def _keys(self) -> set[str]:
        """The file as Pachyderm names it: `PROJECT/REPO@COMMIT:/PATH`."""
        known = self._scope.store.artifacts.get_references(self._scope.tx, [self._version.node])
        return {
            f"{reference.value}:/{self._path}"
            for reference in known.get(self._version.node, ())
            if reference.scheme == "pach"
        }

    def _named(self, inputs: list[str]) -> list[FileAt]:
        found = []
        for name in inputs:
            commit, _, path = name.partition(":")
            try:
                version = references.find_version(self._scope, f"pach:{commit}")
            except (NotFound, Invalid):
                found.append(FileAt(version=f"pach:{commit}", path=path.strip("/")))
                continue
            digest = next((e["digest"] for e in self._listed(version) if e["path"] == path), "")
            name = references.version_ref(self._scope, version)
            found.append(FileAt(version=name, path=path.strip("/"), digest=digest))
        return found

    def _written(self, versions: dict[int, VersionRecord], datum: str) -> list[FileAt]:
        return [
            self._file(version, entry)
            for version in versions.values()
            for entry in self._listed(version)
            if entry.get("datum") == datum
        ]
