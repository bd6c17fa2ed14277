"""Draining journals into the store: what every process of a project recorded, rebuilt into the stories of its runs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from lineal.core import events as ev
from lineal.core.errors import LinealError, Unavailable
from lineal.deliver import closing, configs, consoles, processes, reported, watched
from lineal.deliver.claims import Claims
from lineal.deliver.fingerprint import Fingerprints
from lineal.deliver.governing import Governing
from lineal.deliver.natives import Natives
from lineal.deliver.portions import portions
from lineal.deliver.profiles import Profiles
from lineal.deliver.schemas import Schemas
from lineal.deliver.spool import Spool, tell
from lineal.deliver.story import Story
from lineal.deliver.words import encode
from lineal.resolve.project import Project
from lineal.sdk import deliverer
from lineal.sdk.deliverer import WHY
from lineal.service.client import connect
from lineal.service.ingest import IngestRequest, PositionsRequest
from lineal.service.serving import served

Progress = Callable[[str], None]
_PATIENCE_S = 3.0  # how long one call is repeated; what is not taken is sent again by a later step
_PULSE_S = 60.0  # a run that has nothing to say is told to live so often


class Drain:
    """Drains the journals of a project that a place has to deliver (see `sdk.deliverer`); those of others are left alone.

    All of a run is rebuilt from its journal files, which stay until the run has ended and is recorded: a drain that is
    killed at any moment is simply begun again.
    """

    def __init__(self, project: Project, *, place: str = "", progress: Progress | None = None) -> None:
        self.project = project
        self._claims = Claims(project, place or deliverer.place(project))
        self._address = served(project)
        self.client = connect(project, patience_s=_PATIENCE_S)
        self._progress = progress
        self._fingerprints = Fingerprints(project, self._hashed)
        self._natives = Natives(project, self._fingerprints)
        self._schemas = Schemas(Profiles(os.path.join(project.dir, "profiles")))
        self._governing = Governing(project)
        self._tails = consoles.Tails()
        self._stories: dict[str, Story] = {}
        self._spools: dict[str, Spool] = {}
        self._closed: set[str] = set()
        self._looked_at: set[str] | None = (
            None  # names of the journals whose runs this step is about; None for all
        )
        self._left_behind: set[str] = set()  # runs that have ended, and whose programs live on
        self._refused: dict[str, str] = {}  # journals that could not be delivered, and why
        self._heard: dict[str, float] = {}  # when something was last handed over, by run
        self._bytes = 0
        self._announced = time.monotonic()
        self.events = 0
        self.runs = 0  # that were ended
        self.problems: list[str] = []
        self.outdated = False  # a younger version of Lineal wrote a journal here

    def story(self, run: str) -> Story:
        """The run's story, begun empty."""
        if run not in self._stories:
            self._stories[run] = Story(run, self.project, self._fingerprints, self._schemas)
            self._stories[run].left_behind = run in self._left_behind
        return self._stories[run]

    def step(self, *, final: bool = False, only: set[str] | None = None) -> bool:
        """Deliver what is there; gives back whether anything was new.

        Args:
            final: also end and clear away what has ended.
            only: names of journals; nothing is looked at but the runs that they tell of.
        Raises Unavailable: the store or the server did not take it; the next step sends again what was not taken.
        """
        self._reach()
        try:
            return self._step(final=final, only=only)
        except BaseException:
            self._forget()  # what was read but perhaps not taken is read again; taken twice, it has no second effect
            raise
        finally:
            self._looked_at = None

    def _step(self, *, final: bool, only: set[str] | None) -> bool:
        self._claims.ask_again()
        self._looked_at = (
            only if only is not None and only <= set(map(os.path.basename, self._spools)) else None
        )
        self._agree()
        self._discover()
        self._looked_at = only
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
                with self._refusing(spool):
                    batch = spool.batch(processes.actor_of(spool.opened))
                    if batch is not None:
                        batches.append((spool, batch))
            accesses = [access for spool, _ in batches for access in spool.accesses]
            for spool, _ in batches:
                spool.accesses = []
            tell(accesses)
            if batches:
                moved = True
                self._hand_over(batches)
            more = any(spool.more() for spool, _ in batches if spool.path not in self._refused)
        return moved

    def _hand_over(self, batches: list[tuple[Spool, ev.Batch]]) -> None:
        """All batches at once, or one by one when the store refuses them: one that it does not take costs the others nothing."""
        try:
            self._ingest([batch for _, batch in batches])
        except Unavailable:
            raise
        except LinealError:
            for spool, batch in batches:
                with self._refusing(spool):
                    self._ingest([batch])
        for spool, batch in batches:
            if spool.path not in self._refused:
                spool.position = batch.position
                self._heard.update(dict.fromkeys(spool.runs, _clock()))

    @contextlib.contextmanager
    def _refusing(self, *spools: Spool) -> Iterator[None]:
        """What goes wrong inside is the matter of these journals: they are left as they are, and it is said why."""
        try:
            yield
        except (Unavailable, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever one journal holds, the others are delivered
            reason = error.message if isinstance(error, LinealError) else f"{type(error).__name__}: {error}"
            for spool in spools:
                self._refused[spool.path] = reason
                with contextlib.suppress(OSError), open(spool.path + WHY, "w", encoding="utf-8") as file:
                    file.write(reason)

    def _refusing_run(self, story: Story) -> contextlib.AbstractContextManager[None]:
        return self._refusing(*(spool for spool in self._spools.values() if story.run in spool.runs))

    def close(self) -> None:
        """Let go of the store and the cache."""
        self._schemas.close()
        self._fingerprints.close()
        self.client.close()

    # ---- journals ----------------------------------------------------------------------------------------------------

    def _agree(self) -> None:
        """Begin the stories again when another process delivered from the same journals meanwhile."""
        ours = self._wanted()
        sources = [spool.source for spool in ours]
        known = (
            self.client.call("positions", PositionsRequest(door="journal", sources=sources)).positions
            if sources
            else {}
        )
        apart = any(
            not os.path.exists(spool.path) or not spool.position == spool.read_to == known[spool.source]
            for spool in ours
        )
        if apart:
            self._forget()
        for path in [path for path in self._spools if not os.path.exists(path)]:
            del self._spools[path]

    def _forget(self) -> None:
        self._spools.clear()
        self._stories.clear()
        self._governing.forget()

    def _reach(self) -> None:
        """A client of the server that has started meanwhile, or of the store whose server has ended."""
        address = served(self.project)
        if address != self._address:
            self.client.close()
            self.client, self._address = connect(self.project, patience_s=_PATIENCE_S), address

    def _discover(self) -> bool:
        """Take in journal files not met before, and replay what the store already has of them; whether there were any."""
        fresh: list[Spool] = []
        for path in journal_files(self.project):
            if path not in self._spools and os.access(path, os.R_OK):  # another user's are left to that user
                self._spools[path] = spool = Spool(path, self.story)
                spool.run = self._claims.met(path)
                fresh.append(spool)
        if not fresh:
            return False
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
        return True

    def _runs_looked_at(self) -> set[str] | None:
        """Those that the named journals tell of, and the runs within them; None for all."""
        if (names := self._looked_at) is None:
            return None
        found = {
            run for path, s in self._spools.items() if os.path.basename(path) in names for run in s.all_runs
        }
        return found.union(*(s.all_runs for s in self._spools.values() if not found.isdisjoint(s.all_runs)))

    def _wanted(self) -> list[Spool]:
        found = []
        only = self._runs_looked_at()
        for spool in self._spools.values():
            if only is not None and spool.runs and only.isdisjoint(spool.all_runs):
                continue  # one that was not read yet may be of any run
            if spool.damage is not None and not spool.damage.torn:
                continue
            if spool.path in self._refused or self._claims.elsewhere(spool.run):
                continue
            if spool.foreign:
                self.outdated = True
                continue
            found.append(spool)
        return found

    # ---- facts about files, environment and code -----------------------------------------------------------------------

    def _is_refused(self, run: str) -> bool:
        return any(run in self._spools[path].runs for path in self._refused if path in self._spools)

    def _mine(self) -> list[Story]:
        only = self._runs_looked_at()
        return [
            story
            for run, story in self._stories.items()
            if run
            and (only is None or run in only)
            and run not in self._closed
            and not self._claims.elsewhere(run)
            and not self._is_refused(run)
        ]

    def _facts(self) -> None:
        found: list[ev.Event] = []
        self._governing.begin()
        for story in self._mine():
            with self._refusing_run(story):
                found.extend(self._facts_of(story))
                self._metric_logs(story, final=False)
        if found:
            self._ingest([_facts_batch(found)])

    def _facts_of(self, story: Story) -> list[ev.Event]:
        if story.ended() is not None:
            return []  # told at once with its end
        found = self._governing.events(story, self.client.blobs)
        touched = [*story.tracker.inputs(final=False), *story.tracker.so_far(story.interval_s)]
        found.extend(self._named(story, touched))
        found.extend(_config_parameters(story))
        found.extend(self._printing(story))
        found.extend(self._pulse(story))
        return found

    def _named(self, story: Story, touched: list[ev.Event], *, final: bool = False) -> list[ev.Event]:
        """The events, with the names that stores of versions have for what the run touched."""
        self._natives.begun_with(
            {**os.environ, **story.variables}
        )  # keys are in no journal, only in our environment
        return self._natives.named(story, touched, final=final)

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
        every_s = min(_PULSE_S, story.interval_s)
        now = _clock()
        if self._heard.setdefault(story.run, now) + every_s > now or story.started is None or story.end:
            return []
        if not story.seen_here:
            return []  # whether it lives only its own machine can tell
        self._heard[story.run] = now
        at = time.time_ns() // 1000
        body = msgspec.Raw(encode({"at": at}))
        return [ev.FacetSet(run=story.run, name="lineal.alive/1", body=body, at=at)]

    # ---- ends ----------------------------------------------------------------------------------------------------------

    def _finish(self) -> bool:
        """Record the outputs and the end of every run that has ended, then remove its journals.

        Gives back whether a process that is gone now said something since it was read last: such a run is not ended yet.
        """
        if any(story.ended() for story in self._mine()) and self._discover():
            self._take()  # of a process that began and ended since the journals were listed
            self._facts()
        late = False
        told: list[tuple[Story, ev.Batch]] = []
        for story in self._mine():
            end = story.ended()
            if end is None:
                continue
            if any(self._last_words(spool) for spool in self._wanted() if story.run in spool.runs):
                late = True
                continue
            with self._refusing_run(story):
                told.append((story, self._end(story, end)))
        self._tell_ends(told)
        self._fingerprints.save()
        for path, spool in list(self._spools.items()):
            if spool.runs and spool.runs <= self._closed and not self._still_written(spool):
                if self._last_words(spool):
                    late = True
                else:
                    self._put_away(path, spool)
        self._let_go()
        return late

    def _let_go(self) -> None:
        """Forget ended runs of which no journal is left, and begin again those whose programs live on without them."""
        told_of = {run for spool in self._spools.values() if spool.begins for run in spool.runs}
        for path, spool in list(self._spools.items()):
            if spool.runs and spool.runs <= self._closed and not spool.runs & told_of:
                self._left_behind |= spool.runs
                del self._spools[path]
        kept = {run for spool in self._spools.values() for run in spool.runs}
        for run in self._closed - kept:
            self._stories.pop(run, None)
            self._heard.pop(run, None)
        self._closed &= kept

    def _end(self, story: Story, end: ev.RunEnded) -> ev.Batch:
        lost = end.state == ev.State.LOST
        began_at = int(story.started["at"]) if story.started is not None else None
        touched = story.tracker.inputs()
        touched.extend(story.tracker.outputs(None if lost else end.at, began_at))
        found = self._governing.events(story, self.client.blobs)
        found.extend(self._named(story, touched, final=True))
        found.extend(_config_parameters(story))
        self._metric_logs(story, final=True)
        watched.keep(story, found, self.client.blobs)
        found.extend(closing.facets(story, end.at))
        found.extend(self._printed(story, end.at))
        found.extend(reported.executed(story, self.client.blobs.put, end.at))
        if not story.guest:
            found.append(end)
        story.tracker.release()
        return _facts_batch(found)

    def _tell_ends(self, told: list[tuple[Story, ev.Batch]]) -> None:
        """All ends at once, or one by one when the store refuses them."""
        if not told:
            return
        try:
            self._ingest([batch for _, batch in told])
        except Unavailable:
            raise
        except LinealError:
            for story, batch in told:
                with self._refusing_run(story):
                    self._ingest([batch])
        ended = {story.run for story, _ in told if not self._is_refused(story.run)}
        self._closed |= ended
        self.runs += len(ended)

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
        return spool.opened is not None and not spool.ended and processes.alive(spool.opened)

    def _put_away(self, path: str, spool: Spool) -> None:
        """Remove a journal whose every record is in the store; keep a damaged one aside, for fsck to name."""
        try:
            notebooks = [copy for run in spool.runs for copy in self.story(run).notebooks]
            consoles.clear(path, notebooks)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + WHY)
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
            if self._progress:
                self._progress("storing what was recorded")
            self.events += self.client.call("ingest", IngestRequest(batches=part)).events

    def _hashed(self, count: int) -> None:
        self._bytes += count
        if self._progress and time.monotonic() - self._announced > 1:
            self._announced = time.monotonic()
            self._progress(f"fingerprinting files: {self._bytes / 1e6:,.0f} MB read")

    def refused(self) -> list[str]:
        """One sentence for each journal that could not be delivered and is still there."""
        return [
            f"{path}: cannot be delivered: {reason}"
            for path, reason in self._refused.items()
            if os.path.exists(path)
        ]

    def living(self) -> bool:
        """Whether a process still writes to one of the journals."""
        return any(
            processes.seen_here(spool.opened) and processes.alive(spool.opened)
            for spool in self._wanted()
            if spool.opened and not spool.ended
        )


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


def _clock() -> float:
    """Seconds, those included in which the machine slept."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


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
