"""Metric logs that are text: CSV with a column of steps, and lines of JSON."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lineal.deliver.kinds import extension

Point = tuple[str, int, float]
# What counts the steps, the first that there is; a column of another of these names is no metric.
STEPS = ("global_step", "step", "_step", "iteration", "iter", "round", "epoch", "batch")
_TIMES = (
    "time",
    "timestamp",
    "_timestamp",
    "wall_time",
    "created_at",
    "_runtime",
    "elapsed",
    "elapsed_time",
    "passed",
    "remaining",
)
_FIGURES = re.compile(
    r"(^|[^a-z])(loss|acc|accuracy|auc|f1|rmse|mse|mae|r2|error|score|precision|recall|perplexity|lr|learning_rate|reward)"
)
_MOST_COLUMNS = 200
_MOST_PHASES = 10  # texts that tell several lines of one step apart
_FARTHEST = 1_000_000_000  # a step beyond this is a time or an id


def kind_of(path: bytes) -> str:
    """`csv`, `jsonl`, or empty where a file's name is none of these."""
    return {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(extension(path), "")


class CsvLog:
    """A CSV file of which the first lines say that it is a metric log. Raises ValueError: they do not."""

    def __init__(self, path: bytes, head: str) -> None:
        self._delimiter = "\t" if os.fsdecode(path).lower().endswith(".tsv") else ","
        lines = list(csv.reader(head.splitlines(), delimiter=self._delimiter))
        names = [name.strip() for name in lines[0]] if lines else []
        lower = [name.lower() for name in names]
        self._step = next((lower.index(name) for name in STEPS if name in lower), -1)
        if self._step < 0 or not 2 <= len(names) <= _MOST_COLUMNS or len(set(names)) != len(names):
            raise ValueError("no column of steps")
        self._names = {
            index: name
            for index, name in enumerate(names)
            if name and lower[index] not in STEPS and lower[index] not in _TIMES
        }
        steps = [_step(line[self._step]) for line in lines[1:] if len(line) == len(names)]
        told = [step for step in steps if step is not None]
        numbers = [
            _number(line[index]) for line in lines[1:] if len(line) == len(names) for index in self._names
        ]
        if (
            not told
            or told != sorted(told)
            or len(told) < len(steps)
            or not any(n is not None for n in numbers)
        ):
            raise ValueError("no figures by step")
        rows = [line for line in lines[1:] if len(line) == len(names)]
        words = {
            i: {line[i].strip() for line in rows}
            for i in self._names
            if any(_is_word(line[i]) for line in rows)
        }
        self._names = {index: name for index, name in self._names.items() if index not in words}
        self._phase = -1
        if words:  # a log beside whose figures stand texts looks as data does: only what its columns are called tells them apart
            if not any(_FIGURES.search(name.lower()) for name in self._names.values()):
                raise ValueError("not only figures")
            if len(set(told)) < len(
                told
            ):  # a step has several lines, told apart by a text (train, validation)
                self._phase = next((i for i, seen in words.items() if len(seen) <= _MOST_PHASES), -1)

    def points(self, text: str) -> Iterator[Point]:
        """The points of whole lines that come after the head's first."""
        for line in csv.reader(text.splitlines(), delimiter=self._delimiter):
            step = _step(line[self._step]) if len(line) > self._step else None
            if step is None:
                continue
            phase = line[self._phase].strip() + "/" if 0 <= self._phase < len(line) else ""
            for index, name in self._names.items():
                number = _number(line[index]) if index < len(line) else None
                if number is not None:
                    yield phase + name, step, number


class JsonLog:
    """Lines of JSON objects with figures. Raises ValueError: the first ones have none."""

    def __init__(self, head: str) -> None:
        self._line = 0
        objects = [_object(line) for line in head.splitlines()[:50] if line.strip()]
        if not objects or any(item is None for item in objects):
            raise ValueError("no lines of objects")
        self._counted = not any(_key(item or {}) for item in objects)
        names = {key for item in objects for key, _ in _numbers(item or {})}
        if not names or (self._counted and not any(_FIGURES.search(name.lower()) for name in names)):
            raise ValueError("no figures by step")

    def points(self, text: str) -> Iterator[Point]:
        """The points of whole lines; where no line says its step, lines are counted."""
        for line in text.splitlines():
            found = _object(line)
            if found is None:
                continue
            key = _key(found)
            step = _step(found[key]) if key else (self._line if self._counted else None)
            self._line += 1
            if step is not None:
                for name, number in _numbers(found):
                    yield name, step, number


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _key(found: Mapping[str, Any]) -> str:
    return next((name for name in STEPS if _step(found.get(name)) is not None), "")


def _numbers(found: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, float]]:
    for key, value in found.items():
        name = prefix + str(key)
        if isinstance(value, dict) and depth < 3:
            yield from _numbers(value, name + "/", depth + 1)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            if not (depth == 0 and (name.lower() in STEPS or name.lower() in _TIMES)):
                yield name, float(value) if abs(value) < 1e300 or isinstance(value, float) else math.inf


def _is_word(text: str) -> bool:
    return bool(text.strip()) and _number(text) is None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _step(value: Any) -> int | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number == math.floor(number) and 0 <= number < _FARTHEST else None
