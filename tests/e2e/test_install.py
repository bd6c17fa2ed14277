"""`pip install .` gives the package and the command, without Node and without this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    env = {**os.environ, "PATH": "/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", target, ROOT],
        env=env,
        capture_output=True,
        text=True,
        cwd=target,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = target.glob("lineal-*.whl")
    return made


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(["git", "ls-files", "src/lineal"], cwd=ROOT, capture_output=True, text=True)
    wanted = {name.removeprefix("src/") for name in tracked.stdout.splitlines() if (ROOT / name).exists()}
    if wanted:
        assert wanted <= held
    assert "lineal/py.typed" in held
    assert {name.partition("/")[0] for name in held} == {"lineal"}


def test_an_installed_lineal_answers(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    script = "import sys; sys.path.insert(0, sys.argv.pop(1)); from lineal.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(site), "version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "0.1.0" in done.stdout
