"""A real project folder, real scripts recorded by the real wrapper, and the real store they end in."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from lineal.resolve.project import Project
from lineal.service.client import Client
from lineal.service.runs import RunsRequest, RunSummary
from lineal.service.show import RunDetail, RunFile, ShowRequest, VersionDetail

LINEAL = [sys.executable, "-m", "lineal"]


class Workshop:
    """A project under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("LINEAL") and key != "PYTHONPATH"
        }

    def script(self, name: str, text: str) -> str:
        """Write a script of the user's; gives back its name."""
        (self.root / name).write_text(textwrap.dedent(text))
        return name

    def run(self, *command: str, check: bool = True, **extra: Any) -> subprocess.CompletedProcess[str]:
        """`lineal run command...` in the project."""
        done = subprocess.run(
            [*LINEAL, "run", *command],
            cwd=extra.pop("cwd", self.root),
            env={**self.environment, **extra.pop("env", {})},
            capture_output=True,
            text=True,
            timeout=extra.pop("timeout", 120),
            check=False,
            **extra,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def python(self, text: str, *arguments: str, name: str = "step.py", check: bool = True) -> RunDetail:
        """Run a script under `lineal run` and give back what was recorded of it."""
        self.script(name, text)
        self.run(sys.executable, name, *arguments, check=check)
        return self.newest()

    def lineal(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Any other `lineal` command in the project."""
        done = subprocess.run(
            [*LINEAL, *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def call(self, name: str, request: Any) -> Any:
        """One operation on the project's store."""
        with Client(Project(str(self.root), str(self.root / ".lineal"))) as client:
            return client.call(name, request)

    def runs(self, where: str = "") -> list[RunSummary]:
        """The recorded runs, newest first."""
        return list(self.call("runs", RunsRequest(where=where)).runs)

    def newest(self) -> RunDetail:
        """The newest run in full."""
        return self.detail(self.runs()[0].run_id)

    def detail(self, run_id: str) -> RunDetail:
        """A run in full."""
        shown = self.call("show", ShowRequest(ref=f"run:{run_id}"))
        assert isinstance(shown, RunDetail)
        return shown

    def version(self, ref: str) -> VersionDetail:
        """A version in full."""
        shown = self.call("show", ShowRequest(ref=ref))
        assert isinstance(shown, VersionDetail)
        return shown


def named(files: list[RunFile], path: str) -> list[RunFile]:
    """The entries of one path."""
    return [file for file in files if file.path == path]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """An empty project outside any git checkout."""
    root = tmp_path / "project"
    root.mkdir()
    (root / ".lineal").mkdir()
    return Workshop(root)
