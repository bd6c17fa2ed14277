"""What frameworks tell: parameters, metrics, models and seeds, as records of this process's journal (none when it has no journal)."""

from __future__ import annotations

import os
from _thread import _local

from . import redact
from .current import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_LONGEST = 2000  # characters of the text of an object that has no plain form
_no_text: object = object.__repr__
_told: dict[tuple[str, str], Any] = {}
_points: dict[tuple[str, str], tuple[int, float]] = {}
_seeds: set[tuple[str, str]] = set()
_MOST = 100_000  # parameters and metrics whose last value is remembered


class _Within(_local):
    """The run below this process's own that a thread works for at this moment; empty: none."""

    run = ""


within = _Within()


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON holds it: texts and numbers exactly, numpy scalars as numbers, classes and functions by name, others by their text."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(os.fspath(value))
    if depth < 8:
        if isinstance(value, dict):
            return {str(plain(k)): plain(v, depth + 1) for k, v in list(value.items())[:10_000]}
        if isinstance(value, (list, tuple, set, frozenset)):
            items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
            return [plain(item, depth + 1) for item in list(items)[:10_000]]
    name = getattr(value, "__qualname__", None)
    if callable(value) and isinstance(name, str):
        return f"{getattr(value, '__module__', '')}.{name}".lstrip(".")
    number = scalar(value)
    if number is not None:
        return number
    found = getattr(value, "name", None)
    if isinstance(found, str) and hasattr(value, "read"):
        return found
    kind = type(value)
    if hasattr(value, "get_params") or getattr(kind, "__repr__", None) is _no_text:
        return f"{kind.__module__}.{kind.__qualname__}"
    text = str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + f"... ({len(text)} characters)"


def scalar(value: Any) -> Any:
    """The number that a numpy or torch scalar holds (or `value`, if it is a number); None for anything else."""
    if isinstance(value, (bool, int, float)):
        return value
    item = getattr(value, "item", None)
    if item is None or getattr(value, "ndim", getattr(value, "shape", None)) not in (0, ()):
        return None
    found = item()
    return found if isinstance(found, (bool, int, float)) else None


def param(key: str, value: Any, source: str) -> None:
    """A parameter, redacted; nothing when it was reported with this value already."""
    found = journal()
    if found is None:
        return
    value = redact.value(key, plain(value))
    known = within.run, key
    if known in _told and _told[known] == value and type(_told[known]) is type(value):
        return
    if len(_told) < _MOST:
        _told[known] = value
    found.json("param", key=key, value=value, source=source, **run_of())


def run_of() -> dict[str, str]:
    """The field that says which run a record belongs to, where that is not the process's own."""
    return {"run": within.run} if within.run else {}


def params(values: Mapping[str, Any], source: str, prefix: str = "") -> None:
    """Each item of `values` as a parameter."""
    for key, value in list(values.items()):
        param(prefix + str(key), value, source)


def metric(key: str, value: Any, step: Any = None) -> None:
    """A point of metric `key`, its step counted unless given; nothing when `value` is no number.

    A point that another library just told in the same way (same step, same value) is not told twice.
    """
    metrics(((key, value, step),))


def metrics(items: Iterable[tuple[str, Any, Any]]) -> None:
    """Points, each of key, value and step, as `metric` tells them; those of a run below this process's own in one record."""
    found = journal()
    if found is None:
        return
    below = []
    for key, value, step in items:
        number = scalar(value)
        if number is None or isinstance(number, bool):
            continue
        point = float(number)
        if step is None and not within.run:
            found.metric(key, None, point)
            continue
        known = within.run, key
        step = _points.get(known, (-1, 0.0))[0] + 1 if step is None else int(step)
        if _points.get(known) == (step, point):
            continue
        if len(_points) < _MOST:
            _points[known] = step, point
        if within.run:
            below.append([key, step, point])
        else:
            found.metric(key, step, point)
    if below:
        found.json("points", points=below, **run_of())


def model(path: Any, framework: str, kind: str, lib: str, **more: Any) -> None:
    """`path` (anything `open` takes but a number, or a file with a name) now holds a model of class `kind`, written by `lib`.

    more: `inputs`, pairs of a feature's name and type; `checkpoint`, of which step and how good it was; `origin`, the
    checkpoint that it was loaded from.
    """
    found = journal()
    if found is None:
        return
    name = path if isinstance(path, (str, bytes, os.PathLike)) else getattr(path, "name", None)
    if not isinstance(name, (str, bytes, os.PathLike)) or not os.fspath(name):
        return
    where = os.fsdecode(os.fspath(name))
    if "://" in where:
        return
    about = {key: plain(value) for key, value in more.items() if value}
    # Whatever run this thread works for: the file belongs to the process's own.
    found.json("model", path=os.path.abspath(where), framework=framework, **{"class": kind}, lib=lib, **about)


def seed(lib: str, value: Any) -> None:
    """The random numbers of `lib` were seeded with `value`, if that is a number or text (or a short list of numbers)."""
    found = journal()
    value = plain(value)
    if (
        found is None
        or value is None
        or not isinstance(value, (int, float, str, list))
        or len(str(value)) > 1000
    ):
        return
    key = (lib, str(value))
    if key not in _seeds and len(_seeds) < 100:
        _seeds.add(key)
        found.json("seed", lib=lib, value=value)
