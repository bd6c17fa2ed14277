"""Runs a program with the real injection, without `lineal run` around it, and reads what it recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from lineal.journal.read import FileEvent, Frame, Point, Record, read

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "src" / "lineal" / "capture" / "site"
RUN = "0123456789abcdef0123456789abcdef"
READ, WRITE, REMOVED, READ_WRITE, DIRECTORY_READ, DIRECTORY_WRITE, MODIFY = 1, 2, 3, 4, 5, 6, 7


class Recorded(NamedTuple):
    """What a program did, and what was recorded of it: the frames of each journal it left."""

    code: int
    stdout: str
    stderr: str
    folder: Path
    journals: list[list[Frame]]

    @property
    def frames(self) -> list[Frame]:
        return [frame for journal in self.journals for frame in journal]

    def records(self, type: str) -> list[dict[str, object]]:
        return [f.fields for f in self.frames if isinstance(f, Record) and f.type == type]

    def points(self) -> list[Point]:
        return [f for f in self.frames if isinstance(f, Point)]

    def events(self, path: str | bytes) -> list[FileEvent]:
        wanted = os.path.join(os.fsencode(self.folder), os.fsencode(path))
        return [f for f in self.frames if isinstance(f, FileEvent) and f.path == wanted]

    def ops(self, path: str | bytes) -> list[int]:
        return [event.op for event in self.events(path)]

    def paths(self, *ops: int) -> set[str]:
        """The paths seen in these ways, relative to the folder when below it."""
        found = {os.fsdecode(f.path) for f in self.frames if isinstance(f, FileEvent) and f.op in ops}
        return {os.path.relpath(p, self.folder) if p.startswith(str(self.folder)) else p for p in found}

    def hashes(self, path: str) -> list[object]:
        return [r["sha256"] for r in self.records("hash") if r["path"] == str(self.folder / path)]

    def code_files(self) -> set[str]:
        return {os.path.relpath(str(r["path"]), self.folder) for r in self.records("code")}


def environment(journal: Path, **more: str) -> dict[str, str]:
    """What `lineal run` puts into the environment of a command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LINEAL_", "COV_", "COVERAGE"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    injected = {
        "PYTHONPATH": str(SITE),
        "LINEAL_RUN": RUN,
        "LINEAL_JOURNAL": str(journal),
        "LINEAL_DEBUG": "1",
    }
    return {**kept, **injected, **more}


def run(
    folder: Path,
    code: str = "",
    *,
    argv: list[str] | None = None,
    python: str = sys.executable,
    options: tuple[str, ...] = (),
    recorded: bool = True,
    **more: str,
) -> Recorded:
    """Run `code` (as `main.py`), or `argv`, in `folder`. `more`: environment variables."""
    journal = folder / ".lineal" / "journal"
    journal.mkdir(parents=True, exist_ok=True)
    before = set(journal.glob("*.lj"))
    if argv is None:
        (folder / "main.py").write_text(code)
        argv = [python, *options, "main.py"]
    env = environment(journal, **{"LINEAL_ROOT": str(folder), "LINEAL_PARENT": str(os.getpid()), **more})
    if not recorded:
        env = {k: v for k, v in env.items() if not k.startswith("LINEAL_") and k != "PYTHONPATH"}
    done = subprocess.run(
        argv, cwd=folder, env=env, capture_output=True, text=True, errors="surrogateescape", timeout=110
    )
    found = [all_frames(path) for path in sorted(set(journal.glob("*.lj")) - before)]
    return Recorded(done.returncode, done.stdout, done.stderr, folder, found)


def all_frames(path: Path) -> list[Frame]:
    """Every frame of a journal that must be whole."""
    frames: list[Frame] = []
    offset = 0
    while offset < path.stat().st_size:
        more, offset, damage = read(str(path), offset)
        assert damage is None, damage
        frames += more
    return frames
