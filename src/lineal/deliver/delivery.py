"""Draining journals into the store: during a run by the process beside it, and by the next command after a crash."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lineal.core import events as ev
from lineal.core.errors import LinealError, Unavailable
from lineal.core.ids import sha256
from lineal.deliver import code, configs, consoles, environment, processes, reported
from lineal.deliver.fingerprint import Fingerprints
from lineal.deliver.lock import only_one, store_lock
from lineal.deliver.natives import Natives
from lineal.deliver.portions import portions
from lineal.deliver.profiles import Profiles
from lineal.deliver.schemas import Schemas
from lineal.deliver.spool import Spool, tell
from lineal.deliver.story import Story, actor_of, encode
from lineal.journal.read import read
from lineal.resolve.project import Project
from lineal.service.client import connect
from lineal.service.ingest import IngestRequest, PositionsRequest
from lineal.service.serving import served

Progress = Callable[[str], None]
_PATIENCE_S = 3.0  # how long one call is repeated; what is not taken is sent again by a later step
_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0  # between tries to reach a server that is away
_PULSE_S = 60.0  # a run that has nothing to say is told to live so often
_INTERVAL_S = 300.0
_OUTAGE_S = 900.0  # how long `serve` goes on trying when nothing is taken and no program lives any more


class SyncReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery did. problems: one sentence each, naming the file and what is wrong with it."""

    events: int
    runs: int
    problems: list[str]


class Drain:
    """Drains journals of a project. `only`: deliver just this run; None: everybody's that no living process delivers.

    All of a run is rebuilt from its journal files, which stay until the run has ended and is recorded: a drain that is
    killed at any moment is simply begun again.
    """

    def __init__(
        self, project: Project, *, only: str | None = None, progress: Progress | None = None
    ) -> None:
        self.project = project
        self._address = served(project)
        self.client = connect(project, patience_s=_PATIENCE_S)
        self._only = only
        self._progress = progress
        self._fingerprints = Fingerprints(project, self._hashed)
        self._natives = Natives(project, self._fingerprints)
        self._schemas = Schemas(Profiles(os.path.join(project.dir, "profiles")))
        self._stories: dict[str, Story] = {}
        self._spools: dict[str, Spool] = {}
        self._closed: set[str] = set()
        self._heard: dict[str, float] = {}  # when something was last handed over, by run
        self._governed: set[str] = set()
        self._tails = consoles.Tails()
        self._variables: Mapping[str, str] | None = None
        self._bytes = 0
        self._announced = time.monotonic()
        self.events = 0
        self.problems: list[str] = []

    def story(self, run: str) -> Story:
        """The run's story, begun empty."""
        if run not in self._stories:
            self._stories[run] = Story(run, self.project, self._fingerprints, self._schemas)
        return self._stories[run]

    def started_with(self, variables: Mapping[str, str]) -> None:
        """The environment variables the run was started with."""
        self._variables = variables
        self._natives.begun_with(variables)

    def step(self, *, final: bool = False) -> bool:
        """Deliver what is there; gives back whether anything was new. final: also end and clear away what has ended.

        Raises Unavailable: the store or the server did not take it; the next step sends again what was not taken.
        """
        self._reach()
        try:
            return self._step(final=final)
        except BaseException:
            self._forget()  # what was read but perhaps not taken is read again; taken twice, it has no second effect
            raise

    def _step(self, *, final: bool) -> bool:
        self._agree()
        self._discover()
        moved = self._take()
        self._facts()
        while final and self._finish() and self._take():
            self._facts()
        self._fingerprints.save()
        return moved

    def _take(self) -> bool:
        """Read on and hand over until nothing more follows at once; gives back whether anything was new."""
        moved = False
        more = True
        while more:
            batches = []
            for spool in self._wanted():
                batch = spool.batch(actor_of(spool.opened))
                if batch is not None:
                    batches.append((spool, batch))
            accesses = [access for spool, _ in batches for access in spool.accesses]
            for spool, _ in batches:
                spool.accesses = []
            tell(accesses)
            if batches:
                moved = True
                self._ingest([batch for _, batch in batches])
                for spool, batch in batches:
                    spool.position = batch.position
                    self._heard.update(dict.fromkeys(spool.runs, time.monotonic()))
            more = any(spool.more() for spool, _ in batches)
        return moved

    def close(self) -> None:
        """Let go of the store and the cache."""
        self._schemas.close()
        self._fingerprints.close()
        self.client.close()

    # ---- journals ----------------------------------------------------------------------------------------------------

    def _agree(self) -> None:
        """Begin the stories again when another process delivered from the same journals meanwhile."""
        sources = [spool.source for spool in self._spools.values()]
        known = (
            self.client.call("positions", PositionsRequest(door="journal", sources=sources)).positions
            if sources
            else {}
        )
        apart = any(
            not os.path.exists(path) or not spool.position == spool.read_to == known[spool.source]
            for path, spool in self._spools.items()
        )
        if apart:
            self._forget()

    def _forget(self) -> None:
        self._spools.clear()
        self._stories.clear()
        self._governed.clear()

    def _reach(self) -> None:
        """A client of the server that has started meanwhile, or of the store whose server has ended."""
        address = served(self.project)
        if address != self._address:
            self.client.close()
            self.client, self._address = connect(self.project, patience_s=_PATIENCE_S), address

    def _discover(self) -> None:
        """Take in journal files not met before, and replay what the store already has of them."""
        fresh: list[Spool] = []
        for path in journal_files(self.project):
            if path not in self._spools:
                spool = Spool(path, self.story)
                if self._only is not None and _run_of(path) not in (self._only, None):
                    continue
                self._spools[path] = spool
                fresh.append(spool)
        if not fresh:
            return
        request = PositionsRequest(door="journal", sources=[spool.source for spool in fresh])
        known = self.client.call("positions", request).positions
        for spool in fresh:
            try:
                spool.replay(known[spool.source])
            except OSError as error:
                self.problems.append(f"{spool.path}: cannot be read: {error.strerror}")
        tell([access for spool in fresh for access in spool.accesses])
        for spool in fresh:
            spool.accesses = []

    def _wanted(self) -> list[Spool]:
        found = []
        for spool in self._spools.values():
            if spool.damage is not None and not spool.damage.torn:
                continue
            if self._only is None and any(self.story(run).owned_elsewhere() for run in spool.runs):
                continue
            found.append(spool)
        return found

    # ---- facts about files, environment and code -----------------------------------------------------------------------

    def _mine(self) -> list[Story]:
        return [
            story
            for run, story in self._stories.items()
            if run
            and run not in self._closed
            and (self._only in (None, run) or (story.started or {}).get("within"))
            and not story.owned_elsewhere()
        ]

    def _facts(self) -> None:
        found: list[ev.Event] = []
        for story in self._mine():
            found.extend(self._governing(story))
            if story.ended() is not None:
                continue  # told at once with the rest, and then let go of
            touched = [*story.tracker.inputs(final=False), *story.tracker.so_far(interval_s())]
            found.extend(self._natives.named(story, touched))
            found.extend(_config_parameters(story))
            found.extend(self._printing(story))
            found.extend(self._pulse(story))
        if found:
            self._ingest([_facts_batch(found)])
        for story in self._mine():
            self._metric_logs(story, final=False)

    def _metric_logs(self, story: Story, *, final: bool) -> None:
        """Metrics out of the files that the run writes."""
        batches = story.logs.batches(story.tracker.written(), story.keys, self._log_positions, final=final)
        if batches:
            self._ingest(batches)

    def _log_positions(self, sources: list[str]) -> dict[str, int]:
        request = PositionsRequest(door="deliver", sources=sources)
        return dict(self.client.call("positions", request).positions)

    def _pulse(self, story: Story) -> list[ev.Event]:
        """That a run which has nothing to say lives, now and then: a server gives up what it hears nothing of."""
        every_s = min(_PULSE_S, interval_s())
        now = time.monotonic()
        if self._heard.setdefault(story.run, now) + every_s > now or story.started is None or story.end:
            return []
        self._heard[story.run] = now
        at = time.time_ns() // 1000
        body = msgspec.Raw(encode({"at": at}))
        return [ev.FacetSet(run=story.run, name="lineal.alive/1", body=body, at=at)]

    def _governing(self, story: Story) -> list[ev.Event]:
        """The run's environment and code, once its program is seen to run (or when it has ended without being seen)."""
        if story.run in self._governed or story.started is None or story.started.get("within"):
            return []  # a run within another one's process has that one's environment and code
        if story.program() is None and not story.end:
            return []
        self._governed.add(story.run)
        at = int(story.started["at"])
        variables = self._variables if self._variables is not None else os.environ
        facts = environment.collect(story.program(), variables, self.project.root)
        if lock := facts.get("lock"):
            lock["sha256"] = self._keep_file(os.path.join(self.project.root, lock["path"]))
        script = story.started.get("entry")
        root = str(story.started.get("cwd") or self.project.root)
        named = script if isinstance(script, str) else None
        source = code.collect(root, named, self.client.blobs.put, project=self.project.root)
        found = [_governs(story.run, self.project.name, "environment", facts, at)]
        if source:
            found.append(_governs(story.run, self.project.name, "code", source, at))
        return found

    def _keep_file(self, path: str) -> str | None:
        try:
            with open(path, "rb") as file:
                return str(self.client.blobs.put(file.read()))
        except OSError:
            return None

    # ---- ends ----------------------------------------------------------------------------------------------------------

    def _finish(self) -> bool:
        """Record the outputs and the end of every run that has ended, then remove its journals.

        Gives back whether a process that is gone now said something since it was read last: such a run is not ended yet.
        """
        late = False
        for story in self._mine():
            end = story.ended()
            if end is None:
                continue
            if any(self._last_words(spool) for spool in self._wanted() if story.run in spool.runs):
                late = True
                continue
            lost = end.state == ev.State.LOST
            began_at = int(story.started["at"]) if story.started is not None else None
            touched = story.tracker.inputs()
            touched.extend(story.tracker.outputs(None if lost else end.at, began_at))
            found = self._natives.named(story, touched, final=True)
            found.extend(_config_parameters(story))
            self._metric_logs(story, final=True)
            found.extend(story.closing_facets(end.at))
            found.extend(self._printed(story, end.at))
            found.extend(reported.executed(story, self.client.blobs.put, end.at))
            if not story.guest:
                found.append(end)
            story.tracker.release()
            self._ingest([_facts_batch(found)])
            self._closed.add(story.run)
        self._fingerprints.save()
        for path, spool in list(self._spools.items()):
            if spool.runs and spool.runs <= self._closed and not self._still_written(spool):
                if self._last_words(spool):
                    late = True
                else:
                    self._put_away(path, spool)
        return late

    def _printing(self, story: Story) -> list[ev.Event]:
        """The end of what the run's processes printed so far, when it is time to tell it."""
        body = self._tails.of(story.run, self._journals(story))
        name, at = "lineal.console_tail/1", time.time_ns() // 1000
        return [ev.FacetSet(run=story.run, name=name, body=msgspec.Raw(encode(body)), at=at)] if body else []

    def _journals(self, story: Story) -> list[tuple[str, dict[str, Any]]]:
        return [
            (path, spool.opened)
            for path, spool in self._spools.items()
            if spool.run == story.run and spool.opened is not None
        ]

    def _printed(self, story: Story, at: int) -> list[ev.Event]:
        """What the run's processes printed."""
        self._tails.forget(story.run)
        body = consoles.kept(self._journals(story), self.client.blobs.put)
        name = "lineal.console/1"
        return [ev.FacetSet(run=story.run, name=name, body=msgspec.Raw(encode(body)), at=at)] if body else []

    def _last_words(self, spool: Spool) -> bool:
        """Whether a process that writes no more left something that was not read yet; its life is asked for first."""
        return not self._still_written(spool) and spool.more()

    def _still_written(self, spool: Spool) -> bool:
        return (
            spool.opened is not None
            and spool.opened.get("pid") != os.getpid()
            and processes.alive(spool.opened)
        )

    def _put_away(self, path: str, spool: Spool) -> None:
        """Remove a journal whose every record is in the store; keep a damaged one aside, for fsck to name."""
        try:
            consoles.clear(path)
            if spool.damage is None:
                os.unlink(path)
            else:
                os.replace(path, path + ".damaged")
                self.problems.append(f"{path}.damaged: {spool.damage}; what stood before it is recorded")
        except OSError as error:
            self.problems.append(f"{path}: cannot be removed: {error.strerror}")
        del self._spools[path]

    # ---- the store -----------------------------------------------------------------------------------------------------

    def _ingest(self, batches: list[ev.Batch]) -> None:
        for part in [batches] if self._address is None else portions(batches):
            self.events += self.client.call("ingest", IngestRequest(batches=part)).events

    def _hashed(self, count: int) -> None:
        self._bytes += count
        if self._progress and time.monotonic() - self._announced > 2:
            self._announced = time.monotonic()
            self._progress(f"fingerprinting files: {self._bytes / 1e6:,.0f} MB read")

    def living(self) -> bool:
        """Whether a process still writes to one of the journals."""
        return any(processes.alive(spool.opened) for spool in self._spools.values() if spool.opened)

    @property
    def closed(self) -> int:
        """How many runs were ended."""
        return len(self._closed)


def _governs(run: str, namespace: str, kind: str, facts: dict[str, Any], at: int) -> ev.Event:
    body = encode(facts)
    state = ev.VersionState(
        namespace=namespace,
        name=kind,
        kind=kind,
        digest=sha256(body),
        size=len(body),
        facets={f"lineal.{kind}/1": msgspec.Raw(body)},
    )
    return ev.VersionUsed(run=run, version=state, at=at, role=kind, via=["deliver"])


def _config_parameters(story: Story) -> list[ev.Event]:
    found: list[ev.Event] = []
    for path, digest in story.tracker.configs.items():
        if digest == "":
            continue
        found.extend(
            ev.ParamSet(run=story.run, key=key, value=value, at=story.last_at, source="config")
            for key, value in configs.parameters(path).items()
        )
        story.tracker.configs[path] = ""
    return found


def _facts_batch(found: list[ev.Event]) -> ev.Batch:
    return ev.Batch(door="deliver", source="facts", start=0, position=0, digest="", actor="", events=found)


def interval_s() -> float:
    """Seconds between two versions of a file that is written all the time: LINEAL_INTERVAL, else five minutes."""
    try:
        return max(float(os.environ.get("LINEAL_INTERVAL", "")), 0.1)
    except ValueError:
        return _INTERVAL_S


def journal_files(project: Project) -> list[str]:
    """The project's journal files, oldest first."""
    found: list[tuple[int, str]] = []
    try:
        with os.scandir(project.journal_dir) as entries:
            found.extend(
                (entry.stat().st_ctime_ns, entry.path) for entry in entries if entry.name.endswith(".lj")
            )
    except OSError:
        return []
    return [path for _, path in sorted(found)]


def _run_of(path: str) -> str | None:
    """The run whose journal this is, by its first record; None when it cannot be told yet."""
    try:
        frames, _, _ = read(path, 0, 4096)
    except OSError:
        return None
    fields = getattr(frames[0], "fields", {}) if frames else {}
    return str(fields.get("run") or "") if fields else None


class Delivery:
    """Delivers one run while its program runs; for `lineal run`. Not to be used by several threads."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._drain: Drain | None = None
        self._again_at, self._pause_s = 0.0, _PAUSE_S

    def begin(self, run: str, command: list[str], variables: Mapping[str, str], cwd: str) -> None:
        """The program of this run was just started."""
        self._drain = Drain(self._project, only=run)
        self._drain.started_with(variables)

    def tick(self) -> None:
        """Deliver what is there, if the store is free at this moment. A server that is away is tried again, ever later."""
        if self._drain is None or time.monotonic() < self._again_at:
            return
        try:
            with store_lock(self._project, wait=0) as got:
                if got:
                    self._drain.step()
                    self._pause_s = _PAUSE_S
        except Unavailable:
            self._again_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def finish(self, progress: Progress | None = None) -> SyncReport:
        """The program has ended and its end is in the journal: deliver everything, then what crashed runs left behind."""
        drain = self._drain
        if drain is None:
            return SyncReport(events=0, runs=0, problems=[])
        drain._progress = progress
        try:
            with store_lock(self._project, progress=progress):
                drain.step(final=True)
        finally:
            drain.close()
        problems = drain.problems
        if journal_files(self._project):
            try:
                problems = problems + sync(self._project, progress=progress, wait=5.0).problems
            except Unavailable as error:
                problems = [*problems, f"other runs' journals wait for the next command: {error.message}"]
        return SyncReport(events=drain.events, runs=drain.closed, problems=problems)


def sync(project: Project, *, progress: Progress | None = None, wait: float | None = 120.0) -> SyncReport:
    """Deliver everything that no living process is delivering: crashed runs, ended programs, whatever was left.

    Raises Unavailable: another process keeps writing to the store for longer than `wait` seconds.
    """
    if not journal_files(project):
        return SyncReport(events=0, runs=0, problems=[])
    with store_lock(project, wait=wait, progress=progress) as got:
        if not got:
            return SyncReport(
                events=0, runs=0, problems=["another process writes to the store: nothing was delivered"]
            )
        drain = Drain(project, progress=progress)
        try:
            drain.step(final=True)
        finally:
            drain.close()
    return SyncReport(events=drain.events, runs=drain.closed, problems=drain.problems)


def serve(project: Project, *, idle_s: float = 3.0) -> None:
    """Deliver for programs that were started without `lineal run`, until none of them lives any more.

    At most one such process works on a project; another one leaves at once.
    """
    with only_one(os.path.join(project.dir, "deliver.lock")) as alone:
        if not alone:
            return
        drain = Drain(project)
        last = taken = time.monotonic()
        pause = _PAUSE_S
        try:
            while journal_files(project) and time.monotonic() - last < idle_s:
                try:
                    with store_lock(project, wait=10):
                        moved = drain.step(final=True)
                    pause = _PAUSE_S
                except LinealError as error:
                    moved = isinstance(error, Unavailable) and time.monotonic() - taken < _OUTAGE_S
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE_S)
                else:
                    taken = time.monotonic()
                if moved or drain.living():
                    last = time.monotonic()
                time.sleep(0.5)
        finally:
            drain.close()


def check_journal(project: Project) -> list[str]:
    """What is broken among the journal files, one sentence each."""
    problems: list[str] = []
    for path in journal_files(project):
        offset = 0
        while True:
            try:
                _, after, damage = read(path, offset)
            except OSError as error:
                problems.append(f"{path}: cannot be read: {error.strerror}")
                break
            if damage is not None:
                if not damage.torn:
                    problems.append(f"{path}: {damage}")
                break
            if after == offset:
                break
            offset = after
    try:
        kept = sorted(name for name in os.listdir(project.journal_dir) if name.endswith(".damaged"))
    except OSError:
        kept = []
    return problems + [
        f"{os.path.join(project.journal_dir, name)}: was damaged when it was delivered" for name in kept
    ]
