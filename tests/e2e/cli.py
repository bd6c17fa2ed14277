"""Drives the real `lineal` executable."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

_PROGRESS = re.compile(r"lineal: (.* \.\.\.|fingerprinting files: .*)\n")
LINEAL = str(Path(sys.executable).parent / "lineal")


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would lead to another project or another look."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LINEAL", "_LINEAL")) and name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")
    }
    return {**kept, "PYTHONIOENCODING": "utf-8", "TZ": "UTC", **more}


def lineal(folder: Path, *words: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """What `lineal WORDS` said in the folder. more: environment variables."""
    return subprocess.run(
        [LINEAL, *words],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        input=stdin,
        timeout=60,
    )


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What stands on stderr, but for how far something is that takes long: on a busy machine anything may."""
    return "".join(line for line in done.stderr.splitlines(keepends=True) if not _PROGRESS.fullmatch(line))


def said(folder: Path, *words: str) -> str:
    """The text of a command that must succeed without a word on stderr."""
    done = lineal(folder, *words)
    assert (done.returncode, told(done)) == (0, ""), (words, done)
    return done.stdout


def document(folder: Path, *words: str) -> Any:
    """The one JSON document of a command that must succeed."""
    return json.loads(said(folder, *words, "--json"))
