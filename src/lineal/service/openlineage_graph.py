"""What stories say of datasets, written into the graph: versions, edges, and which write each read found.

Every run's edges and moments are compared with those made of it before. A write that comes up, or moves, or goes, may change
what others read: their stories are taken up again too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from lineal.core import openlineage as ol
from lineal.core import openlineage_story as tales
from lineal.core.events import Evidence, Level
from lineal.core.meeting import components
from lineal.core.model import Edge, EdgeKind
from lineal.core.openlineage import DOOR, Name, Seen
from lineal.core.openlineage_story import DatasetStory, Outcome, Read, Story, Write
from lineal.service import facets, meeting
from lineal.service.openlineage_tags import TAGS, settle_tags, tag_new, tag_versions
from lineal.service.operations import Scope
from lineal.store.many import ManyVersion
from lineal.store.moments import DatasetWrite

_DATASET = "dataset"
_READ, _WRITE = 0, 1
_KINDS = {int(kind): kind for kind in EdgeKind}
_REASONS = {
    "run": "the run that wrote it gave it no version",
    "any": "read without a version, and nobody was seen writing it before",
}
_story = msgspec.msgpack.Decoder(Story).decode
_dataset = msgspec.msgpack.Decoder(DatasetStory).decode
_encode = msgspec.msgpack.Encoder().encode

EdgeKey = tuple[int, int, str, str, str, int]  # kind, version, role, rule, evidence, time


@dataclass(slots=True)
class Teller:
    """A run with its story. fresh: its vertex was made in this pass."""

    node: int
    story: Story
    outcome: Outcome
    fresh: bool = False
    written: dict[Name, int] = field(default_factory=dict)


def settle(
    scope: Scope, tellers: list[Teller], seen: list[tuple[str, int, Seen, bool]], message: int
) -> None:
    """Bring the graph up to date with the stories, and the facets of datasets with what was `seen`.

    seen: run id, time, dataset, whether it was written; without a run for what was said of a dataset as such.
    """
    _Settling(scope, tellers, seen, message).settle()


def rearrange(scope: Scope, artifacts: Sequence[int]) -> None:
    """Work out anew which names are one dataset, after names were joined or split by hand, and what was read of each."""
    _Settling(scope, [], [], 0).rearrange(artifacts)


class _Settling:
    def __init__(
        self, scope: Scope, tellers: list[Teller], seen: list[tuple[str, int, Seen, bool]], message: int
    ) -> None:
        self._scope = scope
        self._tellers = {teller.node: teller for teller in tellers}
        self._seen = seen
        self._message = message
        self._artifacts: dict[Name, int] = {}
        self._series: dict[int, int] = {}
        self._versions: dict[tuple[int, str], int] = {}
        self._fresh: set[int] = set()
        self._moved: dict[int, int] = {}

    def settle(self) -> None:
        self._name_artifacts(self._tellers.values())
        touched = self._join_symlinks()
        first = list(self._tellers.values())
        self._add_versions(self._needed(first))
        touched |= self._move(first)
        self._follow(touched - set(self._tellers), first)
        self._keep_facets()

    def _follow(self, touched: set[int], first: list[Teller]) -> None:
        """Link the runs that were told of, and those that they touched."""
        others = self._take_up(touched)
        self._name_artifacts(others)
        self._find_versions(self._needed(others))
        self._link([*first, *others])
        kept = {teller.node: _encode(teller.story) for teller in others}
        self._scope.store.stories.put_stories(self._scope.tx, kept)

    def rearrange(self, artifacts: Sequence[int]) -> None:
        store, tx = self._scope.store, self._scope.tx
        known = store.moments.get_series(tx, artifacts)
        before = sorted({known.get(artifact, artifact) for artifact in artifacts})
        members = sorted(
            {*artifacts, *(m for series in before for m in store.moments.get_members(tx, series))}
        )
        touched = store.moments.clear_series(tx, before)
        standing = [e for e in store.name_joins.list_name_joins(tx, members) if not e.apart]
        self._series = components({(entry.a, entry.b) for entry in standing})
        store.moments.put_series(tx, self._series)
        reads: list[tuple[int, int, int]] = []
        writes: list[DatasetWrite] = []
        for teller in self._take_up(touched):
            for kind, artifact, at, node in teller.story.moments:
                if artifact not in members:
                    continue
                if kind == _READ:
                    reads.append((self._series_of(artifact), at, teller.node))
                else:
                    tie = _tie(teller.story.run)
                    writes.append(DatasetWrite(self._series_of(artifact), at, tie, node, teller.node))
        store.moments.add_reads(tx, reads)
        store.moments.add_writes(tx, writes)
        self._follow(touched, [])

    # ---- names and versions --------------------------------------------------------------------------------------------

    def _name_artifacts(self, tellers: Iterable[Teller]) -> None:
        names = {part.name for t in tellers for side in (t.outcome.reads, t.outcome.writes) for part in side}
        names |= {
            name for _, _, seen, _ in self._seen for name in (seen.name, *seen.symlinks, *seen.declared)
        }
        missing = names - set(self._artifacts)
        found = self._scope.store.many.add_artifacts(
            self._scope.tx,
            [(name.namespace, name.name) for name in missing],
            kind=_DATASET,
            at=self._scope.at,
        )
        made = {Name(*key): artifact for key, artifact in found.items()}
        self._artifacts |= made
        self._series |= self._scope.store.moments.get_series(self._scope.tx, list(made.values()))

    def _series_of(self, artifact: int) -> int:
        return self._series.get(artifact, artifact)

    def _join_symlinks(self) -> set[int]:
        """Datasets that are called symlinks of one another become one series; the runs that read any of them."""
        touched: set[int] = set()
        declared = [
            (self._artifacts[seen.name], self._artifacts[other])
            for _, _, seen, _ in self._seen
            for other in seen.symlinks
        ]
        for one, two in meeting.meet_names(self._scope, declared, self._message) if declared else ():
            first, second = self._series_of(one), self._series_of(two)
            if first != second:
                touched |= set(self._scope.store.moments.join_series(self._scope.tx, first, second))
                known = list(self._artifacts.values())
                self._series = self._scope.store.moments.get_series(self._scope.tx, known)
        return touched

    def _needed(self, tellers: Iterable[Teller]) -> dict[tuple[int, str], ManyVersion]:
        """The versions that runs wrote, or named as they read them."""
        needed: dict[tuple[int, str], ManyVersion] = {}
        for teller in tellers:
            for write in teller.outcome.writes:
                self._need(needed, write.name, _digest_of(teller.story, write), write.version)
            for read in teller.outcome.reads:
                if read.version:
                    self._need(needed, read.name, ol.named_digest(read.name, read.version), read.version)
                elif teller.story.declaration:
                    self._need(needed, read.name, ol.state_unknown(read.name), "")
        return needed

    def _need(self, into: dict[tuple[int, str], ManyVersion], name: Name, digest: str, version: str) -> None:
        artifact = self._artifacts[name]
        if (artifact, digest) in self._versions or (artifact, digest) in into:
            return
        reason = "" if version else _REASONS["any" if digest.startswith("ol-any:") else "run"]
        level = Level.NATIVE if version else Level.DECLARED if digest.startswith("ol-run:") else Level.NONE
        into[artifact, digest] = ManyVersion(
            artifact=artifact,
            digest=digest,
            level=level,
            reason=reason,
            name=ol.reference(name, version) if version else "",
        )

    def _find_versions(self, needed: dict[tuple[int, str], ManyVersion]) -> None:
        self._versions |= self._scope.store.many.find_versions(
            self._scope.tx, [digest for _, digest in needed]
        )

    def _add_versions(self, needed: dict[tuple[int, str], ManyVersion]) -> None:
        self._find_versions(needed)
        missing = [version for key, version in needed.items() if key not in self._versions]
        store, tx = self._scope.store.many, self._scope.tx
        made = store.add_versions(tx, missing, kind=_DATASET, at=self._scope.at)
        self._versions |= made
        self._fresh |= set(made.values())
        named = {made[v.artifact, v.digest]: v.name.removeprefix("ol:") for v in missing if v.name}
        store.add_references(tx, named, scheme="ol", level=Level.NATIVE, at=self._scope.at)
        if named:
            meeting.meet_versions(self._scope, named, self._message)

    # ---- moments -------------------------------------------------------------------------------------------------------

    def _move(self, tellers: list[Teller]) -> set[int]:
        """Record when the runs read and wrote; the runs whose reads may find other versions now."""
        reads: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]] = ([], [])
        writes: tuple[list[DatasetWrite], list[DatasetWrite]] = ([], [])
        for teller in tellers:
            now = self._moments(teller)
            before, after = set(teller.story.moments), set(now)
            teller.story.moments = now
            for into, changed in enumerate((before - after, after - before)):
                for kind, artifact, at, node in changed:
                    series = self._series_of(artifact)
                    if kind == _READ:
                        reads[into].append((series, at, teller.node))
                    else:
                        tie = _tie(teller.story.run)
                        writes[into].append(DatasetWrite(series, at, tie, node, teller.node))
        moments, tx = self._scope.store.moments, self._scope.tx
        moments.remove_reads(tx, reads[0])
        moments.add_reads(tx, reads[1])
        moments.remove_writes(tx, writes[0])
        moments.add_writes(tx, writes[1])
        return moments.touched_reads(tx, [(write.series, write.at) for side in writes for write in side])

    def _moments(self, teller: Teller) -> list[tuple[int, int, int, int]]:
        if teller.story.declaration:
            return []
        found = [(_READ, self._artifacts[r.name], r.at, 0) for r in teller.outcome.reads if not r.version]
        found += [
            (_WRITE, self._artifacts[write.name], write.at, self._written(teller.story, write))
            for write in teller.outcome.writes
            if not write.failed
        ]
        return found

    def _written(self, story: Story, write: Write) -> int:
        return self._versions[self._artifacts[write.name], _digest_of(story, write)]

    def _take_up(self, nodes: set[int]) -> list[Teller]:
        kept = self._scope.store.stories.get_stories(self._scope.tx, sorted(nodes))
        stories = {node: _story(body) for node, body in kept.items()}
        return [Teller(node, story, tales.outcome(story)) for node, story in stories.items()]

    # ---- edges ---------------------------------------------------------------------------------------------------------

    def _link(self, tellers: list[Teller]) -> None:
        """Compare every run's edges with those made of it before, and write the difference."""
        asked = {
            (self._series_of(self._artifacts[read.name]), read.at, teller.node)
            for teller in tellers
            if not teller.story.declaration
            for read in teller.outcome.reads
            if not read.version
        }
        newest = self._scope.store.moments.newest_writes(self._scope.tx, list(asked))
        self._add_unknown(tellers, newest)
        added: tuple[list[Edge], list[Edge]] = ([], [])
        gone: list[Edge] = []
        for teller in tellers:
            now = [self._used(teller, read, newest) for read in teller.outcome.reads]
            now += [self._generated(teller, write) for write in teller.outcome.writes]
            before, after = set(teller.story.edges), set(now)
            stood = {key[:4] for key in before}
            teller.story.edges = now
            for key in now:
                if key not in before:
                    added[key[:4] in stood].append(_edge(teller.node, key, self._message))
            gone += [_edge(teller.node, key, self._message) for key in before - after]
            self._note_moved(teller, before - after)
        edges, tx = self._scope.store.edges, self._scope.tx
        edges.retract_edges(tx, gone, at=self._scope.at)
        # Apart, for an edge of which a row exists costs a statement of its own.
        for part in added:
            edges.add_edges(tx, part, recorded_at=self._scope.at)

    def _note_moved(self, teller: Teller, gone: set[EdgeKey]) -> None:
        """Note versions that got a name after something was said of them without it."""
        left = {key[1] for key in gone if key[0] == EdgeKind.GENERATED}
        for write in teller.outcome.writes if left else ():
            if not write.version:
                continue
            digest = ol.written_digest(write.name, teller.story.run)
            found = self._scope.store.many.find_versions(self._scope.tx, [digest])
            if (old := found.get((self._artifacts[write.name], digest))) in left:
                self._moved[old] = teller.written[write.name]

    def _add_unknown(self, tellers: list[Teller], newest: dict[tuple[int, int, int], int]) -> None:
        """A vertex for each dataset that was read before anybody wrote it, or of which something was said as such."""
        needed: dict[tuple[int, str], ManyVersion] = {}
        for teller in tellers:
            for read in teller.outcome.reads:
                if not read.version and self._key(teller, read) not in newest:
                    self._need(needed, read.name, ol.state_unknown(read.name), "")
        for run, _, seen, written in self._seen:
            if not written and (seen.facets or not run):
                for name in (seen.name, *(() if run else seen.declared)):
                    self._need_dataset(needed, name, seen.version if name == seen.name else "")
        self._add_versions(needed)

    def _need_dataset(self, needed: dict[tuple[int, str], ManyVersion], name: Name, version: str) -> None:
        self._need(
            needed, name, ol.named_digest(name, version) if version else ol.state_unknown(name), version
        )

    def _key(self, teller: Teller, read: Read) -> tuple[int, int, int]:
        return self._series_of(self._artifacts[read.name]), read.at, teller.node

    def _used(self, teller: Teller, read: Read, newest: dict[tuple[int, int, int], int]) -> EdgeKey:
        used, artifact = int(EdgeKind.USED), self._artifacts[read.name]
        if read.version:
            node = self._versions[artifact, ol.named_digest(read.name, read.version)]
            return used, node, "input", read.rule, read.evidence.value, read.at
        found = None if teller.story.declaration else newest.get(self._key(teller, read))
        if found is None:
            node = self._versions[artifact, ol.state_unknown(read.name)]
            return used, node, "input", read.rule, read.evidence.value, read.at
        return used, found, "input", read.rule or tales.NEWEST, Evidence.INFERRED.value, read.at

    def _generated(self, teller: Teller, write: Write) -> EdgeKey:
        node = self._written(teller.story, write)
        teller.written[write.name] = node
        return int(EdgeKind.GENERATED), node, write.role, "", write.evidence.value, write.at

    # ---- facets of datasets --------------------------------------------------------------------------------------------

    def _keep_facets(self) -> None:
        """Facets of what a run wrote belong to that version, all others to the version named, or to the dataset as such."""
        by_run = {teller.story.run: teller for teller in self._tellers.values()}
        given: dict[int, list[tuple[int, Seen]]] = {}
        derived: list[Edge] = []
        for run, at, seen, written in self._seen:
            if not written:
                node = self._dataset_node(seen)
            else:
                node = by_run[run].written.get(seen.name)
            if node is not None and seen.facets:
                given.setdefault(node, []).append((at, seen))
            if not run and node is not None:
                derived += [self._derived(name, node, at) for name in seen.declared]
        self._scope.store.edges.add_edges(self._scope.tx, derived, recorded_at=self._scope.at)
        self._stand(given)

    def _dataset_node(self, seen: Seen) -> int | None:
        digest = ol.named_digest(seen.name, seen.version) if seen.version else ol.state_unknown(seen.name)
        return self._versions.get((self._artifacts[seen.name], digest))

    def _derived(self, source: Name, node: int, at: int) -> Edge:
        return Edge(
            src=self._versions[self._artifacts[source], ol.state_unknown(source)],
            dst=node,
            kind=EdgeKind.DERIVED,
            at=at,
            role="lineage",
            evidence=Evidence.DECLARED,
            via=DOOR,
            batch=self._message,
        )

    def _stand(self, given: dict[int, list[tuple[int, Seen]]]) -> None:
        """Of every facet the newest stands."""
        store, tx = self._scope.store, self._scope.tx
        known = {*given, *self._moved, *self._moved.values()} - self._fresh
        kept = store.stories.get_stories(tx, sorted(known))
        rows: list[tuple[int, str, bytes | None]] = []
        stories: dict[int, bytes] = {}
        moved = {new: old for old, new in self._moved.items()}
        for node in {*given, *moved}:
            story = _dataset(kept[node]) if node in kept else DatasetStory()
            newest: ol.Facets = {}
            said = given.get(node, [])
            if node in moved:
                self._take_over(story, newest, moved[node], kept.get(moved[node]))
            for at, seen in said:
                newest.update(tales.stand(story.facets, seen.facets.items(), at))
            rows += [(node, name, bytes(raw)) for name, raw in newest.items()]
            stories[node] = _encode(story)
        rows = facets.admit(self._scope, rows, self._message)
        store.many.add_facets(tx, rows, fresh=self._fresh, batch=self._message, at=self._scope.at)
        self._pass_on_tags({node for node, name, _ in rows if name in TAGS})
        store.stories.put_stories(tx, stories)

    def _pass_on_tags(self, told: set[int]) -> None:
        """Bring the tags of what was just tagged up to date, and of versions of datasets that are tagged as such."""
        place = {node: (artifact, digest) for (artifact, digest), node in self._versions.items()}
        fresh = {node for node in self._fresh if not place[node][1].startswith("ol-any:")}
        names = {artifact: name for name, artifact in self._artifacts.items()}
        unknown = {
            artifact: ol.state_unknown(names[artifact]) for artifact, _ in (place[n] for n in fresh | told)
        }
        found = self._scope.store.many.find_versions(self._scope.tx, unknown.values()) if unknown else {}
        as_such = {artifact: found.get((artifact, digest)) for artifact, digest in unknown.items()}
        for node in told:
            dataset = as_such[place[node][0]]
            settle_tags(self._scope, node, dataset if dataset != node else None)
            if dataset == node:
                tag_versions(self._scope, names[place[node][0]], node)
        tag_new(self._scope, {node: as_such[place[node][0]] for node in fresh - told})

    def _take_over(self, story: DatasetStory, newest: ol.Facets, old: int, kept: bytes | None) -> None:
        """Say of a version what was said of it before its name was known."""
        stamps = {} if kept is None else _dataset(kept).facets
        for facet in self._scope.store.attributes.get_facets(self._scope.tx, old):
            if stamp := stamps.get(facet.name):
                newest.update(tales.stand(story.facets, [(facet.name, facet.body)], stamp.at))


def _digest_of(story: Story, write: Write) -> str:
    if write.version:
        return ol.named_digest(write.name, write.version)
    return ol.state_unknown(write.name) if story.declaration else ol.written_digest(write.name, story.run)


def _edge(run: int, key: EdgeKey, message: int) -> Edge:
    kind, version, role, rule, evidence, at = key
    used = kind == EdgeKind.USED
    return Edge(
        src=version if used else run,
        dst=run if used else version,
        kind=_KINDS[kind],
        at=at,
        role=role,
        evidence=Evidence(evidence),
        via=DOOR,
        rule=rule,
        batch=message,
    )


def _tie(run: str) -> int:
    return int.from_bytes(hashlib.blake2b(run.encode(), digest_size=7).digest(), "big")
