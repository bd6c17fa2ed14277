"""What Neptune's exporter wrote: for each project a folder of Parquet files, one row for each value of a run.

The layout is told in the README of github.com/neptune-ai/neptune-exporter, section "Data layout on disk": `RUN_part_N.parquet`, all
with the same columns; a run is whole once its part 0 is there.
"""

from __future__ import annotations

import glob
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from lineal.connect.items import (
    Experiment,
    Left,
    Points,
    Run,
    RunsAlone,
    points_of,
)
from lineal.connect.values import own_id
from lineal.core.errors import Invalid, Unavailable

_PART = re.compile(r"(.+)_part_(\d+)\.parquet")
_COLUMNS = {
    "project_id",
    "run_id",
    "attribute_path",
    "attribute_type",
    "step",
    "timestamp",
    "int_value",
    "float_value",
    "string_value",
    "bool_value",
    "datetime_value",
    "string_set_value",
}
_SINGLE = {
    "int": "int_value",
    "float": "float_value",
    "string": "string_value",
    "bool": "bool_value",
    "datetime": "datetime_value",
    "string_set": "string_set_value",
}
_SERIES = "float_series"
_NOT_TAKEN = {
    "string_series": "texts",
    "histogram_series": "histograms",
    "file": "file attributes",
    "file_series": "file attributes",
    "file_set": "file attributes",
    "artifact": "file attributes",
}
_UNIT = 1_000_000  # steps have six digits behind the point
_ROWS = 65_536


@dataclass
class _Recorded:
    """One run: its files, and what they tell but for its points."""

    run: Run
    parts: list[str]
    counts: dict[str, int] = field(default_factory=dict)


class Folder(RunsAlone):
    """A folder that the exporter filled (`data`, or the one above it), or one project's folder in it, as a source.

    step_multiplier: steps there are decimal numbers, here they are whole: each is multiplied by this. A point whose step is not
    whole then is left.
    """

    def __init__(self, path: str, *, step_multiplier: int = 1) -> None:
        """Raises Invalid: there is no such file; Unavailable: one cannot be read, or pyarrow is not there."""
        self._parquet = _pyarrow()
        self.name = os.path.abspath(path)
        self.left: list[Left] = []
        self._multiplier = step_multiplier
        self._runs: dict[str, _Recorded] = {}
        self._models: dict[str, int] = {}
        self._unread = 0
        files = _files(path)
        for parts in files.values():
            self._add(parts)
        if not files:
            raise Invalid(
                f"{path} holds nothing that Neptune's exporter wrote: files `PROJECT/RUN_part_0.parquet` are wanted",
                hint="give the folder that `neptune-exporter export` was told as --data-path, by default ./exports/data",
            )
        self._count_models(path)

    def close(self) -> None:
        """Nothing is held."""

    def count(self) -> dict[str, int]:
        """How many of each kind the files hold."""
        found: dict[str, int] = {}
        for recorded in self._runs.values():
            for kind, number in recorded.counts.items():
                found[kind] = found.get(kind, 0) + number
        experiments = len({recorded.run.experiment for recorded in self._runs.values()})
        return {**found, **self._models, "experiments": experiments, "runs": len(self._runs) + self._unread}

    def experiments(self) -> Iterator[Experiment]:
        """Every project."""
        for project in dict.fromkeys(recorded.run.experiment for recorded in self._runs.values()):
            yield Experiment(name=project)

    def runs(self) -> Iterator[Run]:
        """Every run, in order of their start."""
        yield from sorted((recorded.run for recorded in self._runs.values()), key=lambda run: run.start)

    def mark(self, run: Run) -> str:
        """How large the run's files are, and by what its steps are multiplied."""
        sizes = [os.path.getsize(part) for part in self._runs[run.id].parts]
        return f"{sizes} {self._multiplier}"

    def points(self, run: Run) -> Iterator[Points]:
        """All numbers of a run's series whose steps are whole."""
        return points_of(run.id, self._rows(self._runs[run.id]))

    # ---- reading -------------------------------------------------------------------------------------------------------

    def _add(self, parts: list[str]) -> None:
        """Read what the files of one run tell but for its points."""
        told: dict[str, Any] = {}
        counts = {"metric points": 0}
        names: set[tuple[str, str]] = set()
        try:
            for batch in self._batches(parts, sorted(_COLUMNS - {"step", "timestamp"})):
                kinds = batch.column("attribute_type").to_pylist()
                for row, kind in enumerate(kinds):
                    if kind == _SERIES:
                        counts["metric points"] += 1
                        continue
                    project, run = (
                        batch.column("project_id")[row].as_py(),
                        batch.column("run_id")[row].as_py(),
                    )
                    names.add((project, run))
                    if kind in _SINGLE:
                        told[batch.column("attribute_path")[row].as_py()] = batch.column(_SINGLE[kind])[
                            row
                        ].as_py()
                    else:
                        name = _NOT_TAKEN.get(kind, "other values")
                        counts[name] = counts.get(name, 0) + 1
                if not names and kinds:
                    names.add((batch.column("project_id")[0].as_py(), batch.column("run_id")[0].as_py()))
        except Exception as error:  # noqa: BLE001 - a damaged file is named, and the others are taken
            self.left.append(
                Left(kind="runs", name=os.path.basename(parts[0]), reason=f"it cannot be read: {error}")
            )
            self._unread += 1
            return
        if len(names) != 1:
            said = "no run" if not names else f"{len(names)} runs"
            self.left.append(
                Left(kind="runs", name=os.path.basename(parts[0]), reason=f"the file tells of {said}")
            )
            self._unread += 1
            return
        ((project, run),) = names
        recorded = _Recorded(_run(str(project), str(run), told), parts, counts)
        counts["params"] = len(recorded.run.params)
        counts["tags"] = len(recorded.run.tags) + 1  # and its name, which is a tag here
        if recorded.run.id in self._runs:
            self.left.append(
                Left(kind="runs", name=str(run), reason="it was exported twice; one of them was taken")
            )
            self._unread += 1
            return
        self._runs[recorded.run.id] = recorded

    def _rows(self, recorded: _Recorded) -> Iterator[tuple[str, float, int, int]]:
        import pyarrow as pa
        import pyarrow.compute as pc

        common = math.gcd(self._multiplier, _UNIT)
        divisor, factor = _UNIT // common, self._multiplier // common
        skipped: dict[str, int] = {}
        for batch in self._batches(
            recorded.parts, ["attribute_path", "attribute_type", "step", "timestamp", "float_value"]
        ):
            table = pa.Table.from_batches([batch])
            table = table.filter(pc.equal(table["attribute_type"], _SERIES))
            steps = (
                pc.multiply(table["step"], pa.scalar(_UNIT, pa.decimal128(7, 0))).cast(pa.int64()).to_pylist()
            )
            times = table["timestamp"].cast(pa.int64()).to_pylist()
            names, values = table["attribute_path"].to_pylist(), table["float_value"].to_pylist()
            for name, value, at, step in zip(names, values, times, steps, strict=True):
                whole, rest = divmod(step or 0, divisor)
                if rest:
                    skipped[name] = skipped.get(name, 0) + 1
                    continue
                # The exporter's data frames write NaN as no value at all.
                yield name, math.nan if value is None else value, (at or 0) * 1000, whole * factor
        for name, number in sorted(skipped.items()):
            reason = (
                f"{number:,} of its steps are no whole numbers: choose --step-multiplier so that they are"
            )
            self.left.append(Left(kind="metric points", name=f"{recorded.run.name}: {name}", reason=reason))

    def _batches(self, parts: list[str], columns: list[str]) -> Iterator[Any]:
        for part in parts:
            with self._parquet.ParquetFile(part) as file:
                missing = _COLUMNS - set(file.schema_arrow.names)
                if missing:
                    raise ValueError(f"it has no columns {', '.join(sorted(missing))}")
                yield from file.iter_batches(batch_size=_ROWS, columns=columns)

    def _count_models(self, path: str) -> None:
        """Count what the exporter's command `export-models` wrote beside; none of it is taken."""
        inside = glob.escape(path)
        for kind, folder in (("models", "models"), ("versions of models", "model_versions")):
            files = {
                file
                for place in ("*", "model_data/*")
                for file in glob.glob(os.path.join(inside, place, folder, "*_part_0.parquet"))
            }
            if files:
                self._models[kind] = len(files)


def _run(project: str, name: str, told: dict[str, Any]) -> Run:
    """A run from its single values: what is below `sys/` describes it, everything else are parameters."""
    about = {path.removeprefix("sys/"): value for path, value in told.items() if path.startswith("sys/")}
    params = {
        path: _text(value)
        for path, value in told.items()
        if not path.startswith("sys/") and value is not None
    }
    tags = {"neptune.run": name}
    for kind in ("tags", "group_tags"):
        for tag in about.pop(kind, None) or ():
            tags[f"neptune.{kind.removesuffix('s')}.{tag}"] = "true"
    begun, ran_s = about.get("creation_time"), about.get("running_time")
    start = _millis(begun)
    length = ran_s * 1000 if isinstance(ran_s, float) and math.isfinite(ran_s) and ran_s > 0 else 0
    tags |= {f"neptune.{key}": _text(value) for key, value in about.items() if value is not None}
    return Run(
        id=own_id("neptune", project, name),
        experiment=project,
        name=str(about.get("name") or about.get("custom_run_id") or name),
        user=str(about.get("owner") or ""),
        status="FAILED" if about.get("failed") is True else "FINISHED",
        start=start,
        end=start + round(min(length, 1e15)),
        deleted=about.get("trashed") is True or about.get("archived") is True,
        params=params,
        tags=tags,
    )


def _text(value: Any) -> str:
    """Text as it is, a time as ISO 8601 in UTC, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return msgspec.json.encode(value).decode()


def _millis(value: Any) -> int:
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else 0


def _files(path: str) -> dict[tuple[str, str], list[str]]:
    """The parts of each whole run, in order, by folder and name."""
    inside = glob.escape(path)
    found: dict[tuple[str, str], dict[int, str]] = {}
    for place in ("", "*", "data/*"):
        for file in glob.glob(os.path.join(inside, place, "*_part_*.parquet")):
            folder, name = os.path.split(file)
            named = _PART.fullmatch(name)
            if named:
                found.setdefault((os.path.realpath(folder), named[1]), {})[int(named[2])] = file
    return {
        key: [parts[number] for number in sorted(parts)] for key, parts in sorted(found.items()) if 0 in parts
    }


def _pyarrow() -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise Unavailable(
            f"reading Parquet files needs {error.name}, which is not installed",
            hint="pip install 'lineal[data]'",
        ) from error
    return parquet
