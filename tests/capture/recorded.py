"""Running programs under `lineal run` and reading what their journals hold."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from lineal.journal.read import FileEvent, Key, Point, Record, read

RUN = [
    sys.executable,
    "-c",
    "import sys; from lineal.capture.launch import main; sys.exit(main(sys.argv[1:]))",
]


def run(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *words], capture_output=True, text=True, timeout=280, **more)


def records(project: Path) -> list[dict[str, Any]]:
    """Every JSON record in the project's journals, and each metric point as one of type `point`, by time."""
    found: list[dict[str, Any]] = []
    for path in (project / ".lineal" / "journal").glob("*.lj"):
        opened: dict[str, Any] = {}
        keys: dict[int, str] = {}
        frames, _, damage = read(str(path), 0)
        assert damage is None
        for item in frames:
            if isinstance(item, Record):
                opened = opened or item.fields
                found.append({"run": opened["run"], **item.fields})
            elif isinstance(item, Key):
                keys[item.id] = item.name
            elif isinstance(item, Point):
                point = {"key": keys[item.key], "step": item.step, "value": item.value, "at": item.at}
                found.append({"t": "point", "run": opened["run"], **point})
    return sorted(found, key=lambda record: record["at"])


def accesses(project: Path) -> list[FileEvent]:
    """Every file access in the project's journals."""
    found: list[FileEvent] = []
    for path in (project / ".lineal" / "journal").glob("*.lj"):
        found += [item for item in read(str(path), 0)[0] if isinstance(item, FileEvent)]
    return found


def one(project: Path, type: str) -> dict[str, Any]:
    """The only record of a type."""
    found = [record for record in records(project) if record["t"] == type]
    assert len(found) == 1, found
    return found[0]


class Told:
    """What a script's run recorded: parameters and seeds by key, metric points as (step, value), models by file name."""

    def __init__(self, project: Path, output: str) -> None:
        self.records = records(project)
        self.output = output
        self.params = {r["key"]: r["value"] for r in self.records if r["t"] == "param"}
        self.sources = {r["source"] for r in self.records if r["t"] == "param"}
        self.seeds = {r["lib"]: r["value"] for r in self.records if r["t"] == "seed"}
        self.models = {Path(r["path"]).name: r for r in self.records if r["t"] == "model"}
        self.metrics: dict[str, list[tuple[int, float]]] = {}
        for r in self.records:
            if r["t"] == "point":
                self.metrics.setdefault(r["key"], []).append((r["step"], r["value"]))


def script(
    project: Path, text: str, *words: str, first: str = "", python: str = sys.executable, **more: Any
) -> Told:
    """Run a Python script under `lineal run`; it must end well and say nothing on stderr."""
    path = project / "script.py"
    path.write_text(first + textwrap.dedent(text), errors="surrogateescape")
    done = run(python, "script.py", *words, cwd=project, **more)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout
    return Told(project, done.stdout)
