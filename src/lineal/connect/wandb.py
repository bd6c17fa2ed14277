"""Weights & Biases' offline runs: a log of protobuf records in blocks of 32 KiB, read without its package."""

from __future__ import annotations

import glob
import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lineal.connect.items import (
    Experiment,
    Left,
    Points,
    Run,
    RunsAlone,
    points_of,
)
from lineal.connect.values import flat, own_id
from lineal.core.errors import Invalid

_BLOCK, _HEAD = 32768, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_HISTORY, _SUMMARY, _CONFIG, _STATS, _ARTIFACT, _ALERT, _RUN, _EXIT = 2, 3, 5, 7, 8, 10, 17, 18
_NOT_TAKEN = {_STATS: "system metrics", _ARTIFACT: "artifact versions", _ALERT: "alerts"}
_CUT = "a record is cut or damaged"
Fields = dict[int, list[Any]]


class _DamagedError(ValueError):
    """The bytes are not what they should be."""


@dataclass
class _Log:
    """What one file tells."""

    path: str
    run: Run
    counts: dict[str, int] = field(default_factory=dict)


class Folder(RunsAlone):
    """A folder with offline runs as a source: `wandb/`, one `offline-run-...` in it, or one file `run-....wandb`."""

    def __init__(self, path: str) -> None:
        """Raises Invalid: there is no such file."""
        places = ("*.wandb", "*run-*/*.wandb", "wandb/*run-*/*.wandb")
        inside = glob.escape(path)
        files = (
            [path]
            if os.path.isfile(path)
            else sorted({file for place in places for file in glob.glob(os.path.join(inside, place))})
        )
        if not files:
            raise Invalid(
                f"{path} holds no offline runs: files `offline-run-*/run-*.wandb` are wanted",
                hint="give the folder `wandb` that the program made beside itself",
            )
        self.name = os.path.abspath(path)
        self.left: list[Left] = []
        self._logs: dict[str, _Log] = {}
        for file in files:
            log = self._read(file)
            if log is not None:
                self._logs[log.run.id] = log

    def close(self) -> None:
        """Nothing is held."""

    def count(self) -> dict[str, int]:
        """How many of each kind the files tell of."""
        found: dict[str, int] = {}
        for log in self._logs.values():
            for kind, number in log.counts.items():
                found[kind] = found.get(kind, 0) + number
        return {
            **found,
            "experiments": len({log.run.experiment for log in self._logs.values()}),
            "runs": len(self._logs) + sum(left.kind == "runs" for left in self.left),
        }

    def experiments(self) -> Iterator[Experiment]:
        """Every project."""
        for project in dict.fromkeys(log.run.experiment for log in self._logs.values()):
            yield Experiment(name=project)

    def runs(self) -> Iterator[Run]:
        """Every run, in order of their start."""
        yield from sorted((log.run for log in self._logs.values()), key=lambda run: run.start)

    def mark(self, run: Run) -> str:
        """How large the run's file is."""
        return str(os.path.getsize(self._logs[run.id].path))

    def points(self, run: Run) -> Iterator[Points]:
        """All numbers of a run's history; other values are left."""
        return points_of(run.id, self._rows(self._logs[run.id].path))

    def _read(self, path: str) -> _Log | None:
        """What a file tells but for its points, or None when it tells of no run."""
        about: Fields | None = None
        config: dict[str, Any] = {}
        summary: dict[str, Any] = {}
        logged: set[str] = set()
        last, code = 0, None
        counts: dict[str, int] = {"metric points": 0, "other values": 0}
        try:
            for kind, body in _records(path):
                if kind == _RUN and about is None:
                    about = _fields(body)
                    config |= _changes(_first(about, 4, b""))
                elif kind == _CONFIG:
                    config |= _changes(body)
                elif kind == _SUMMARY:
                    summary |= _changes(body)
                elif kind == _EXIT:
                    code = _first(_fields(body), 1, 0)
                elif kind == _HISTORY:
                    said = _history(body)
                    logged |= said.keys()
                    last = max(last, _micros(said))
                    for key, value in said.items():
                        if not key.startswith("_"):
                            counts["metric points" if _is_number(value) else "other values"] += 1
                elif kind in _NOT_TAKEN:
                    counts[_NOT_TAKEN[kind]] = counts.get(_NOT_TAKEN[kind], 0) + 1
        except (_DamagedError, OSError) as error:
            self.left.append(
                Left(kind="files", name=path, reason=f"{error}; what stands before that is taken")
            )
        if about is None:
            self.left.append(Left(kind="runs", name=path, reason="it tells of no run"))
            return None
        own = {key: value for key, value in summary.items() if key not in logged and not key.startswith("_")}
        run = _run(about, config, own, last, code)
        counts |= {"params": len(run.params), "tags": len(run.tags) + (1 if run.name else 0)}
        return _Log(path, run, counts)

    def _rows(self, path: str) -> Iterator[tuple[str, float, int, int]]:
        try:
            for kind, body in _records(path):
                if kind == _HISTORY:
                    said = _history(body)
                    step = said.get("_step")
                    for key, value in said.items():
                        if not key.startswith("_") and _is_number(value):
                            yield key, float(value), _micros(said), step if isinstance(step, int) else 0
        except (_DamagedError, OSError):
            return  # said when it was first read


def _run(about: Fields, config: dict[str, Any], summary: dict[str, Any], last: int, code: int | None) -> Run:
    """A run as its records tell. One whose file has no end was killed, as far as anybody knows."""
    id, entity, project = (_text(about, number) for number in (1, 2, 3))
    started = _fields(_first(about, 17, b""))
    start = _first(started, 1, 0) * 1000 + _first(started, 2, 0) // 1_000_000
    tags = {"wandb.run": id, **{f"wandb.tag.{_utf8(tag)}": "true" for tag in about.get(10, [])}}
    for name, number in (
        ("entity", 2),
        ("group", 6),
        ("job_type", 7),
        ("notes", 9),
        ("sweep", 12),
        ("host", 13),
    ):
        if text := _text(about, number):
            tags[f"wandb.{name}"] = text
    git = _fields(_first(about, 21, b""))
    if commit := _text(git, 2):
        tags["mlflow.source.git.commit"] = commit
        if remote := _text(git, 1):
            tags["mlflow.source.git.repoURL"] = remote
    tags |= {f"wandb.summary.{key}": text for key, text in flat(summary).items()}
    return Run(
        id=own_id("wandb", entity, project, id),
        experiment=project or "uncategorized",
        name=_text(about, 8) or id,
        status="KILLED" if code is None else "FAILED" if code else "FINISHED",
        start=start,
        end=max(last // 1000, start),
        params=flat({key: value for key, value in config.items() if not key.startswith("_")}),
        tags=tags,
    )


# ---- records -------------------------------------------------------------------------------------------------------------


def _records(path: str) -> Iterator[tuple[int, bytes]]:
    """Number and body of each record of a file. Raises _DamagedError: it is no such file, or broken from there on."""
    for body in _frames(path):
        for number, values in _fields(body).items():
            if number not in (1, 16, 19) and isinstance(values[0], bytes):
                yield number, values[0]


def _frames(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        if len(head) < _HEAD or head[:4] != b":W&B" or struct.unpack("<H", head[4:6])[0] != 0xBEE1:
            raise _DamagedError("it is no log of wandb")
        block = head + file.read(_BLOCK - _HEAD)
        at, whole, open_part = _HEAD, b"", False
        while block:
            while at + _HEAD <= len(block):
                crc, length, kind = struct.unpack_from("<IHB", block, at)
                part = block[at + _HEAD : at + _HEAD + length]
                if not kind and not length and not crc:
                    at = len(block)  # the rest of the block is padding
                    break
                if len(part) < length or zlib.crc32(part, zlib.crc32(bytes([kind]))) != crc:
                    raise _DamagedError(_CUT)
                at += _HEAD + length
                whole = part if kind in (_FULL, _FIRST) else whole + part
                open_part = kind not in (_FULL, _LAST)
                if not open_part:
                    yield whole
            if at < len(block) < _BLOCK:
                raise _DamagedError(_CUT)
            block, at = file.read(_BLOCK), 0
        if open_part:
            raise _DamagedError(_CUT)


def _fields(body: bytes) -> Fields:
    """The fields of a protobuf message by number. Raises _DamagedError: it is none."""
    found: Fields = {}
    at = 0
    try:
        while at < len(body):
            tag, at = _varint(body, at)
            number, wire = tag >> 3, tag & 7
            value: Any
            if wire == 0:
                value, at = _varint(body, at)
            elif wire == 1:
                value, at = struct.unpack_from("<d", body, at)[0], at + 8
            elif wire == 2:
                length, at = _varint(body, at)
                value, at = body[at : at + length], at + length
            elif wire == 5:
                value, at = struct.unpack_from("<f", body, at)[0], at + 4
            else:
                raise _DamagedError(f"a field has the unknown type {wire}")
            if at > len(body):
                raise _DamagedError("a field is cut")
            found.setdefault(number, []).append(value)
    except (IndexError, struct.error) as error:
        raise _DamagedError("a message is cut") from error
    return found


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise _DamagedError("a number is too long")


def _history(body: bytes) -> dict[str, Any]:
    """What was logged together, with `_step` and `_timestamp`."""
    fields = _fields(body)
    said = dict(_item(item) for item in fields.get(1, []))
    if "_step" not in said:
        said["_step"] = _signed(_first(_fields(_first(fields, 2, b"")), 1, 0))
    return said


def _changes(body: bytes) -> dict[str, Any]:
    """Keys and values of a change to settings or to a summary."""
    return dict(_item(item) for item in _fields(body).get(1, []))


def _item(body: bytes) -> tuple[str, Any]:
    """A key and its value: JSON text, or since 0.31 also a value of its own type."""
    fields = _fields(body)
    key = _text(fields, 1) or ".".join(_utf8(part) for part in fields.get(2, []))
    for number in (16, 8):
        if number in fields:
            try:
                return key, json.loads(_first(fields, number, b""))
            except (ValueError, RecursionError):
                return key, _utf8(_first(fields, number, b""))
    if 4 in fields:
        return key, bool(fields[4][-1])
    if 5 in fields:
        return key, (fields[5][-1] >> 1) ^ -(fields[5][-1] & 1)  # zigzag
    if 6 in fields:
        return key, fields[6][-1]
    return key, _text(fields, 7) if 7 in fields else None


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _micros(said: dict[str, Any]) -> int:
    at = said.get("_timestamp")
    return round(at * 1_000_000) if isinstance(at, int | float) and abs(at) < 1e11 else 0


def _first(fields: Fields, number: int, default: Any) -> Any:
    value = fields.get(number, [default])[-1]
    return value if isinstance(value, type(default)) else default


def _text(fields: Fields, number: int) -> str:
    return _utf8(_first(fields, number, b""))


def _utf8(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
