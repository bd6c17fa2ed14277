"""A program that logs with the unmodified mlflow client, under `lineal run`: it logs into the run that is recorded."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.doors.mlflow import peers
from tests.e2e.cli import LINEAL, document, environment
from tests.plugin.test_mlflow import project as project
from tests.server.serving import Serving

pytestmark = pytest.mark.timeout(200)
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet", "PYTHONWARNINGS": "ignore"}


def begun(folder: Path, script: str, *words: str, **variables: str) -> subprocess.Popen[str]:
    (folder / "train.py").write_text(textwrap.dedent(script))
    return subprocess.Popen(
        [LINEAL, "run", str(peers.PYTHON), "train.py", *words],
        cwd=folder,
        env=environment(**_QUIET, **variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], code: int = 0) -> list[str]:
    out, err = process.communicate(timeout=150)
    assert process.returncode == code, err
    return out.splitlines()


def told(folder: Path) -> list[dict[str, Any]]:
    return document(folder, "runs")  # type: ignore[no-any-return]


def test_its_first_run_is_the_recorded_one_and_later_ones_are_children(project: Path) -> None:
    (project / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    script = """
    import argparse, json
    import mlflow
    import pandas as pd
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int)
    parser.add_argument("--rate", type=float)
    depth = parser.parse_args().depth
    mlflow.set_experiment("forest")
    rows = pd.read_csv("rows.csv")
    with mlflow.start_run() as run:
        mlflow.log_params({"depth": depth, "rate": "0.10"})
        mlflow.log_metric("acc", 0.5, step=1)
        mlflow.log_input(mlflow.data.from_pandas(rows, source="rows.csv", name="rows"))
        mlflow.log_input(mlflow.data.from_pandas(rows * 2, name="twice"))
        mlflow.log_text("hello", "note.txt")
        open("out.txt", "w").write("out")
        with mlflow.start_run(nested=True) as inner:
            mlflow.log_metric("inner", 1)
    with mlflow.start_run(run_name="second") as second:
        mlflow.log_metric("acc", 0.7)
    status = mlflow.get_run(run.info.run_id).info.status
    print(json.dumps([run.info.run_id, inner.info.run_id, second.info.run_id, status]))
    """
    said = ended(begun(project, script, "--depth", "3", "--rate", "0.1"))
    first, inner, second, status = json.loads(said[-1])
    assert status == "FINISHED"
    by_id = {run["run_id"]: run for run in told(project)}
    assert set(by_id) == {first, inner, second}
    assert [by_id[id]["parent"] for id in (first, inner, second)] == [None, first, first]
    assert (by_id[first]["job"], by_id[first]["state"]) == ("train.py", "finished")
    shown = document(project, "show", f"run:{first}")
    assert [(metric["key"], metric["count"]) for metric in shown["metrics"]] == [("acc", 1)]
    assert {param["key"] for param in shown["params"]} == {"depth", "rate"}
    assert "out.txt" in {output["path"] for output in shown["outputs"]}
    assert shown["exit_code"] == 0
    references = {
        name: {reference["scheme"] for reference in document(project, "show", name)["references"]}
        for name in ("rows.csv", "frame/twice")
    }
    assert references == {"rows.csv": {"sha256", "mlflow-digest"}, "frame/twice": {"frame1", "mlflow-digest"}}


def test_how_the_program_ended_counts_not_what_mlflow_said_before(project: Path) -> None:
    script = """
    import mlflow, sys
    with mlflow.start_run():
        mlflow.log_metric("acc", 0.5)
    sys.exit(3)
    """
    ended(begun(project, script), 3)
    (run,) = told(project)
    assert (run["state"], run["exit_code"], run["metrics"]) == ("failed", 3, {"acc": 0.5})


def test_a_program_goes_on_when_the_one_that_served_it_has_ended(project: Path) -> None:
    script = """
    import mlflow
    mlflow.start_run()
    mlflow.log_metric("m", 0, step=0)
    print("begun", flush=True)
    input()
    for step in range(1, 20):
        mlflow.log_metric("m", step, step=step)
    """
    one = begun(project, script)
    assert one.stdout is not None
    assert one.stdout.readline() == "begun\n"
    other = begun(project, script)  # is led to the first one's server
    assert other.stdout is not None
    assert other.stdout.readline() == "begun\n"
    one.communicate("\n", timeout=100)
    assert one.returncode == 0
    other.communicate("\n", timeout=100)
    assert other.returncode == 0
    assert [(run["state"], run["metrics"]) for run in told(project)] == [("finished", {"m": 19.0})] * 2


def test_a_program_that_is_told_another_address_is_left_there(project: Path) -> None:
    script = """
    import mlflow
    print(mlflow.get_tracking_uri())
    with mlflow.start_run():
        mlflow.log_metric("acc", 0.5)
    """
    elsewhere = f"sqlite:///{project}/mlflow.db"
    assert ended(begun(project, script, MLFLOW_TRACKING_URI=elsewhere))[-1] == elsewhere
    (run,) = told(project)
    assert run["metrics"] == {}


def test_a_server_of_the_project_is_used_by_it(project: Path) -> None:
    serving = Serving(project).start()
    try:
        script = """
        import mlflow, os
        with mlflow.start_run() as run:
            mlflow.log_metric("acc", 0.5)
        print(os.environ["LINEAL_RUN"] == run.info.run_id)
        """
        assert ended(begun(project, script))[-1] == "True"
        (run,) = told(project)
        assert (run["state"], run["metrics"]) == ("finished", {"acc": 0.5})
    finally:
        serving.close()


def test_a_program_that_does_not_use_mlflow_starts_no_server(project: Path) -> None:
    script = """
    import os, socket
    url = os.environ["MLFLOW_TRACKING_URI"]
    print(os.path.exists(".lineal/server.json"), url.startswith("http://127.0.0.1:"))
    """
    assert ended(begun(project, script))[-1] == "False True"
    assert oct(os.stat(project / ".lineal" / "token").st_mode & 0o777) == "0o600"
