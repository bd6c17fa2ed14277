"""trackio's folder: one SQLite database for each project."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from lineal.connect.items import (
    Experiment,
    Left,
    Points,
    Run,
    RunsAlone,
    points_of,
)
from lineal.connect.values import flat, own_id
from lineal.core.errors import Invalid, Unavailable

_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_NOT_TAKEN = {
    "system metrics": "system_metrics",
    "traces": "traces",
    "alerts": "alerts",
    "artifact versions": "artifact_versions",
}


class Folder(RunsAlone):
    """A folder of trackio as a source, or one database of it."""

    def __init__(self, path: str) -> None:
        """Raises Invalid: there is no database of trackio; Unavailable: one cannot be opened."""
        files = [path] if os.path.isfile(path) else _databases(path)
        self.name = os.path.abspath(path)
        self.left: list[Left] = []
        self._projects: dict[str, sqlite3.Connection] = {}
        for file in files:
            connection = _opened(file)
            if "run_name" in _columns(connection, "metrics"):
                self._projects[os.path.splitext(os.path.basename(file))[0]] = connection
            else:
                connection.close()
        if not self._projects:
            raise Invalid(
                f"{path} holds no database of trackio: files `<project>.db` are wanted",
                hint="give the folder that trackio keeps them in, by default ~/.cache/huggingface/trackio",
            )
        self._where: dict[str, tuple[str, str, str]] = {}  # project, column and value that name a run's rows
        self._counts: dict[str, int] = {}

    def close(self) -> None:
        """Let go of the databases."""
        for connection in self._projects.values():
            connection.close()

    def count(self) -> dict[str, int]:
        """How many of each kind there are; values and parameters as they were read."""
        found = {**self._counts, "experiments": len(self._projects), "runs": len(self._where)}
        found["metric points"] = found["other values"] = 0
        for connection in self._projects.values():
            for (body,) in connection.execute("SELECT metrics FROM metrics"):
                for value in _json(body).values():
                    found["other values" if _number(value) is None else "metric points"] += 1
            for kind, table in _NOT_TAKEN.items():
                if _columns(connection, table):
                    found[kind] = (
                        found.get(kind, 0) + connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    )
        return found

    def experiments(self) -> Iterator[Experiment]:
        """Every project."""
        for project in self._projects:
            yield Experiment(name=project)

    def runs(self) -> Iterator[Run]:
        """Every run. trackio does not tell whether one ended: its last value counts as its end."""
        self._counts = {"params": 0, "tags": 0}
        for project, connection in self._projects.items():
            column = "run_id" if "run_id" in _columns(connection, "metrics") else "run_name"
            configs = _configs(connection, column)
            for key, name, first, last in connection.execute(
                f"SELECT {column}, max(run_name), min(timestamp), max(timestamp) FROM metrics "
                f"WHERE {column} IS NOT NULL GROUP BY {column} ORDER BY min(timestamp), {column}"
            ):
                id = own_id("trackio", project, key)
                self._where[id] = (project, column, key)
                config = configs.get(key, {})
                params = flat({k: v for k, v in config.items() if not k.startswith("_")})
                tags = {"trackio.run": key}
                if config.get("_Group"):
                    tags["trackio.group"] = str(config["_Group"])
                self._counts["params"] += len(params)
                self._counts["tags"] += len(tags) + 1  # and its name, which is a tag here
                yield Run(
                    id=id,
                    experiment=project,
                    name=name or key,
                    user=str(config.get("_Username") or ""),
                    start=_micros(config.get("_Created") or first) // 1000,
                    end=_micros(last) // 1000,
                    params=params,
                    tags=tags,
                )

    def mark(self, run: Run) -> str:
        """How many rows of values the run has."""
        project, column, key = self._where[run.id]
        return str(
            self._projects[project]
            .execute(f"SELECT count(*) FROM metrics WHERE {column} = ?", (key,))
            .fetchone()[0]
        )

    def points(self, run: Run) -> Iterator[Points]:
        """All numbers that a run logged; other values are left."""
        return points_of(run.id, self._rows(run))

    def _rows(self, run: Run) -> Iterator[tuple[str, float, int, int]]:
        project, column, key = self._where[run.id]
        rows = self._projects[project].execute(
            f"SELECT timestamp, step, metrics FROM metrics WHERE {column} = ? ORDER BY id", (key,)
        )
        for at, step, body in rows:
            for name, value in _json(body).items():
                number = _number(value)
                if number is not None:
                    yield name, number, _micros(at), step or 0


def _number(value: Any) -> float | None:
    """The number that a value is, None when it is none. trackio writes those that are no numbers as words."""
    if isinstance(value, str):
        return _WORDS.get(value)
    return float(value) if isinstance(value, int | float) else None


def _configs(connection: sqlite3.Connection, column: str) -> dict[str, dict[str, Any]]:
    if column not in _columns(connection, "configs"):
        return {}
    return {
        key: _json(body)
        for key, body in connection.execute(f"SELECT {column}, config FROM configs ORDER BY id")
    }


def _json(body: bytes | str) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _micros(said: str) -> int:
    try:
        return round(datetime.fromisoformat(said).timestamp() * 1_000_000)
    except (TypeError, ValueError):
        return 0


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def _databases(path: str) -> list[str]:
    try:
        return sorted(
            entry.path for entry in os.scandir(path) if entry.name.endswith(".db") and entry.is_file()
        )
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", hint="give a folder of trackio"
        ) from error


def _opened(path: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True, timeout=30)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("BEGIN")  # one state for all that is read
    except sqlite3.Error as error:
        raise Unavailable(f"{path} cannot be opened: {error}", hint="a SQLite database is wanted") from error
    return connection
