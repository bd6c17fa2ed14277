"""What is only known of a run when it has ended, as facets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from lineal.core import events as ev
from lineal.deliver import watched
from lineal.deliver.words import encode, text
from lineal.resolve.content import sha256_of
from lineal.resolve.project import artifact_name

if TYPE_CHECKING:
    from lineal.deliver.story import Story

_MOST_PROCESSES = 500  # listed of one run; the count is of all


def facets(story: Story, at: int) -> list[ev.Event]:
    """What is only known at the end: seeds, own source files, imported packages, notes and gaps."""
    found: list[ev.Event] = []
    if story.guest:
        return _of_worker(story, at)  # the run's own are told where it was begun
    if story.seeds:
        found.append(facet(story.run, "lineal.seeds/1", {"seeds": story.seeds}, at))
    if story.processes or story.natives:
        found.append(facet(story.run, "lineal.processes/1", _processes(story), at))
    if story.modules:
        found.append(facet(story.run, "lineal.imports/1", {"modules": sorted(story.modules)}, at))
    if story.sources:
        found.append(facet(story.run, "lineal.sources/1", {"files": _source_digests(story)}, at))
    found.extend(story.logs.facet(lambda path: artifact_name(story.project, path)[1], at))
    if gap := story.tracker.beyond.gap():
        story.notes[text(gap)] = None
    for path in story.tracker.missing:
        story.notes[f"declared as an output, but not there at the end: {text(os.fsdecode(path))}"] = None
    if body := story.watched.facet(story.program()):
        found.append(facet(story.run, watched.FACET, body, at))
    if story.notes:
        found.append(facet(story.run, "lineal.notes/1", {"gaps": list(story.notes)}, at))
    return found


def _of_worker(story: Story, at: int) -> list[ev.Event]:
    """What is known of programs that only took part: a facet of their own, named after the first of them."""
    first = min(
        (*story.processes.values(), *story.natives.values()),
        key=lambda opened: int(opened.get("at") or 0),
        default=None,
    )
    if first is None or not (story.joined or story.left_behind):
        return []
    host = "".join(sign if sign.isalnum() else "-" for sign in text(first.get("host") or "unknown"))
    name = f"lineal.worker.{host}-{first.get('pid')}-{first.get('start')}/1"
    return [facet(story.run, name, {**_processes(story), "gaps": list(story.notes)}, at)]


def _processes(story: Story) -> dict[str, Any]:
    """The processes of the run that left a record, oldest first; one that was seen by two layers is one."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    for opened in (*story.processes.values(), *story.natives.values()):
        if opened is story.owner:
            continue
        key = (opened.get("host"), opened.get("boot"), opened.get("pid"), opened.get("start"))
        layer = text(opened.get("layer") or "python")
        if layer == "supervisor":
            continue
        known = seen.setdefault(
            key,
            {
                "pid": opened.get("pid"),
                "ppid": opened.get("ppid"),
                "host": text(opened.get("host") or ""),
                "program": text(opened.get("executable") or ""),
                "started_at": opened.get("at"),
                "seen_by": [],
            },
        )
        known["seen_by"] = sorted({*known["seen_by"], layer})
    listed = sorted(seen.values(), key=lambda one: int(one["started_at"] or 0))
    return {"layers": story.layers, "count": len(listed), "processes": listed[:_MOST_PROCESSES]}


def _source_digests(story: Story) -> dict[str, str | None]:
    digests: dict[str, str | None] = {}
    for path in sorted(story.sources):
        _, name = artifact_name(story.project, os.fsencode(path))
        try:
            digests[name] = "sha256:" + sha256_of(os.fsencode(path))
        except OSError:
            digests[name] = None
    return digests


def facet(run: str, name: str, body: dict[str, Any], at: int) -> ev.FacetSet:
    """A facet of a run."""
    return ev.FacetSet(run=run, name=name, body=msgspec.Raw(encode(body)), at=at)
