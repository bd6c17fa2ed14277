"""What governed a run: the environment and the code of its program, as versions that it used."""

from __future__ import annotations

import os
from typing import Any, Protocol

import msgspec

from lineal.core import events as ev
from lineal.core.ids import sha256
from lineal.deliver import code, environment
from lineal.deliver.story import Story
from lineal.deliver.words import encode
from lineal.resolve.project import Project


class Blobs(Protocol):
    """Where bytes are kept."""

    def put(self, data: bytes) -> str:
        """Keep bytes; gives back their `sha256:...`."""
        ...


class Governing:
    """Tells each run's environment and code once, as soon as its program is seen (or when it ended without being seen)."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._told: set[str] = set()
        self._codes: dict[tuple[str, str | None], dict[str, Any]] = {}

    def forget(self) -> None:
        """Tell everything again."""
        self._told.clear()

    def begin(self) -> None:
        """From now on code is looked at anew: what was found before stands for the runs that had begun until then."""
        self._codes.clear()

    def events(self, story: Story, blobs: Blobs) -> list[ev.Event]:
        """What is to be told of the run now."""
        if story.run in self._told or story.started is None or story.started.get("within") or story.reused:
            return []  # a run within another one's process has that one's environment and code
        if story.program() is None and not story.end:
            return []
        self._told.add(story.run)
        at = int(story.started["at"])
        facts = environment.collect(
            story.program(), story.variables, self._project.root, here=story.seen_here
        )
        if lock := facts.get("lock"):
            lock["sha256"] = _kept_file(os.path.join(self._project.root, lock["path"]), blobs)
        found = [self._governs(story.run, "environment", facts, at)]
        if source := self._code(story, blobs):
            found.append(self._governs(story.run, "code", source, at))
        return found

    def _code(self, story: Story, blobs: Blobs) -> dict[str, Any]:
        started = story.started or {}
        script = started.get("entry")
        key = (
            str(started.get("cwd") or self._project.root),
            script if isinstance(script, str) else None,
        )
        if key not in self._codes:
            self._codes[key] = code.collect(*key, blobs.put, project=self._project.root)
        return self._codes[key]

    def _governs(self, run: str, kind: str, facts: dict[str, Any], at: int) -> ev.Event:
        body = encode(facts)
        state = ev.VersionState(
            namespace=self._project.name,
            name=kind,
            kind=kind,
            digest=sha256(body),
            size=len(body),
            facets={f"lineal.{kind}/1": msgspec.Raw(body)},
        )
        return ev.VersionUsed(run=run, version=state, at=at, role=kind, via=["deliver"])


def _kept_file(path: str, blobs: Blobs) -> str | None:
    try:
        with open(path, "rb") as file:
            return blobs.put(file.read())
    except OSError:
        return None
