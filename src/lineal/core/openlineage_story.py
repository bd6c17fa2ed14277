"""The rules of order: what all events about one run add up to, whatever the order and number in which they came.

A story keeps only least and greatest times, sets, and for every facet the newest; so adding events is commutative,
associative and idempotent, and what a run did is worked out from the story alone (docs/why/openlineage-order.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar

import msgspec

from lineal.core import openlineage as ol
from lineal.core.events import Evidence, State
from lineal.core.openlineage import Facets, Name, Parent, Seen, Told

COLUMNS, EXPLICIT, NEWEST, RENAMED = "column-lineage", "lineage-facet", "newest-before", "renamed-from"
STATEMENT, DECLARATION, STREAM = "statement", "declaration", "stream"
GAPS = "openlineage.gaps"
NO_START = "no START event came"
_STATES = {ol.COMPLETE: State.FINISHED, ol.ABORT: State.KILLED, ol.FAIL: State.FAILED}
_CONTINUOUS = frozenset({"STREAMING", "STREAM", "SERVICE"})
_MOST_FLAGS = 20
FOREVER = 2**62
_T = TypeVar("_T", Name, Parent)


class Stamp(msgspec.Struct, gc=False, array_like=True, frozen=True, order=True):
    """When a facet was said last, and the start of its digest: of two of one time the greater digest stands."""

    at: int
    mark: int


class Part(msgspec.Struct, gc=False, array_like=True):
    """A dataset's part in a run: first and last event that named it, the versions it was said to have, its changes."""

    first: int
    last: int
    versions: dict[str, int] = {}
    changes: dict[str, int] = {}
    how: int = (
        0  # bit 0 named as input or output, bit 1 declared in explicit lineage, bit 2 found in column lineage
    )


class Story(msgspec.Struct, array_like=True):
    """Everything that events said of one run, as far as the record needs it. `edges`, `moments`: what was made of it."""

    run: str
    jobs: dict[str, tuple[Name, int]] = {}
    first: int = FOREVER  # of all its events
    started: int = FOREVER  # of its START events
    last: int = -FOREVER
    child: int = FOREVER  # the first event of a run that calls this one its parent
    ends: dict[str, int] = {}
    kinds: dict[str, int] = {}  # processing types, and integration and task together
    parents: dict[str, tuple[Parent, int]] = {}
    inputs: dict[str, tuple[Name, Part]] = {}
    outputs: dict[str, tuple[Name, Part]] = {}
    renamed: dict[str, tuple[Name, int]] = {}
    facets: dict[str, Stamp] = {}
    error: tuple[int, str, str] = (-FOREVER, "", "")
    flags: list[str] = []
    events: int = 0
    declaration: bool = False
    edges: list[tuple[int, int, str, str, str, int]] = []
    moments: list[tuple[int, int, int, int]] = []
    owned: bool = True  # whether the run's row is ours to keep up to date


class Read(msgspec.Struct, gc=False, frozen=True):
    """A dataset that a run read. version: named by it; empty: the newest before `at`."""

    name: Name
    at: int
    version: str
    evidence: Evidence
    rule: str


class Write(msgspec.Struct, gc=False, frozen=True):
    """A dataset that a run wrote by `at`; role: `output`, or its lifecycle's change. failed: the run did not succeed."""

    name: Name
    at: int
    version: str
    role: str
    failed: bool
    evidence: Evidence


class DatasetStory(msgspec.Struct, array_like=True):
    """When each facet of a dataset's state was said last."""

    facets: dict[str, Stamp] = {}


class Outcome(msgspec.Struct, gc=False, frozen=True):
    """What a run did, as far as is known. ended_at: None while it runs. gaps: what is missing or doubtful, in words."""

    job: Name
    kind: str
    state: State
    started_at: int
    ended_at: int | None
    parent: Parent | None
    reads: list[Read]
    writes: list[Write]
    gaps: list[str]
    phantoms: list[str]


@lru_cache(maxsize=8192)
def key_of(name: Name) -> str:
    """A name as one text that no other name has."""
    return f"{len(name.namespace)}:{name.namespace}{name.name}"


def add(story: Story, told: Told) -> Facets:
    """Let a story take in an event about its run; the facets that stand now, by the name under which a run keeps them."""
    at = told.at
    story.first, story.last = min(story.first, at), max(story.last, at)
    story.events += 1
    if told.type == ol.START:
        story.started = min(story.started, at)
    elif told.type in _STATES:
        story.ends[told.type] = max(story.ends.get(told.type, at), at)
    if told.job is not None:
        _say_job(story, told.job, at)
    for kind in (told.processing, f"{told.integration}/{told.task}" if told.integration or told.task else ""):
        if kind:
            story.kinds[kind] = min(story.kinds.get(kind, at), at)
    if told.node:
        story.kinds["node:" + told.node] = min(story.kinds.get("node:" + told.node, at), at)
    if told.parent is not None:
        _keep_least(story.parents, told.parent.run, told.parent, at)
    for into, parts, explicit in (
        (story.inputs, told.inputs, told.reads),
        (story.outputs, told.outputs, told.writes),
    ):
        for seen in parts:
            _add_part(into, seen.name, at, 1, seen)
        for name in explicit:
            _add_part(into, name, at, 2)
    for seen in told.outputs:
        for name in seen.declared:
            _add_part(story.inputs, name, at, 2)
        for name in seen.columns:
            _add_part(story.inputs, name, at, 4)
        if seen.before is not None:
            _keep_least(story.renamed, key_of(seen.before), seen.before, at)
    if told.error[0]:
        story.error = max(story.error, (at, *told.error))
    for flag in told.flags:
        if flag not in story.flags:
            story.flags = sorted([*story.flags, flag])[:_MOST_FLAGS]
    return _facets(story.facets, told)


def add_child(story: Story, parent: Parent, at: int) -> None:
    """Let a story take in that another run called this one its parent at that time."""
    story.child = min(story.child, at)
    _say_job(story, parent.job, at)


def stand(stamps: dict[str, Stamp], given: Iterable[tuple[str, msgspec.Raw]], at: int) -> Facets:
    """Those of the facets given at a time that are newer than what stood; `stamps` is brought up to date."""
    newer: Facets = {}
    for name, raw in given:
        stamp = Stamp(at, _mark(raw))
        known = stamps.get(name)
        if known is not None and known >= stamp:
            continue
        if known is None or known.mark != stamp.mark:
            newer[name] = raw
        stamps[name] = stamp
    return newer


def outcome(story: Story) -> Outcome:
    """What the run did according to its story.

    A run has ended once any event said so, whatever came later; of several ends the latest counts (at the same time: FAIL,
    then ABORT, then COMPLETE). It began with its first START event, else with its first event. It read its inputs as it
    began, and had written its outputs as it ended; one that runs continuously read and wrote when it named them first.
    """
    began = next(t for t in (story.started, story.first, story.child, 0) if t < FOREVER)
    end, ended_at = "", None
    for kind in ol.ENDS:  # in ascending order of weight
        if kind in story.ends and (ended_at is None or story.ends[kind] >= ended_at):
            end, ended_at = kind, story.ends[kind]
    state = _STATES.get(end, State.RUNNING)
    if story.declaration:  # it is no happening that could go on
        state, ended_at = State.FINISHED, story.last
    continuous = not _CONTINUOUS.isdisjoint(story.kinds)
    tasks = {kind.rpartition("/")[2] for kind in story.kinds if "/" in kind and not kind.startswith("node:")}
    phantoms: list[str] = []
    writes: list[Write] = []
    for name, part in _standing(story, story.outputs):
        if "TEST" in tasks:
            phantoms.append(f"{name.namespace}/{name.name}")
            continue
        at = part.first if continuous else (ended_at if ended_at is not None else part.last)
        writes.append(_write(name, part, at, state, declared=story.declaration))
    job = min(((at, name) for name, at in story.jobs.values()), default=(0, Name("", "")))[1]
    kind = DECLARATION if story.declaration else STREAM if continuous else "run"
    if "SQL" in tasks and story.parents and not story.inputs and not writes:
        kind = STATEMENT
    reads = _reads(story, began, ended_at, continuous=continuous)
    parent = min(((at, parent) for parent, at in story.parents.values()), default=(0, None), key=_first)[1]
    if parent is not None and parent.run == story.run:
        parent = None
    gaps = _gaps(story, reads, ended_at)
    return Outcome(job, kind, state, began, ended_at, parent, reads, writes, gaps, sorted(phantoms))


def job_facet(name: str) -> str:
    """The name under which a run keeps a facet of its job."""
    return f"job.{name}"


def part_facet(side: str, name: Name, facet: str) -> str:
    """The name under which a run keeps a facet of a dataset's part in it; side: `inputs` or `outputs`."""
    return f"{side}.{name.namespace}/{name.name}.{facet}"


def _say_job(story: Story, job: Name, at: int) -> None:
    _keep_least(story.jobs, key_of(job), job, at)


def _keep_least(into: dict[str, tuple[_T, int]], key: str, value: _T, at: int) -> None:
    known = into.get(key)
    if known is None or (at, value) < (known[1], known[0]):
        into[key] = (value, at)


def _add_part(
    into: dict[str, tuple[Name, Part]], name: Name, at: int, how: int, seen: Seen | None = None
) -> None:
    key = key_of(name)
    known = into.get(key)
    if known is None:
        part = Part(at, at)
        into[key] = (name, part)
    else:
        part = known[1]
        if at < part.first:
            part.first = at
        elif at > part.last:
            part.last = at
    part.how |= how
    if seen is not None:
        if seen.version:
            part.versions[seen.version] = min(part.versions.get(seen.version, at), at)
        if seen.change:
            part.changes[seen.change] = max(part.changes.get(seen.change, at), at)


def _facets(stamps: dict[str, Stamp], told: Told) -> Facets:
    given: list[tuple[str, msgspec.Raw]] = list(told.run_facets.items())
    given += [(job_facet(name), raw) for name, raw in told.job_facets.items()]
    for side, parts in (("inputs", told.inputs), ("outputs", told.outputs)):
        for seen in parts:
            given += [(part_facet(side, seen.name, name), raw) for name, raw in seen.own.items()]
    return stand(stamps, given, told.at)


def _mark(raw: msgspec.Raw) -> int:
    body = bytes(raw)
    return _mark_short(body) if len(body) <= _SHORT else _mark_of(body)


def _mark_of(body: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(body, digest_size=7).digest(), "big")


# Most facets are said again and again, word for word.
_SHORT = 1024
_mark_short = lru_cache(maxsize=8192)(_mark_of)


def _standing(story: Story, parts: dict[str, tuple[Name, Part]]) -> list[tuple[Name, Part]]:
    """The datasets that count: of a run all that were ever named, of a declaration those of the newest that names any."""
    if not story.declaration:
        return list(parts.values())
    newest = max(
        (part.last for side in (story.inputs, story.outputs) for _, part in side.values()), default=0
    )
    return [(name, part) for name, part in parts.values() if part.last == newest]


def _write(name: Name, part: Part, at: int, state: State, *, declared: bool) -> Write:
    version = min(part.versions, key=lambda text: (part.versions[text], text), default="")
    role = max(((t, change) for change, t in part.changes.items()), default=(0, "output"))[1]
    failed = state in (State.FAILED, State.KILLED)
    evidence = Evidence.DECLARED if declared or not part.how & 1 else Evidence.OBSERVED
    return Write(name, at, version, role, failed, evidence)


def _reads(story: Story, began: int, ended_at: int | None, *, continuous: bool) -> list[Read]:
    found: list[Read] = []
    for name, part in _standing(story, story.inputs):
        at = part.first if continuous else min(began, part.first)
        if story.declaration:
            evidence, rule = Evidence.DECLARED, ""
        elif part.how & 1:
            evidence, rule = Evidence.OBSERVED, ""
        elif part.how & 2:
            evidence, rule = Evidence.DECLARED, EXPLICIT
        else:
            if name in [output for output, _ in story.outputs.values()]:
                continue  # columns that come from the dataset itself say nothing of another state
            evidence, rule = Evidence.INFERRED, COLUMNS
        if part.versions:
            # Whoever names the state that it read has read it, whenever its writer says that it had ended.
            late = max(part.last, ended_at or 0)
            found += [Read(name, late, version, evidence, rule) for version in sorted(part.versions)]
        else:
            found.append(Read(name, at, "", evidence, rule))
    known = {read.name for read in found}
    for name, at in story.renamed.values():
        if name not in known:
            found.append(Read(name, at, "", Evidence.DECLARED, RENAMED))
    return found


def _gaps(story: Story, reads: list[Read], ended_at: int | None) -> list[str]:
    gaps = [
        *story.flags,
        *(
            f"input {read.name.namespace}/{read.name.name} is named by column lineage only"
            for read in reads
            if read.rule == COLUMNS
        ),
    ]
    if len(story.jobs) > 1:
        gaps.append("events of this run name several jobs")
    if len(story.parents) > 1:
        gaps.append("events of this run name several parents")
    if story.run in story.parents:
        gaps.append("the run calls itself its own parent")
    if len(story.ends) > 1:
        gaps.append(f"the run is said to have ended in several ways: {', '.join(sorted(story.ends))}")
    if ended_at is not None and story.started < FOREVER and ended_at < story.started:
        gaps.append("the run is said to have ended before it started")
    if story.events and story.started >= FOREVER and not story.declaration:
        gaps.append(NO_START)
    for side, parts in (("input", story.inputs), ("output", story.outputs)):
        for name, _ in parts.values():
            if _is_relative(name.namespace):
                gaps.append(f"{side} {name.namespace}/{name.name} is named by a relative path")
    return sorted(gaps)


def _is_relative(namespace: str) -> bool:
    """Whether a namespace names a database file by a path that means another file on another machine."""
    scheme, _, rest = namespace.partition("://")
    return (
        scheme in ("duckdb", "sqlite")
        and bool(rest)
        and not rest.startswith("/")
        and rest.endswith((".duckdb", ".db", ".sqlite"))
    )


def _first(item: tuple[int, Parent | None]) -> tuple[int, str]:
    return item[0], "" if item[1] is None else item[1].run
