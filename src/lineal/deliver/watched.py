"""What is kept of a run that may be used again: which folders its programs listed, and which files they looked for in vain."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from lineal.core import events as ev
from lineal.core.errors import LinealError
from lineal.core.ids import sha256
from lineal.deliver.words import encode, pairs, text

if TYPE_CHECKING:
    from lineal.deliver.story import Story

FACET = "lineal.reuse/1"
REUSED = "lineal.reused/1"
RETURNED = "returned"  # the role of what a cached step gave back
RETURNED_FACET = "lineal.returned/1"
_MOST = 100_000
_KEPT_OF_FILE, _KEPT_OF_RUN = 64 << 20, 512 << 20  # bytes


class Watched:
    """Of one run. A folder that was listed twice with different content stands as it was first seen."""

    def __init__(self) -> None:
        self.listings: dict[str, dict[str, Any]] = {}
        self.absent: dict[str, None] = {}
        self.gaps: dict[str, None] = {}
        self.on = False
        self.step: dict[str, Any] | None = None  # of a cached step: what it depended on, and what it imported

    def facet(self, program: dict[str, Any] | None) -> dict[str, Any] | None:
        """What is to be kept, None of a run that was not watched. program: the `open` record of its program."""
        if not self.on:
            return None
        kept = ("python", "implementation", "sys_path", "executable")
        return {
            "program": {key: program[key] for key in kept if key in program} if program else None,
            "listings": list(self.listings.values()),
            "absent": list(self.absent),
            "gaps": list(self.gaps),
            **({"step": self.step} if self.step is not None else {}),
        }


def keep(story: Story, found: Sequence[ev.Event], blobs: Any) -> None:
    """Keep the bytes of what a watched run wrote, so that it can be put back: files of up to 64 MB, 512 MB in all."""
    if not story.watched.on:
        return
    left = _KEPT_OF_RUN
    for event in found:
        if not isinstance(event, ev.VersionGenerated) or event.version.level is not ev.Level.CONTENT:
            continue
        for path, digest, size in _files(event.version):
            if size > min(_KEPT_OF_FILE, left) or blobs.has(digest):
                continue
            try:
                blobs.put_file(path) if hasattr(blobs, "put_file") else blobs.put(_read(path))
                left -= size
            except (OSError, LinealError):
                continue  # it will be made again


def _files(version: ev.VersionState) -> Iterator[tuple[str, str, int]]:
    """(path, digest, size in bytes) of a file, of each file of a folder."""
    parts = urlsplit(version.location)
    if parts.scheme != "file" or not version.digest:
        return
    place = os.fsdecode(unquote_to_bytes(parts.path))
    if not version.members:
        yield place, version.digest, version.size or 0
    for member in version.members:
        yield os.path.join(place, member.path), member.digest, member.size


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def watch(story: Story, journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """One of its programs is watched; or a step was, and this is what it depended on."""
    watched = story.watched
    watched.on = True
    if isinstance(record.get("step"), dict):
        watched.step = record["step"]
    watched.gaps.update(dict.fromkeys(text(gap) for gap in record.get("gaps") or []))
    return []


def returned(story: Story, journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """What a cached step gave back, exactly; or, of one that was not run, what it gives back again."""
    value = str(record["value"])
    body = msgspec.Raw(encode({"value": value}))
    state = ev.VersionState(
        namespace=story.project.name,
        name=f"{text(record.get('job') or '')}()",
        kind="other",
        digest=sha256(value.encode()),
        size=len(value),
        facets={RETURNED_FACET: body},
    )
    at = int(record["at"])
    if record.get("used"):
        return [ev.VersionUsed(run=story.run, version=state, at=at, role="reused", via=["sdk"])]
    return [ev.VersionGenerated(run=story.run, version=state, at=at, role=RETURNED, via=["sdk"])]


def listed(story: Story, journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """A folder was listed; without a path, some were that are not known."""
    watched = story.watched
    if not record.get("path"):
        watched.gaps[str(record.get("reason") or "folders were listed that are not known")] = None
    elif len(watched.listings) < _MOST:
        told = {
            key: record[key] for key in ("path", "digest", "count", "importer", "names") if record.get(key)
        }
        watched.listings.setdefault(str(record["path"]), told)
    else:
        watched.gaps[f"more than {_MOST} folders were listed"] = None
    return []


def absent(story: Story, journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """A file was to be read that is not there."""
    if len(story.watched.absent) < _MOST:
        story.watched.absent[os.fsencode(str(record["path"])).decode("utf-8", "backslashreplace")] = None
    else:
        story.watched.gaps[f"more than {_MOST} files were looked for in vain"] = None
    return []


def reused(story: Story, journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """An earlier run stands for this one."""
    at = int(record["at"])
    story.reused = text(record["of"])
    body = {"run": story.reused, "restored": record.get("restored") or []}
    found: list[ev.Event] = [
        ev.FacetSet(run=story.run, name=REUSED, body=msgspec.Raw(encode(body)), at=at),
    ]
    sources = record.get("sources") or {}
    for key, value in pairs(record.get("params")):
        found.append(
            ev.ParamSet(run=story.run, key=key, value=value, at=at, source=text(sources.get(key) or ""))
        )
    return found
