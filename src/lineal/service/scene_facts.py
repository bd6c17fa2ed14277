"""What a scene says of the runs and versions that it draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

from lineal.core.events import Level, State
from lineal.core.model import RunRecord, VersionRecord
from lineal.core.scene import Card, Item, Picture, stem
from lineal.service import references
from lineal.service.operations import Scope
from lineal.service.registry import DEPLOYMENT
from lineal.service.scene_marks import Marks
from lineal.service.scene_reply import NAMED, Beyond, SceneMetric, SceneNode, steps
from lineal.service.scene_seen import GOVERNS

_ENDED_BADLY = (State.FAILED, State.KILLED, State.LOST)


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """What was worked out of a picture besides its cards. metrics: by card; all others: vertices, commits by run."""

    focus: AbstractSet[int]
    picture: Picture
    marks: Marks
    metrics: Mapping[str, list[SceneMetric]]
    commits: Mapping[int, str]
    essential: AbstractSet[int]
    live: AbstractSet[int]
    ways: AbstractSet[int]


class Facts:
    """What is known of the vertices that were seen."""

    def __init__(self, scope: Scope, nodes: list[int], *, as_of: int | None) -> None:
        self.runs: dict[int, RunRecord] = scope.store.runs.get_runs(scope.tx, nodes, as_of=as_of)
        others = [node for node in nodes if node not in self.runs]
        self.versions: dict[int, VersionRecord] = scope.store.artifacts.get_versions(scope.tx, others)
        self.names: dict[int, list[str]] = {}
        self.aliases: dict[int, list[str]] = {}
        named = scope.store.registry.list_names_of(scope.tx, list(self.versions))
        for entry in named:
            self.names.setdefault(entry.node, []).append(f"{entry.name}@{entry.number}")
        for name in sorted({entry.name for entry in named})[:200]:
            for alias in scope.store.registry.list_aliases(scope.tx, name):
                self.aliases.setdefault(alias.node, []).append(f"{alias.name}@{alias.alias}")

    def knows(self, node: int) -> bool:
        """Whether it is a run or a version."""
        return node in self.runs or node in self.versions

    def series(self, node: int) -> tuple[str, str, str]:
        """What a vertex is one happening or state of: a job, or an artifact."""
        if (run := self.runs.get(node)) is not None:
            return ("job", run.namespace, run.job)
        version = self.versions[node]
        return ("artifact", version.namespace, version.name)

    def kind(self, node: int) -> str:
        """The kind of a run or of what it is a version of."""
        record = self.runs.get(node) or self.versions.get(node)
        return record.kind if record is not None else ""

    def living(self) -> list[int]:
        """The deployments that run."""
        return [
            node for node, run in self.runs.items() if run.kind == DEPLOYMENT and run.state == State.RUNNING
        ]

    def item(self, node: int, *, source: bool, serves: bool, essential: bool, commit: str) -> Item:
        """What the picture needs to know of it. Weights: 0.9 what runs live, 0.8 what an alias points at, 0.7 what everything came
        through, 0.6 what leads to something live, 0.5 what ended badly, 0.4 models, 0.3 sources."""
        run = self.runs.get(node)
        least = 0.7 if essential else 0.6 if serves else 0.1
        if run is not None:
            live = run.kind == DEPLOYMENT and run.state == State.RUNNING
            return Item(
                id=node,
                alike=("run", run.kind, stem(run.job or run.name), str(run.parent or ""), commit),
                anchor=live,
                weight=max(least, 0.9 if live else 0.5 if run.state in _ENDED_BADLY else 0.1),
                at=run.started_at,
            )
        version = self.versions[node]
        aliased = node in self.aliases
        return Item(
            id=node,
            alike=("version", version.kind, version.namespace, stem(version.name)),
            anchor=aliased,
            weight=max(least, 0.8 if aliased else 0.4 if version.kind == "model" else 0.3 if source else 0.1),
            at=version.recorded_at,
        )

    def ref(self, node: int) -> str:
        """How to name it."""
        run = self.runs.get(node)
        return f"run:{run.run_id}" if run is not None else references.artifact_ref(self.versions[node])

    def card(
        self,
        card: Card,
        told: Drawn,
        *,
        beyond: tuple[Beyond, Beyond],
        side: str,
        made: bool,
        weight: float,
    ) -> SceneNode:
        """The card as the answer carries it. made: whether its origin was looked for, in vain."""
        first = card.members[0]
        run, version = self.runs.get(first), self.versions.get(first)
        type, label, kind, namespace, _ = self._said(first)
        ats = [self._said(node)[4] for node in card.members]
        single = len(card.members) == 1
        known = version is not None and version.level in (Level.CONTENT, Level.NATIVE)
        states = Counter(str(self.runs[node].state) for node in card.members if node in self.runs)
        types = {self._said(node)[0] for node in card.members}
        return SceneNode(
            id=card.id,
            shape=card.shape,
            type=type if len(types) == 1 else "mixed",
            kind=kind,
            ref=self.ref(first) if single else "",
            label=label
            if single
            else stem(label)
            if card.shape == "group"
            else steps([self._said(node)[1] for node in card.members]),
            namespace=namespace,
            at=min(ats),
            last_at=max(ats),
            state=str(run.state) if run is not None and single else "",
            digest=version.digest if version is not None and known and single else None,
            level=str(version.level) if version is not None and single else "",
            size=version.size if version is not None and single else None,
            names=self.names.get(first, []) if single else [],
            aliases=self.aliases.get(first, []) if single else [],
            focus=any(node in told.focus for node in card.members),
            count=len(card.members),
            members=[] if single else [self.ref(node) for node in card.members[:NAMED]],
            states=dict(states) if not single else {},
            lead=[] if single else [self.ref(node) for node in _leading(card, told.picture)],
            up=beyond[0],
            down=beyond[1],
            side=side,
            layer=told.picture.layer[card.id],
            importance=1.0 if any(node in told.focus for node in card.members) else weight,
            origin_unknown=made and version is not None and single and version.kind not in GOVERNS,
            deleted_at=(run.deleted_at if run is not None else version.deleted_at if version else None)
            if single
            else None,
            marks=told.marks.of(card.members),
            metrics=told.metrics.get(card.id, []),
            commit=_one({told.commits.get(node, "") for node in card.members if node in self.runs}),
            essential=any(node in told.essential for node in card.members),
            serves=any(node in told.live for node in card.members),
            way=any(node in told.ways for node in card.members),
        )

    def _said(self, node: int) -> tuple[str, str, str, str, int]:
        run = self.runs.get(node)
        if run is not None:
            label = run.name or run.job if run.kind == DEPLOYMENT else run.job or run.name
            return "run", label or run.run_id[:12], run.kind, run.namespace, run.started_at
        version = self.versions[node]
        label = f"{version.namespace}/{version.name}" if "://" in version.namespace else version.name
        return "version", label, version.kind, version.namespace, version.recorded_at


def _one(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""


def _leading(card: Card, picture: Picture) -> list[int]:
    """The members of a group from which a line leads to a single vertex behind it, unless all do."""
    single = {other.id for other in picture.cards if other.shape == "node"}
    leads = {
        src for line in picture.lines if line.src == card.id and line.dst in single for src, _ in line.pairs
    }
    return sorted(leads)[:NAMED] if card.shape == "group" and len(leads) < len(card.members) else []
