"""What stories say of datasets, written into the graph: versions, edges, and which write each read found.

Every run's edges and moments are compared with those made of it before. A write that comes up, or moves, or goes, may change
what others read: their stories are taken up again too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from lineal.core import openlineage as ol
from lineal.core import openlineage_story as tales
from lineal.core.events import Evidence, Level
from lineal.core.meeting import components
from lineal.core.model import Edge, EdgeKind
from lineal.core.openlineage import DOOR, Name, Seen
from lineal.core.openlineage_story import Outcome, Read, Story, Write
from lineal.service import meeting
from lineal.service.operations import Scope
from lineal.store.many import ManyVersion
from lineal.store.moments import DatasetWrite
from lineal.store.tx import Asked

_DATASET = "dataset"
_READ, _WRITE = 0, 1
_KINDS = {int(kind): kind for kind in EdgeKind}
_REASONS = {
    "run": "the run that wrote it gave it no version",
    "any": "read without a version, and nobody was seen writing it before",
}
_story = msgspec.msgpack.Decoder(Story).decode
_encode = msgspec.msgpack.Encoder().encode

AT_ONCE = 500  # most further runs that one pass takes up; about a tenth of a second

EdgeKey = tuple[int, int, str, str, str, int]  # kind, version, role, rule, evidence, time


@dataclass(slots=True)
class Teller:
    """A run with its story. fresh: its vertex was made in this pass."""

    node: int
    story: Story
    outcome: Outcome
    fresh: bool = False
    written: dict[Name, int] = field(default_factory=dict)


@dataclass(slots=True)
class Settled:
    """What the datasets of a pass are in the graph.

    artifacts: their numbers; versions: vertices by artifact and digest; fresh: those made in this pass; moved: versions
    that got a name, by the vertex that stood for them before; stories: of further runs that were taken up again.
    """

    artifacts: dict[Name, int]
    versions: dict[tuple[int, str], int]
    fresh: set[int]
    moved: dict[int, int]
    stories: dict[int, bytes]


def settle(
    scope: Scope,
    tellers: list[Teller],
    seen: list[tuple[str, int, Seen, bool]],
    message: int,
    due: Collection[int] = (),
) -> Settled:
    """Bring the graph up to date with the stories.

    When very many runs have to be taken up again, because a write came to light behind their reads, most are put off.

    Args:
        seen: run id, time, dataset, whether it was written; without a run for what was said of a dataset as such.
        due: runs that were put off before, and are taken up now.
    """
    return _Settling(scope, tellers, seen, message).settle(set(due))


def rearrange(scope: Scope, artifacts: Sequence[int]) -> None:
    """Work out anew which names are one dataset, after names were joined or split by hand, and what was read of each."""
    _Settling(scope, [], [], 0).rearrange(artifacts)


class _Settling:
    def __init__(
        self, scope: Scope, tellers: list[Teller], seen: list[tuple[str, int, Seen, bool]], message: int
    ) -> None:
        self._scope = scope
        self._tellers = {teller.node: teller for teller in tellers}
        # Events of one run, and of others, name a dataset word for word: what is the same is looked at once.
        self._datasets = list({id(dataset): dataset for _, _, dataset, _ in seen}.values())
        self._as_such = list(
            {
                (id(dataset), not run): (dataset, not run)
                for run, _, dataset, written in seen
                if not written and (dataset.facets or not run)
            }.values()
        )
        self._message = message
        self._artifacts: dict[Name, int] = {}
        self._series: dict[int, int] = {}
        self._versions: dict[tuple[int, str], int] = {}
        self._asked: set[str] = set()  # digests that were looked for
        self._fresh: set[int] = set()
        self._moved: dict[int, int] = {}
        self._changed: list[tuple[int, int]] = []  # series and times of writes that came, moved or went

    def settle(self, due: set[int]) -> Settled:
        self._name_artifacts(self._tellers.values())
        touched = self._join_symlinks()
        first = list(self._tellers.values())
        self._add_versions(self._needed(first))
        self._move(first)
        touched_now, newest = self._ask_touched(), self._ask_newest(first)
        return self._follow(touched | touched_now(), due, first, newest())

    def _follow(
        self, touched: set[int], due: set[int], first: list[Teller], newest: dict[tuple[int, int, int], int]
    ) -> Settled:
        """Link the runs that were told of, and those that they touched."""
        others = self._take_up(self._portion(touched, due))
        self._name_artifacts(others)
        self._find_versions(digest for _, digest in self._needed(others))
        self._link([*first, *others], newest | self._ask_newest(others)())
        stories = {teller.node: _encode(teller.story) for teller in others}
        return Settled(self._artifacts, self._versions, self._fresh, self._moved, stories)

    def rearrange(self, artifacts: Sequence[int]) -> None:
        store, tx = self._scope.store, self._scope.tx
        known = store.moments.ask_series(tx, artifacts)()
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
        settled = self._follow(touched, set(), [], {})
        store.stories.put_stories(tx, settled.stories)

    # ---- names and versions --------------------------------------------------------------------------------------------

    def _name_artifacts(self, tellers: Collection[Teller]) -> None:
        """Look up the datasets of runs, their series, and all versions of them that may come up."""
        names = {part.name for t in tellers for side in (t.outcome.reads, t.outcome.writes) for part in side}
        names |= {name for seen in self._datasets for name in (seen.name, *seen.symlinks, *seen.declared)}
        missing = names - set(self._artifacts)
        if not missing:
            return
        found = self._scope.store.many.add_artifacts(
            self._scope.tx,
            [(name.namespace, name.name) for name in missing],
            kind=_DATASET,
            at=self._scope.at,
        )
        made = {Name(*key): artifact for key, artifact in found.items()}
        self._artifacts |= made
        series = self._scope.store.moments.ask_series(self._scope.tx, list(made.values()))
        self._find_versions(self._mentioned(list(tellers)))
        self._series |= series()

    def _series_of(self, artifact: int) -> int:
        return self._series.get(artifact, artifact)

    def _join_symlinks(self) -> set[int]:
        """Datasets that are called symlinks of one another become one series; the runs that read any of them."""
        touched: set[int] = set()
        declared = [
            (self._artifacts[seen.name], self._artifacts[other])
            for seen in self._datasets
            for other in seen.symlinks
        ]
        for one, two in meeting.meet_names(self._scope, declared, self._message) if declared else ():
            first, second = self._series_of(one), self._series_of(two)
            if first != second:
                touched |= set(self._scope.store.moments.join_series(self._scope.tx, first, second))
                known = list(self._artifacts.values())
                self._series = self._scope.store.moments.ask_series(self._scope.tx, known)()
        return touched

    def _mentioned(self, tellers: list[Teller]) -> set[str]:
        """The digests of all versions that may come up, so that they are looked for at once."""
        digests = {digest for _, digest in self._needed(tellers)}
        digests |= {
            ol.state_unknown(part.name)
            for teller in tellers
            for side in (teller.outcome.reads, teller.outcome.writes)
            for part in side
        }
        for seen in self._datasets:
            digests |= {ol.state_unknown(name) for name in (seen.name, *seen.declared)}
            if seen.version:
                digests.add(ol.named_digest(seen.name, seen.version))
        return digests

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

    def _find_versions(self, digests: Iterable[str]) -> None:
        wanted = set(digests) - self._asked
        self._asked |= wanted
        self._versions |= self._scope.store.many.find_versions(self._scope.tx, wanted)

    def _add_versions(self, needed: dict[tuple[int, str], ManyVersion]) -> None:
        self._find_versions(digest for _, digest in needed)
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

    def _move(self, tellers: list[Teller]) -> None:
        """Record when the runs read and wrote."""
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
        self._changed = [(write.series, write.at) for side in writes for write in side]

    def _ask_touched(self) -> Asked[set[int]]:
        """The runs whose reads may find other versions now."""
        return self._scope.store.moments.ask_touched(self._scope.tx, self._changed)

    def _ask_newest(self, tellers: list[Teller]) -> Asked[dict[tuple[int, int, int], int]]:
        """What the reads of runs without a version find."""
        asked = {
            self._key(teller, read)
            for teller in tellers
            if not teller.story.declaration
            for read in teller.outcome.reads
            if not read.version
        }
        return self._scope.store.moments.ask_newest(self._scope.tx, list(asked))

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

    def _portion(self, touched: set[int], due: set[int]) -> list[int]:
        """Further runs whose reads are looked up again now; what is more than a pass can do is put off."""
        others = sorted((touched | due) - set(self._tellers))
        now, later = others[:AT_ONCE], set(others[AT_ONCE:])
        store, tx = self._scope.store.stories, self._scope.tx
        store.done_with(tx, sorted(due - later))
        store.put_off(tx, sorted(later - due))
        return now

    def _take_up(self, nodes: Collection[int]) -> list[Teller]:
        kept = self._scope.store.stories.get_stories(self._scope.tx, sorted(nodes))
        stories = {node: _story(body) for node, body in kept.items()}
        return [Teller(node, story, tales.outcome(story)) for node, story in stories.items()]

    # ---- edges ---------------------------------------------------------------------------------------------------------

    def _link(self, tellers: list[Teller], newest: dict[tuple[int, int, int], int]) -> None:
        """Compare every run's edges with those made of it before, and write the difference."""
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
        for seen, alone in self._as_such:
            for name in (seen.name, *(seen.declared if alone else ())):
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
