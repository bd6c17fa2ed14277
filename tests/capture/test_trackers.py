"""A script that uses another tracker already needs no change: that tracker keeps what it had, and the record has it too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.capture.frameworks import PYTHON as FRAMEWORKS
from tests.capture.frameworks import need
from tests.capture.recorded import Told, run
from tests.connect.peers import PYTHON as PEERS

QUIET = {
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "TRACKIO_DIR": "trackio",
    "AIM_UI_TELEMETRY_ENABLED": "0",
}


def told(project: Path, python: Path, text: str) -> Told:
    if not python.exists():
        pytest.skip(f"could not import 'peers' in {python.parts[-3]}; `make test` installs it where it can")
    (project / "script.py").write_text(text)
    home = project / "home"
    home.mkdir()
    environment = {**os.environ, **QUIET, "HOME": str(home), "TRACKIO_DIR": str(project / "trackio")}
    done = run(str(python), "script.py", cwd=project, env=environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return Told(project, done.stdout)


def test_weights_and_biases_offline(project: Path) -> None:
    found = told(
        project,
        PEERS,
        """
import wandb
with wandb.init(project="p", config={"lr": 0.5, "net": {"width": 3}}) as run:
    for step in range(3): run.log({"loss": 1 / (step + 1), "held": {"acc": step}, "note": "x"})
    wandb.log({"late": 7}, step=9)
    run.config["added"] = 4
""",
    )
    assert [value for _, value in found.metrics["loss"]] == [1.0, 0.5, 1 / 3]
    assert found.metrics["held.acc"][-1][1] == 2.0
    assert found.metrics["late"] == [(9, 7.0)]
    assert (found.params["lr"], found.params["net.width"], found.params["added"]) == (0.5, 3, 4)
    assert len(list((project / "wandb").glob("offline-run-*/*.wandb"))) == 1


def test_trackio(project: Path) -> None:
    found = told(
        project,
        PEERS,
        """
import trackio
trackio.init(project="p", config={"lr": 0.5}, embed=False)
for step in range(3): trackio.log({"loss": 1 / (step + 1)})
trackio.finish()
""",
    )
    assert [value for _, value in found.metrics["loss"]] == [1.0, 0.5, 1 / 3]
    assert found.params["lr"] == 0.5
    assert any((project / "trackio").rglob("*.db"))


def test_aim(project: Path) -> None:
    need("aim")
    found = told(
        project,
        FRAMEWORKS,
        """
from aim import Run
run = Run(repo=".", log_system_params=False, system_tracking_interval=None)
run["hparams"] = {"lr": 0.5}
for step in range(3): run.track(1 / (step + 1), name="loss", step=step, context={"subset": "train"})
run.close()
""",
    )
    assert found.metrics["train/loss"] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert found.params["hparams.lr"] == 0.5
    assert (project / ".aim").is_dir()
