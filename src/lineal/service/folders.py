"""A folder recorded as one version and its files recorded by themselves explain each other.

A table is written as a folder and read file by file, or the other way round. Both name the same bytes at the same place,
so where nobody was seen writing the one that was read, it came from the other: an inferred `derived` edge, rule `folder`.
"""

from __future__ import annotations

from collections.abc import Iterable

from lineal.core import events as ev
from lineal.core.model import Edge, EdgeKind, VersionRecord
from lineal.service.operations import Scope

FOLDER = "folder"
_MOST_FILES = 10_000  # of a folder that nobody was seen writing; of a larger one the files are not looked for
_VERSIONS = 10  # newest versions of one name that are compared


def relate_folders(scope: Scope, versions: dict[int, ev.VersionState], message: int) -> None:
    """Link what a batch named, by vertex: each folder with the files in it, each file with the folders around it."""
    lookup = _Lookup(scope)
    pairs: set[tuple[int, int]] = set()
    for node, state in versions.items():
        pairs.update((folder, node) for folder in lookup.around(state))
        if state.members:
            pairs.update((node, file) for file in lookup.inside(state))
    if pairs:
        scope.store.edges.add_edges(scope.tx, _links(scope, pairs, message), recorded_at=scope.at)


class _Lookup:
    """Versions by name and the files of folders, each read once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._versions: dict[tuple[str, str], list[VersionRecord]] = {}
        self._files: dict[int, dict[str, str]] = {}

    def versions(self, namespace: str, name: str) -> list[VersionRecord]:
        """The newest versions of an artifact."""
        key = (namespace, name)
        if key not in self._versions:
            listed = self._scope.store.artifacts.list_versions(
                self._scope.tx, namespace, name, limit=_VERSIONS
            )
            self._versions[key] = [version for version in listed if version.level == ev.Level.CONTENT]
        return self._versions[key]

    def files(self, folder: int) -> dict[str, str]:
        """Digests by path below the folder."""
        if folder not in self._files:
            members = self._scope.store.artifacts.get_members(self._scope.tx, folder)
            self._files[folder] = {member.path: member.digest for member in members}
        return self._files[folder]

    def around(self, file: ev.VersionState) -> Iterable[int]:
        """Each folder above that holds the file with these bytes."""
        above, _, below = file.name.rpartition("/")
        while above:
            for folder in self.versions(file.namespace, above):
                if self.files(folder.node).get(below) == file.digest:
                    yield folder.node
            above, _, last = above.rpartition("/")
            below = f"{last}/{below}"

    def inside(self, folder: ev.VersionState) -> Iterable[int]:
        """Each of its files that was recorded by itself with these bytes."""
        for member in folder.members if len(folder.members) <= _MOST_FILES else ():
            for file in self.versions(folder.namespace, f"{folder.name}/{member.path}"):
                if file.digest == member.digest:
                    yield file.node


def _links(scope: Scope, pairs: set[tuple[int, int]], message: int) -> list[Edge]:
    """From the one that was written to the one that was read after that and never seen written."""
    nodes = sorted({node for pair in pairs for node in pair})
    written: dict[int, int] = {}
    reads: dict[int, list[int]] = {}
    for edge in scope.store.edges.get_in(scope.tx, nodes):
        if edge.kind == EdgeKind.GENERATED:
            written[edge.dst] = min(edge.at, written.get(edge.dst, edge.at))
    for edge in scope.store.edges.get_out(scope.tx, nodes):
        if edge.kind == EdgeKind.USED:
            reads.setdefault(edge.src, []).append(edge.at)
    found: list[Edge] = []
    for folder, file in sorted(pairs):
        for src, dst in ((folder, file), (file, folder)):
            after = [at for at in reads.get(dst, ()) if src in written and at >= written[src]]
            if after and dst not in written:
                found.append(
                    Edge(
                        src=src,
                        dst=dst,
                        kind=EdgeKind.DERIVED,
                        at=min(after),
                        role="file" if src == folder else "folder",
                        evidence=ev.Evidence.INFERRED,
                        rule=FOLDER,
                        batch=message,
                    )
                )
    return found
