"""Taking OpenLineage events in: each is added to the story of its run, and what the stories say is written down.

A whole request, or several that arrived together, is one pass in one transaction: the number of statements does not grow
with the number of events. What a story adds up to is decided in `core.openlineage_story`; here it is compared with what was
made of it before, and only the difference is written, so an event that comes late or twice needs no rule of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import msgspec

from lineal.core import openlineage as ol
from lineal.core import openlineage_story as tales
from lineal.core.events import ErrorInfo, State
from lineal.core.ids import sha256
from lineal.core.openlineage import DOOR, Seen, Told
from lineal.core.openlineage_story import Outcome, Story
from lineal.service import meeting
from lineal.service.conflicts_around import CLAIMS
from lineal.service.openlineage_facets import Keeping, Row
from lineal.service.openlineage_graph import AT_ONCE, Teller, settle
from lineal.service.openlineage_parents import open_circles
from lineal.service.operations import Scope
from lineal.store.many import ManyRun, ManyState
from lineal.store.stories import KeptEvent, KeptRun
from lineal.store.tx import Asked

_read = msgspec.msgpack.Decoder(Story).decode
_write = msgspec.msgpack.Encoder().encode


class Received(msgspec.Struct, gc=False, frozen=True):
    """An event as it came, and what it says."""

    raw: bytes
    told: Told


def take_in(scope: Scope, events: Sequence[Received]) -> int:
    """Take events in; how many of them were new. Their bytes are kept as one message, which has one audit leaf.

    Raises Unavailable: another server wrote the very same at this moment; nothing may be kept.
    """
    stories, tx = scope.store.stories, scope.tx
    stories.hold_stories(tx)
    named = {event.told.digest[:16].hex(): event for event in events}
    known, runs = stories.ask_known(tx, list(named)), stories.ask_runs(tx, _runs_of(events))
    due = stories.ask_due(tx, AT_ONCE)
    recorded = known()
    fresh = {digest: event for digest, event in named.items() if digest not in recorded}
    if not fresh:
        return 0
    received = _Message(scope, list(fresh.values()))
    telling = _Telling(scope, received.number, runs(), due())
    telling.tell([event.told for event in fresh.values()])
    nodes = telling.nodes
    stories.add_events(
        tx,
        [
            KeptEvent(
                digest,
                event.told.at,
                received.number(),
                start,
                len(event.raw),
                nodes.get(event.told.run),
                scope.at,
            )
            for (digest, event), start in zip(fresh.items(), received.starts, strict=True)
        ],
    )
    received.witness(len(fresh))
    return len(fresh)


def are_due(scope: Scope) -> bool:
    """Whether runs were put off."""
    return bool(scope.store.stories.ask_due(scope.tx, 1)())


def take_up_due(scope: Scope) -> bool:
    """Take up a portion of the runs that were put off, so that each read finds its write; whether there may be more."""
    stories, tx = scope.store.stories, scope.tx
    stories.hold_stories(tx)
    due = stories.ask_due(tx, AT_ONCE)()
    stories.put_stories(tx, settle(scope, [], [], 0, due).stories)
    return len(due) == AT_ONCE


def _runs_of(events: Sequence[Received]) -> set[str]:
    """The runs that events are about, or call their parents."""
    runs = {event.told.run for event in events if event.told.run}
    return runs | {event.told.parent.run for event in events if event.told.parent}


class _Message:
    """Events kept one below the other, as received. number: the message's; starts: where in it each begins."""

    def __init__(self, scope: Scope, events: list[Received]) -> None:
        body = b"\n".join([event.raw for event in events])
        self.starts = list(accumulate((len(event.raw) + 1 for event in events[:-1]), initial=0))
        self._scope = scope
        self._digest = sha256(body)
        self.number = scope.store.audit.ask_message(
            scope.tx, door=DOOR, source=scope.actor, body=body, digest=self._digest, at=scope.at
        )

    def witness(self, count: int) -> None:
        """Leave an audit leaf that so many events came with it."""
        entry = {"message": self.number(), "events": count, "body": self._digest}
        self._scope.store.audit.add_leaf(
            self._scope.tx,
            door=DOOR,
            actor=self._scope.actor,
            action="ingest",
            digest=self._digest,
            body=msgspec.json.encode(entry, order="sorted"),
            at=self._scope.at,
        )


class _Telling:
    """One pass over events that were not known. nodes: the vertices of the runs they are about."""

    def __init__(
        self,
        scope: Scope,
        message: Asked[int],
        known: dict[str, KeptRun],
        due: list[int],
    ) -> None:
        self._scope = scope
        self._ask_message = message
        self._known = known
        self._due = due
        self.nodes: dict[str, int] = {}
        self._fresh: set[int] = set()
        self._links: dict[str, str | None] = {}
        self._stories: dict[str, Story] = {}
        self._before: dict[str, Outcome] = {}
        self._parents: dict[str, int] = {}  # how many were claimed before
        self._facets: dict[str, ol.Facets] = {}
        self._seen: list[tuple[str, int, Seen, bool]] = []

    def tell(self, events: list[Told]) -> None:
        self._load(events)
        for told in events:
            self._add(told)
        outcomes = {run: tales.outcome(story) for run, story in self._stories.items()}
        self._links = open_circles(
            self._scope,
            {run: outcome.parent.run if outcome.parent else None for run, outcome in outcomes.items()},
            {run for run, before in self._before.items() if before.parent != outcomes[run].parent},
            self.nodes,
        )
        self._add_runs(outcomes)
        message = self._ask_message()
        self._update_runs(outcomes)
        self._set_states(outcomes)
        tellers = [
            Teller(self.nodes[run], story, outcomes[run], fresh=self.nodes[run] in self._fresh)
            for run, story in self._stories.items()
        ]
        settled = settle(self._scope, tellers, self._seen, message, self._due)
        keeping = Keeping(self._scope, settled, tellers, self._seen, message)
        of_datasets = keeping.keep(self._facet_rows(outcomes))
        self._meet(message)
        of_runs = {self.nodes[run]: _write(story) for run, story in self._stories.items()}
        self._scope.store.stories.put_stories(self._scope.tx, settled.stories | of_datasets | of_runs)

    def _load(self, events: list[Told]) -> None:
        """The stories of all runs that the events are about, or call their parents."""
        wanted = {told.run for told in events if told.run}
        wanted |= {told.parent.run for told in events if told.parent}
        foreign: dict[str, int] = {}
        for run in wanted:
            kept = self._known[run]
            if kept.node is None:
                self._stories[run] = Story(run)
                continue
            self.nodes[run] = kept.node
            if kept.story is None:
                foreign[run] = kept.node
            else:
                self._stories[run] = _read(kept.story)
        if foreign:
            records = self._scope.store.runs.get_runs(self._scope.tx, list(foreign.values()))
            # Another door told of it: what that one said of the run itself stands, unless only its id was known.
            for run, node in foreign.items():
                self._stories[run] = Story(run, owned=not records[node].job)
        self._before = {run: tales.outcome(self._stories[run]) for run in self.nodes}
        self._parents = {run: len(self._stories[run].parents) for run in self.nodes}

    def _add(self, told: Told) -> None:
        if told.dataset is not None:
            self._seen.append(("", told.at, told.dataset, False))
            return
        story = self._stories[told.run]
        story.declaration = story.declaration or told.kind == "job"
        self._facets.setdefault(told.run, {}).update(tales.add(story, told))
        if told.parent is not None and told.parent.run != told.run:
            tales.add_child(self._stories[told.parent.run], told.parent, told.at)
        self._seen += [(told.run, told.at, seen, False) for seen in told.inputs]
        self._seen += [(told.run, told.at, seen, True) for seen in told.outputs]

    def _add_runs(self, outcomes: dict[str, Outcome]) -> None:
        new = [run for run in self._stories if run not in self.nodes]
        made = self._scope.store.many.add_runs(
            self._scope.tx,
            [self._row(run, outcomes[run]) for run in new],
            known=self.nodes,
            actor=self._scope.actor,
            at=self._scope.at,
        )
        self.nodes |= made
        self._fresh = set(made.values())

    def _row(self, run: str, outcome: Outcome) -> ManyRun:
        return ManyRun(
            run_id=run,
            job=(outcome.job.namespace, outcome.job.name),
            kind=outcome.kind,
            parent=self._links[run],
            started_at=outcome.started_at,
            state=outcome.state,
            ended_at=outcome.ended_at,
        )

    def _update_runs(self, outcomes: dict[str, Outcome]) -> None:
        rows = {
            self.nodes[run]: self._row(run, outcomes[run])
            for run, before in self._before.items()
            if self._stories[run].owned and _stated(before) != _stated(outcomes[run])
        }
        self._scope.store.many.update_runs(self._scope.tx, rows, known=self.nodes)

    def _set_states(self, outcomes: dict[str, Outcome]) -> None:
        states: list[ManyState] = []
        for run, outcome in outcomes.items():
            before = self._before.get(run)
            was = (State.RUNNING, None) if before is None else (before.state, before.ended_at)
            if (outcome.state, outcome.ended_at) == was:
                continue
            _, message, trace = self._stories[run].error
            failed = outcome.state in (State.FAILED, State.KILLED) and bool(message)
            states.append(
                ManyState(
                    node=self.nodes[run],
                    state=outcome.state,
                    at=outcome.ended_at if outcome.ended_at is not None else outcome.started_at,
                    error=_error(message, trace) if failed else None,
                )
            )
        self._scope.store.many.set_states(self._scope.tx, states, fresh=self._fresh, at=self._scope.at)

    def _meet(self, message: int) -> None:
        """Let the runs meet what other sources reported of them. That every facet names OpenLineage's address says nothing."""
        made = {r: node for r, node in self.nodes.items() if node in self._fresh and self._known[r].awaited}
        if made:
            meeting.meet_awaited(self._scope, made)
        for run, facets in self._facets.items():
            for name, raw in facets.items():
                if _names_others(name, raw):
                    meeting.meet_in_facet(self._scope, self.nodes[run], name, bytes(raw), message)

    def _facet_rows(self, outcomes: dict[str, Outcome]) -> list[Row]:
        rows: list[Row] = [
            (self.nodes[run], name, bytes(raw))
            for run, facets in self._facets.items()
            for name, raw in facets.items()
        ]
        for run, outcome in outcomes.items():
            before = self._before.get(run)
            gaps, phantoms = (before.gaps, before.phantoms) if before else ([], [])
            if (gaps, phantoms) != (outcome.gaps, outcome.phantoms):
                said = {"gaps": outcome.gaps, "ignored_outputs": outcome.phantoms}
                body = msgspec.json.encode(said) if any(said.values()) else None
                rows.append((self.nodes[run], tales.GAPS, body))
            story = self._stories[run]
            if story.owned and len(story.parents) > 1 and self._parents.get(run) != len(story.parents):
                claims = {"parents": [{"run": parent} for parent in sorted(story.parents)]}
                rows.append((self.nodes[run], CLAIMS, msgspec.json.encode(claims)))
        return rows


def _stated(outcome: Outcome) -> tuple[object, ...]:
    """What a run's row says."""
    return outcome.job, outcome.kind, outcome.parent, outcome.started_at


def _names_others(name: str, raw: msgspec.Raw) -> bool:
    text = name.lower().encode() + bytes(raw).lower()
    return b"mlflow" in text or b"kfp" in text or b"kubeflow" in text


def _error(message: str, trace: str) -> ErrorInfo:
    kind, colon, rest = message.partition(":")
    if colon and kind.replace(".", "").isidentifier():
        return ErrorInfo(type=kind, message=rest.strip(), traceback=trace)
    return ErrorInfo(type="Error", message=message, traceback=trace)
