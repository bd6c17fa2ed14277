"""What is found in another system, in words that all readers share. Times are milliseconds since 1970, as MLflow has them,
but for points, whose times are microseconds."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Protocol

import msgspec

POINTS = 20_000  # points handed over at once (count), about 0.8 MB as JSON
_STEP_MIN, _STEP_MAX = -(2**63), 2**63 - 1


class Experiment(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="experiment"
):
    """A set of runs under a name. location: where it kept artifacts, as text."""

    name: str
    created: int = 0
    updated: int = 0
    deleted: bool = False
    location: str = ""
    tags: dict[str, str] = {}


class Dataset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A dataset that a run read. digest: as the other system made it. use: tags of this use of it."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    use: dict[str, str] = {}


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="run"):
    """A run but for its points. id: 32 hex digits; experiment: its name; status: as MLflow calls it."""

    id: str
    experiment: str
    name: str = ""
    user: str = ""
    status: str = "FINISHED"
    start: int = 0
    end: int | None = None
    deleted: bool = False
    location: str = ""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    datasets: list[Dataset] = []


class Points(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="points"):
    """Points of one run in columns, little endian: u32 index into `keys`, i64 steps, i64 microseconds, f64 values."""

    run: str
    keys: list[str]
    key: bytes
    step: bytes
    at: bytes
    value: bytes


class Taken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="taken"):
    """All of a run was handed over. stamp: what it looked like, to know it again."""

    run: str
    stamp: str


class ModelMetric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was measured of a model. value: as text, to be exact."""

    key: str
    value: str
    at: int
    step: int = 0
    run: str = ""
    dataset: str = ""
    digest: str = ""


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="model"):
    """A logged model. run: the id of the run that made it."""

    id: str
    experiment: str
    name: str
    type: str = ""
    run: str = ""
    status: str = "LOGGED_MODEL_READY"
    created: int = 0
    updated: int = 0
    deleted: bool = False
    location: str = ""
    tags: dict[str, str] = {}
    params: dict[str, str] = {}
    metrics: list[ModelMetric] = []


class Link(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="link"):
    """A run used a logged model, or made it."""

    run: str
    model: str
    made: bool
    step: int = 0


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="file"):
    """A file of a run or (`model`) of a logged model, whose bytes are kept under the digest. size in bytes."""

    owner: str
    model: bool
    path: str
    digest: str
    size: int


class Whole(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="whole"):
    """All files of a logged model were handed over. facets: JSON documents made from those that describe it, by name."""

    model: str
    facets: dict[str, str] = {}


class Registered(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="registered"
):
    """A registered name."""

    name: str
    created: int = 0
    updated: int = 0
    description: str = ""
    user: str = ""
    tags: dict[str, str] = {}


class Version(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="item", tag="version"):
    """A version of a registered name, with the aliases that point at it. source: what it was registered from."""

    name: str
    number: int
    source: str
    storage: str = ""
    run: str = ""
    model: str = ""
    run_link: str = ""
    stage: str = "None"
    created: int = 0
    updated: int = 0
    description: str = ""
    user: str = ""
    tags: dict[str, str] = {}
    aliases: list[str] = []


Item = Experiment | Run | Points | Taken | Model | Link | File | Whole | Registered | Version


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A file where it lies now. open: gives its bytes."""

    owner: str
    model: bool
    path: str
    open: Callable[[], BinaryIO]


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was not taken, and why."""

    kind: str
    name: str
    reason: str


class Source(Protocol):
    """Another system, opened for reading. What it cannot read it adds to `left`."""

    name: str
    left: list[Left]

    def count(self) -> dict[str, int]:
        """How many of each kind there are, by the words of `KINDS`; asked after everything was read."""
        ...

    def experiments(self) -> Iterable[Experiment]:
        """Every experiment."""
        ...

    def runs(self) -> Iterable[Run]:
        """Every run, a parent before its children where that is known; asked after the experiments."""
        ...

    def mark(self, run: Run) -> str:
        """What changes when points are added to a run, as far as can be told without reading them."""
        ...

    def points(self, run: Run) -> Iterable[Points]:
        """All points of a run."""
        ...

    def skip(self, run: Run, points: int) -> None:
        """The run is known with that many points; they will not be read."""
        ...

    def models(self) -> Iterable[Model]:
        """Every logged model."""
        ...

    def links(self) -> Iterable[Link]:
        """Which runs used and made logged models; asked after the runs."""
        ...

    def registered(self) -> Iterable[Registered | Version]:
        """Registered names, each before its versions."""
        ...

    def files(self) -> Iterable[Found]:
        """The files of runs and models, those of one owner together."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class RunsAlone:
    """A source that tells of runs only: no logged models, no registered names, no files that are taken, points counted as they lie there."""

    def skip(self, run: Run, points: int) -> None:
        """Nothing: what is not read costs nothing here."""

    def models(self) -> Iterable[Model]:
        """None."""
        return ()

    def links(self) -> Iterable[Link]:
        """None."""
        return ()

    def registered(self) -> Iterable[Registered | Version]:
        """None."""
        return ()

    def files(self) -> Iterable[Found]:
        """None are taken."""
        return ()


KINDS = (
    "experiments",
    "runs",
    "params",
    "tags",
    "metric points",
    "dataset inputs",
    "logged models",
    "model inputs and outputs",
    "registered models",
    "model versions",
    "aliases",
)


def points_of(run: str, rows: Iterable[tuple[str, float, int, int]]) -> Iterator[Points]:
    """Points from rows of key, value, microseconds and step, some at a time."""
    keys: dict[str, int] = {}
    key, step, at, value = array("I"), array("q"), array("q"), array("d")
    for name, number, when, nth in rows:
        key.append(keys.setdefault(name, len(keys)))
        step.append(min(max(nth, _STEP_MIN), _STEP_MAX))
        at.append(min(max(when, _STEP_MIN), _STEP_MAX))
        value.append(number)
        if len(key) == POINTS:
            yield _points(run, keys, key, step, at, value)
            keys = {}
            key, step, at, value = array("I"), array("q"), array("q"), array("d")
    if key:
        yield _points(run, keys, key, step, at, value)


def _points(run: str, keys: dict[str, int], *columns: array[int] | array[float]) -> Points:
    if sys.byteorder == "big":
        for column in columns:
            column.byteswap()
    key, step, at, value = (column.tobytes() for column in columns)
    return Points(run=run, keys=list(keys), key=key, step=step, at=at, value=value)
