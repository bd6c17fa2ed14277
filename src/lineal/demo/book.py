"""Writes a story into a project's record through the same operations as everybody, each at its own time."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lineal.core import events as ev
from lineal.core.ids import sha256, uuid7
from lineal.demo.tables import Table
from lineal.resolve.project import Project
from lineal.service import operations
from lineal.service.ingest import IngestRequest
from lineal.store.open import Store

_MINUTE = 60_000_000


@dataclass(frozen=True)
class File:
    """A file of the story. text None: its content cannot be known, for `reason`."""

    path: str
    text: str | None
    kind: str = "dataset"
    role: str = ""
    reason: str = ""
    facets: Mapping[str, object] = field(default_factory=dict)
    via: str = ""


def table(path: str, content: Table, via: str = "") -> File:
    """A table as a CSV file."""
    return File(path, content.text(), facets={"lineal.schema/1": content.schema()}, via=via)


@dataclass
class Book:
    """The story's teller: knows the project, the store and which files lie on the disk in the end."""

    project: Project
    store: Store
    disk: dict[str, str] = field(default_factory=dict)
    told: int = 0

    def call(self, name: str, module: str, request: Any, *, actor: str, at: int) -> Any:
        """One operation, done by `actor` at that time (microseconds UTC)."""
        return operations.call(
            operations.find(name, module),
            request,
            store=self.store,
            blobs=None,
            caller=operations.Caller(actor, operations.ALL_PERMISSIONS),
            namespace=self.project.name,
            now=lambda: at,
        )

    def run(
        self,
        job: str,
        *,
        at: int,
        minutes: float,
        actor: str,
        commit: str,
        reads: Sequence[File] = (),
        writes: Sequence[File] = (),
        params: Mapping[str, object] | None = None,
        curves: Mapping[str, Sequence[float]] | None = None,
        error: ev.ErrorInfo | None = None,
        state: ev.State = ev.State.FINISHED,
        group: str | None = None,
        packages: Mapping[str, str] | None = None,
    ) -> str:
        """Tell of one run; gives back its id. curves: a metric's values, one per step."""
        self.told += 1
        at += self.told * 7_654_321 % 59_000_000  # nobody starts on the full hour
        run = uuid7(at, hashlib.sha256(f"{job} {self.told}".encode()).digest()[:10])
        end = at + round(minutes * _MINUTE)
        found: list[ev.Event] = [
            ev.RunStarted(run=run, namespace=self.project.name, job=job, at=at, actor=actor, group=group)
        ]
        found += [
            ev.ParamSet(run=run, key=key, value=_text(value), at=at, source="argparse")
            for key, value in (params or {}).items()
        ]
        for kind, facts in _governing(commit, packages or {}):
            found.append(
                ev.VersionUsed(run=run, version=self._facts(kind, facts), at=at, role=kind, via=["deliver"])
            )
        for file in reads:
            found.append(ev.VersionUsed(run=run, version=self._version(file), at=at + _MINUTE // 10,
                                        role=file.role or "input", via=["audit", *filter(None, [file.via])]))  # fmt: skip
        for key, values in (curves or {}).items():
            found.append(_points(run, key, values, at, end))
        for file in writes:
            found.append(ev.VersionGenerated(run=run, version=self._version(file), at=end - _MINUTE // 10,
                                             role=file.role or "output", via=["audit", *filter(None, [file.via])]))  # fmt: skip
            if file.text is not None:
                self.disk[file.path] = file.text
        code = 0 if state == ev.State.FINISHED else 1 if state == ev.State.FAILED else None
        found.append(ev.RunEnded(run=run, at=end, state=state, exit_code=code, error=error))
        batch = ev.Batch(
            door="demo", source=f"demo/{run}", start=0, position=0, digest="", actor=actor, events=found
        )
        self.call("ingest", "ingest", IngestRequest(batches=[batch]), actor=actor, at=end)
        return run

    def _version(self, file: File) -> ev.VersionState:
        body = None if file.text is None else file.text.encode()
        namespace, name = self.project.name, file.path
        if "://" in file.path:
            scheme, _, rest = file.path.partition("://")
            host, _, name = rest.partition("/")
            namespace = f"{scheme}://{host}"
        remote = namespace != self.project.name
        location = (
            file.path if remote else "file:" + os.path.join(self.project.root, file.path).replace(" ", "%20")
        )
        digest = None if body is None else sha256(body)
        return ev.VersionState(
            namespace=namespace,
            name=name,
            kind=file.kind,
            digest=digest,
            level=ev.Level.NONE if digest is None else ev.Level.CONTENT,
            reason=file.reason,
            size=None if body is None else len(body),
            location=location,
            references=[]
            if digest is None
            else [ev.Reference(scheme="sha256", value=digest.removeprefix("sha256:"))],
            facets={name: msgspec.Raw(msgspec.json.encode(facts)) for name, facts in file.facets.items()},
        )

    def _facts(self, kind: str, facts: object) -> ev.VersionState:
        body = msgspec.json.encode(facts, order="sorted")
        return ev.VersionState(
            namespace=self.project.name,
            name=kind,
            kind=kind,
            digest=sha256(body),
            size=len(body),
            facets={f"lineal.{kind}/1": msgspec.Raw(body)},
        )


def _governing(commit: str, packages: Mapping[str, str]) -> list[tuple[str, object]]:
    code = {
        "vcs": "git",
        "commit": commit * 5,
        "branch": "main",
        "remote": "https://example.org/acme/churn",
        "dirty": False,
    }
    environment = {
        "python": "3.12.7",
        "implementation": "CPython",
        "os": "Linux 6.8",
        "packages": {"numpy": "2.1.3", "pandas": "2.2.3", "scikit-learn": "1.5.2", **packages},
    }
    return [("code", code), ("environment", environment)]


def _points(run: str, key: str, values: Sequence[float], begin: int, end: int) -> ev.MetricPoints:
    count = len(values)
    times = [begin + (end - begin) * (index + 1) // (count + 1) for index in range(count)]
    return ev.MetricPoints(
        run=run,
        keys=[key],
        key=struct.pack(f"<{count}I", *([0] * count)),
        step=struct.pack(f"<{count}q", *range(count)),
        at=struct.pack(f"<{count}q", *times),
        value=struct.pack(f"<{count}d", *values),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
