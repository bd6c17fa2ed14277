"""Metrics out of files that a run writes: TensorBoard event files, CSV and JSON lines.

Event files and JSON lines are read on as they grow, CSV files when the run has ended, since some are written anew. What a
library told live is not read again from its log: its keys are left out, and the facet says so.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from lineal.core import events as ev
from lineal.core.ids import sha256
from lineal.deliver import event_files, log_lines

LARGEST = 256 << 20  # bytes of one log that are read
PIECE = 4 << 20  # bytes read at once
HEAD = 1 << 16  # bytes that must show what a text is
MOST = 200  # logs of one run

Stamped = tuple[str, int, int, float]  # key, step, microseconds UTC, value
Positions = Callable[[list[str]], dict[str, int]]


class _Log:
    """One file. reader: what tells its lines, once that is known; `done`: nothing more is read of it."""

    def __init__(self, path: bytes, run: str) -> None:
        self.path = path
        self.source = f"{run}.{sha256(path)[7:23]}"
        self.offset = -1
        self.reader: Any = None
        self.kind = "tensorboard" if event_files.is_event_file(path) else log_lines.kind_of(path)
        self.done = not self.kind
        self.count = 0
        self.keys: set[str] = set()
        self.left_out: set[str] = set()
        # Event files of one folder go on with one another; every other file stands for itself.
        self.home = os.path.dirname(path) if self.kind == "tensorboard" else path

    def take(
        self, *, final: bool, known: set[str], homes: dict[str, bytes]
    ) -> tuple[list[Stamped], int, bytes] | None:
        """Points that followed, where the file was read to, and the bytes; None when there is nothing new."""
        if self.done or (self.kind == "csv" and not final):
            return None
        try:
            stat = os.stat(self.path)
            if stat.st_size <= self.offset or stat.st_size > LARGEST:
                return None
            with open(self.path, "rb") as file:
                head = file.read(HEAD) if self.reader is None and self.kind != "tensorboard" else b""
                file.seek(self.offset)
                data = file.read(PIECE)
        except OSError:
            return None
        if self.kind == "tensorboard":
            stamped, size = event_files.scalars(data)
        else:
            size = len(data) if final and len(data) < PIECE else data.rfind(b"\n") + 1
            if not size or not self._understood(head, final=final):
                return None
            text = data[:size].decode("utf-8", "replace")
            at = stat.st_mtime_ns // 1000
            stamped = [(key, step, at, value) for key, step, value in self.reader.points(text)]
        fresh = self._fresh(stamped, known, homes) if size else []
        return (fresh, self.offset + size, data[:size]) if size else None

    def _understood(self, head: bytes, *, final: bool) -> bool:
        if self.reader is not None:
            return True
        whole = head[: head.rfind(b"\n") + 1] or (head if final else b"")
        if not whole or (whole.count(b"\n") < 2 and not final):
            return False
        text = whole.decode("utf-8", "replace")
        try:
            self.reader = log_lines.CsvLog(self.path, text) if self.kind == "csv" else log_lines.JsonLog(text)
        except ValueError:
            self.done = True
        return not self.done

    def _fresh(self, points: Iterable[Stamped], known: set[str], homes: dict[str, bytes]) -> list[Stamped]:
        """The points that are told nowhere else; a key that another log has too gets the folder's name before it."""
        kept: list[Stamped] = []
        for key, step, at, value in points:
            if key in known:
                self.left_out.add(key)
                continue
            name = key
            if homes.setdefault(key, self.home) != self.home:
                folder = os.path.dirname(self.path).rpartition(b"/")[2].decode("utf-8", "backslashreplace")
                name = f"{folder}/{key}"
                homes.setdefault(name, self.home)
            self.keys.add(name)
            kept.append((name, step, at, value))
        self.count += len(kept)
        return kept


class MetricLogs:
    """The metric logs of one run."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._logs: dict[bytes, _Log] = {}
        self._homes: dict[str, bytes] = {}  # which log has a key

    def batches(
        self, written: Iterable[bytes], known: set[str], positions: Positions, *, final: bool
    ) -> list[ev.Batch]:
        """What followed in the files that the run has written; `known`: keys of metrics it told by itself.

        positions: how far streams of the door `deliver` are recorded.
        """
        fresh = []
        for path in written:
            if path not in self._logs and len(self._logs) < MOST:
                self._logs[path] = log = _Log(path, self._run)
                if not log.done:
                    fresh.append(log)
        reached = positions([log.source for log in fresh]) if fresh else {}
        for log in fresh:
            log.offset = reached.get(log.source, 0)
        found = []
        for log in self._logs.values():
            while taken := log.take(final=final, known=known, homes=self._homes):
                points, offset, data = taken
                found.append(self._batch(log, points, offset, data))
                log.offset = offset
        return found

    def _batch(self, log: _Log, points: list[Stamped], offset: int, data: bytes) -> ev.Batch:
        return ev.Batch(
            door="deliver",
            source=log.source,
            start=log.offset,
            position=offset,
            digest=sha256(data),
            actor="",
            events=[self._points(points)] if points else [],
        )

    def _points(self, points: list[Stamped]) -> ev.MetricPoints:
        keys = list(dict.fromkeys(key for key, _, _, _ in points))
        index = {key: number for number, key in enumerate(keys)}
        size = len(points)
        return ev.MetricPoints(
            run=self._run,
            keys=keys,
            key=struct.pack(f"<{size}I", *(index[key] for key, _, _, _ in points)),
            step=struct.pack(f"<{size}q", *(step for _, step, _, _ in points)),
            at=struct.pack(f"<{size}q", *(at for _, _, at, _ in points)),
            value=struct.pack(f"<{size}d", *(value for _, _, _, value in points)),
        )

    def facet(self, name: Callable[[bytes], str], at: int) -> list[ev.Event]:
        """Which metrics came from which file, as the facet `lineal.metric_logs/1`; nothing when none did."""
        files = [
            {
                "path": name(log.path),
                "kind": log.kind,
                "points": log.count,
                "keys": sorted(log.keys),
                "left_out": sorted(log.left_out),
            }
            for log in self._logs.values()
            if log.keys or log.left_out
        ]
        if not files:
            return []
        body = msgspec.Raw(msgspec.json.encode({"files": files}))
        return [ev.FacetSet(run=self._run, name="lineal.metric_logs/1", body=body, at=at)]
