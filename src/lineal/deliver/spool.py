"""One journal file on its way into the store: read on from where it was left, its records sorted by run."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from typing import Any

from lineal.core import events as ev
from lineal.deliver.story import Story
from lineal.deliver.words import text
from lineal.journal.read import Damage, FileEvent, Key, Point, Record, read

STEP = 8 << 20  # bytes read at once
SPEAKS = 1  # the youngest vocabulary of journals that is understood here


class Spool:
    """A journal file. `source`: its name in the store; `position`: how far it is recorded; `read_to`: how far it was read."""

    def __init__(self, path: str, story_of: Callable[[str], Story]) -> None:
        self.path = path
        self.source = os.path.basename(path).removesuffix(".lj")
        self.position = 0
        self.read_to = 0
        self.damage: Damage | None = None
        self.opened: dict[str, Any] | None = None
        self.run = ""
        self.runs: set[str] = set()
        self.begins = False  # it tells of the beginning of a run
        self.foreign = False  # a younger version of Lineal wrote it
        self.ended = False  # its process said that nothing more follows, though it may live on for a while
        self.accesses: list[tuple[int, Story, Any]] = []
        self._story_of = story_of
        self._keys: dict[int, str] = {}
        self._focus = (
            ""  # the run within the process that records belong to now, when it is not the process's own
        )

    @property
    def all_runs(self) -> set[str]:
        """The runs that it tells of, as far as it was read, and the one it was begun for."""
        return self.runs | {self.run}

    def replay(self, position: int) -> None:
        """Read what is recorded already, for its story only."""
        self.position = position
        while self.read_to < position and self.damage is None:
            self._read(position - self.read_to, told=True)

    def batch(self, actor: str) -> ev.Batch | None:
        """What was appended since, as one batch; None when there is nothing new."""
        start, before = self.read_to, self.position
        found = self._read(STEP, told=False)
        if self.read_to == start:
            return None
        return ev.Batch(
            door="journal",
            source=self.source,
            start=before,
            position=self.read_to,
            digest=self._digest(before, self.read_to),
            actor=actor,
            events=found,
        )

    def more(self) -> bool:
        """Whether whole frames may follow at once."""
        try:
            return self.damage is None and os.path.getsize(self.path) > self.read_to
        except OSError:
            return False

    def _read(self, limit: int, *, told: bool) -> list[ev.Event]:
        found, self.read_to, self.damage = read(self.path, self.read_to, min(limit, STEP))
        events: list[ev.Event] = []
        points: dict[str, list[Point]] = {}
        for item in found:
            if isinstance(item, Point):
                points.setdefault(self._focus or self.run, []).append(item)
            elif isinstance(item, FileEvent):
                self.accesses.append((item.at, self._joined(self._focus or self.run), item))
            elif isinstance(item, Key):
                self._keys[item.id] = text(item.name)
                self._story_of(self._focus or self.run).keys.add(text(item.name))
            elif isinstance(item, Record):
                events.extend(self._record(item))
        if told:
            return []
        for run, found_points in points.items():
            events.append(self._points(run, found_points))
            self._joined(run).last_at = max(self._joined(run).last_at, found_points[-1].at)
        return events

    def _record(self, item: Record) -> list[ev.Event]:
        if item.type == "open":
            self.opened = item.fields
            self.foreign = int(item.fields.get("speaks") or 1) > SPEAKS
            self.run = str(item.fields.get("run") or "")
            self.runs.add(self.run)
            self._story_of(self.run).opened(self.source, item.fields)
            return []
        self.ended = bool(item.fields.get("last"))
        if item.type == "focus":
            self._focus = str(item.fields.get("to") or "")
            return []
        self.begins = self.begins or item.type == "run"
        if item.type == "run" and item.fields.get("within"):
            item.fields.setdefault("parent", self._focus or self.run)
        own = item.type in _OF_THE_PROCESS
        story = self._joined(str(item.fields.get("run") or (not own and self._focus) or self.run))
        if item.type in _ORDERED:
            self.accesses.append((item.at, story, item))
            return []
        return story.record(self.source, item.fields)

    def _joined(self, run: str) -> Story:
        """The story of a run that this process belongs to."""
        if run not in self.runs:
            self.runs.add(run)
            if self.opened is not None:
                self._story_of(run).opened(self.source, self.opened)
        return self._story_of(run)

    def _points(self, run: str, points: list[Point]) -> ev.MetricPoints:
        numbers = {number: index for index, number in enumerate(self._keys)}
        size = len(points)
        return ev.MetricPoints(
            run=run,
            keys=list(self._keys.values()),
            key=struct.pack(f"<{size}I", *(numbers[p.key] for p in points)),
            step=struct.pack(f"<{size}q", *(p.step for p in points)),
            at=struct.pack(f"<{size}q", *(p.at for p in points)),
            value=struct.pack(f"<{size}d", *(p.value for p in points)),
        )

    def _digest(self, start: int, end: int) -> str:
        with open(self.path, "rb") as file:
            file.seek(start)
            return "sha256:" + hashlib.sha256(file.read(end - start)).hexdigest()


_OF_THE_PROCESS = frozenset({"exit", "note", "open"})  # told of the process, whatever run is open within it
_ORDERED = frozenset(
    {"mv", "hash", "use", "save", "model", "best"}
)  # their place among the file accesses of the run matters


def tell(accesses: list[tuple[int, Story, Any]]) -> None:
    """Tell each run's story the accesses of all its processes in the order in which they happened."""
    for _, story, item in sorted(accesses, key=lambda access: access[0]):
        if isinstance(item, FileEvent):
            story.file(item)
        else:
            story.record("", item.fields)
