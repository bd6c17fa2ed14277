"""Facets and tags that events brought: those of runs with the run, those of datasets with the version they speak of.

All facets of a pass are held against their schemas and attached together; of every facet the newest stands.
"""

from __future__ import annotations

import msgspec

from lineal.core import openlineage as ol
from lineal.core import openlineage_story as tales
from lineal.core.events import Evidence
from lineal.core.model import Edge, EdgeKind
from lineal.core.openlineage import DOOR, Name, Seen
from lineal.core.openlineage_story import DatasetStory
from lineal.service import facets
from lineal.service.openlineage_graph import Settled, Teller
from lineal.service.openlineage_tags import TAGS, settle_tags, tag_new, tag_versions
from lineal.service.operations import Scope

_dataset = msgspec.msgpack.Decoder(DatasetStory).decode
_encode = msgspec.msgpack.Encoder().encode

Row = tuple[int, str, bytes | None]  # vertex, name, body


class Keeping:
    """The facets of one pass. tellers: the runs that the events are about; seen: as `openlineage_graph.settle` takes it."""

    def __init__(
        self,
        scope: Scope,
        settled: Settled,
        tellers: list[Teller],
        seen: list[tuple[str, int, Seen, bool]],
        message: int,
    ) -> None:
        self._scope = scope
        self._settled = settled
        self._tellers = {teller.story.run: teller for teller in tellers}
        self._seen = seen
        self._message = message

    def keep(self, of_runs: list[Row]) -> dict[int, bytes]:
        """Attach the facets of runs, and those of datasets; the stories of datasets as they are now, by vertex."""
        given = self._given()
        of_datasets, stories = self._stand(given)
        rows = facets.admit(self._scope, [*of_runs, *of_datasets], self._message)
        fresh = self._settled.fresh | {teller.node for teller in self._tellers.values() if teller.fresh}
        self._scope.store.many.add_facets(
            self._scope.tx, rows, fresh=fresh, batch=self._message, at=self._scope.at
        )
        runs = {teller.node for teller in self._tellers.values()}
        tagged = {node for node, name, _ in rows if name in TAGS}
        for node in tagged & runs:
            settle_tags(self._scope, node)
        self._pass_on_tags(tagged - runs)
        return stories

    def _given(self) -> dict[int, dict[int, tuple[int, Seen]]]:
        """What was said of datasets, by vertex: of what a run wrote that version, else the version named or the dataset as such.
        Of what was said word for word again (the same object) only the last time counts."""
        given: dict[int, dict[int, tuple[int, Seen]]] = {}
        derived: list[Edge] = []
        for run, at, seen, written in self._seen:
            node = self._tellers[run].written.get(seen.name) if written else self._node(seen)
            if node is not None and seen.facets:
                said = given.setdefault(node, {})
                if (before := said.get(id(seen))) is None or before[0] < at:
                    said[id(seen)] = (at, seen)
            if not run and node is not None:
                derived += [self._derived(name, node, at) for name in seen.declared]
        self._scope.store.edges.add_edges(self._scope.tx, derived, recorded_at=self._scope.at)
        return given

    def _node(self, seen: Seen) -> int | None:
        digest = ol.named_digest(seen.name, seen.version) if seen.version else ol.state_unknown(seen.name)
        return self._settled.versions.get((self._settled.artifacts[seen.name], digest))

    def _derived(self, source: Name, node: int, at: int) -> Edge:
        return Edge(
            src=self._settled.versions[self._settled.artifacts[source], ol.state_unknown(source)],
            dst=node,
            kind=EdgeKind.DERIVED,
            at=at,
            role="lineage",
            evidence=Evidence.DECLARED,
            via=DOOR,
            batch=self._message,
        )

    def _stand(self, given: dict[int, dict[int, tuple[int, Seen]]]) -> tuple[list[Row], dict[int, bytes]]:
        """Of what was said the facets that stand now, and the stories that remember when each was said."""
        moved = {new: old for old, new in self._settled.moved.items()}
        known = {*given, *moved, *moved.values()} - self._settled.fresh
        kept = self._scope.store.stories.get_stories(self._scope.tx, sorted(known))
        rows: list[Row] = []
        stories: dict[int, bytes] = {}
        for node in {*given, *moved}:
            story = _dataset(kept[node]) if node in kept else DatasetStory()
            newest: ol.Facets = {}
            if node in moved:
                self._take_over(story, newest, moved[node], kept.get(moved[node]))
            for at, seen in given[node].values() if node in given else ():
                newest.update(tales.stand(story.facets, seen.facets.items(), at))
            rows += [(node, name, bytes(raw)) for name, raw in newest.items()]
            stories[node] = _encode(story)
        return rows, stories

    def _take_over(self, story: DatasetStory, newest: ol.Facets, old: int, kept: bytes | None) -> None:
        """Say of a version what was said of it before its name was known."""
        stamps = {} if kept is None else _dataset(kept).facets
        for facet in self._scope.store.attributes.get_facets(self._scope.tx, old):
            if stamp := stamps.get(facet.name):
                newest.update(tales.stand(story.facets, [(facet.name, facet.body)], stamp.at))

    def _pass_on_tags(self, told: set[int]) -> None:
        """Bring the tags of what was just tagged up to date, and of versions of datasets that are tagged as such."""
        versions, artifacts = self._settled.versions, self._settled.artifacts
        place = {node: (artifact, digest) for (artifact, digest), node in versions.items()}
        fresh = {node for node in self._settled.fresh if not place[node][1].startswith("ol-any:")}
        names = {artifact: name for name, artifact in artifacts.items()}
        # Whether they are known was asked with all other versions that the pass may name.
        as_such = {
            artifact: versions.get((artifact, ol.state_unknown(names[artifact])))
            for artifact, _ in (place[node] for node in fresh | told)
        }
        for node in told:
            dataset = as_such[place[node][0]]
            settle_tags(self._scope, node, dataset if dataset != node else None)
            if dataset == node:
                tag_versions(self._scope, names[place[node][0]], node)
        tag_new(self._scope, {node: as_such[place[node][0]] for node in fresh - told})
