"""Programs written in tests: compiled where a C compiler is; what each run read and wrote, by path."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lineal.capture import below
from lineal.service.show import RunDetail
from tests.deliver.conftest import Workshop


def _there() -> bool:
    try:
        return bool(below.library())
    except below.Missing:
        return False


needs_library = pytest.mark.skipif(not _there(), reason="no C compiler, so there is no library to preload")
HEAD = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
"""


def compiled(workshop: Workshop, text: str, *options: str, name: str = "prog") -> str:
    """A C program whose `main` has this body; gives back how to call it."""
    compiler = shutil.which("cc") or "gcc"
    source = workshop.root.parent / f"{name}.c"
    source.write_text(f"{HEAD}\nint main(int argc, char **argv) {{\n{text}\nreturn 0; }}\n")
    target = workshop.root.parent / name
    subprocess.run([compiler, "-w", *options, "-o", str(target), str(source)], check=True)
    return str(target)


def c(workshop: Workshop, text: str, *arguments: str, run: tuple[str, ...] = ()) -> RunDetail:
    """Run a C program under `lineal run` and give back what was recorded of it."""
    workshop.run(*run, compiled(workshop, text), *arguments)
    return workshop.newest()


def sh(workshop: Workshop, text: str, *, run: tuple[str, ...] = ()) -> RunDetail:
    """Run a shell's text under `lineal run` and give back what was recorded of it."""
    workshop.run(*run, "sh", "-c", text)
    return workshop.newest()


def files(detail: RunDetail) -> tuple[list[str], list[str]]:
    """The paths of a run's inputs and outputs, sorted; each once, unless it was recorded twice."""
    skip = ("environment", "code")
    return (
        sorted(str(f.path) for f in detail.inputs if f.role not in skip),
        sorted(str(f.path) for f in detail.outputs),
    )


def gaps(detail: RunDetail) -> list[str]:
    """What the record says could not be observed."""
    return list(detail.facets.get("lineal.notes/1", {}).get("gaps", []))


def put(folder: Path, **content: str) -> None:
    """Write files, named without their ending `.txt`."""
    for name, text in content.items():
        (folder / f"{name}.txt").write_text(text)
