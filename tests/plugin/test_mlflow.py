"""`lineal:` as MLflow's tracking address: the unmodified client records into the project's store, and nobody started a server."""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.doors.mlflow import peers
from tests.doors.mlflow.asking import Asking
from tests.e2e.cli import document, environment

# Lineal and what it needs come behind what MLflow's own environment has.
_HEAD = """
import sys
sys.path += {paths!r}
import mlflow
mlflow.set_tracking_uri({uri!r})
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    if reason := peers.absent():
        pytest.skip(reason)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def begun(folder: Path, script: str, uri: str = "lineal:") -> subprocess.Popen[str]:
    paths = [sysconfig.get_paths()["purelib"], str(peers.ROOT / "src")]
    text = _HEAD.format(paths=paths, uri=uri) + textwrap.dedent(script)
    return subprocess.Popen(
        [peers.PYTHON, "-W", "ignore", "-c", text],
        cwd=folder,
        env=environment(MLFLOW_DISABLE_TELEMETRY="true", GIT_PYTHON_REFRESH="quiet"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    try:
        out, err = process.communicate(timeout=100)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    assert process.returncode == 0, err
    return out.strip()


def runs(folder: Path) -> list[dict[str, Any]]:
    return document(folder, "runs")  # type: ignore[no-any-return]


@pytest.mark.timeout(200)
def test_a_program_records_runs_files_models_and_traces(project: Path) -> None:
    script = """
    mlflow.set_experiment("embedded")
    run = mlflow.start_run(run_name="first")
    mlflow.log_param("depth", 3)
    mlflow.log_metric("acc", float("nan"), step=1)
    mlflow.log_text("hello", "deep/x.txt")
    class Twice(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return [2 * one for one in model_input]
    mlflow.pyfunc.log_model(name="twice", python_model=Twice(), registered_model_name="twice", pip_requirements=["numpy==1.0"])
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("twice", "best", 1)
    assert mlflow.pyfunc.load_model("models:/twice@best").predict([1, 2]) == [2, 4]
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/deep/x.txt") == "hello"
    assert [file.path for file in client.list_artifacts(run.info.run_id, "deep")] == ["deep/x.txt"]
    client.create_model_version("twice", f"runs:/{run.info.run_id}/deep", run.info.run_id)
    with mlflow.start_span("asked") as span:
        span.set_outputs("answered")
    print(run.info.run_id)
    """
    said = ended(begun(project, script))  # nothing ended the run but the end of the program
    id = next(line for line in said.splitlines() if re.fullmatch("[0-9a-f]{32}", line))
    (run,) = runs(project)
    assert (run["run_id"], run["state"], run["name"]) == (id, "finished", "first")
    assert not (project / ".lineal" / "server.json").exists()
    shown = document(project, "show", "twice@best")
    assert shown["facets"]["lineal.environment/1"]["packages"]["numpy"] == "1.0"
    assert document(project, "trace", "twice@best")


@pytest.mark.timeout(200)
def test_programs_that_record_at_once_share_one_writer(project: Path) -> None:
    script = """
    with mlflow.start_run():
        for step in range(100):
            mlflow.log_metric("m", step, step=step)
    """
    for process in [begun(project, script) for _ in range(3)]:
        ended(process)
    found = runs(project)
    assert [run["state"] for run in found] == ["finished"] * 3
    counts = [document(project, "show", f"run:{run['run_id']}")["metrics"][0]["count"] for run in found]
    assert counts == [100, 100, 100]


@pytest.mark.timeout(200)
def test_a_running_server_is_used_instead(project: Path) -> None:
    from tests.server.serving import Serving

    serving = Serving(project).start()
    try:
        script = """
        with mlflow.start_run() as run:
            mlflow.log_text("x", "x.txt")
        print(run.info.run_id)
        """
        id = ended(begun(project, script)).splitlines()[-1]
        asking = Asking(serving)
        assert asking.get("/runs/get", run_id=id)["run"]["info"]["status"] == "FINISHED"
        assert [file["path"] for file in asking.get("/artifacts/list", run_id=id)["files"]] == ["x.txt"]
    finally:
        serving.close()


@pytest.mark.timeout(200)
def test_an_address_names_a_project_elsewhere_and_others_stay_mlflows_own(
    project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    script = """
    import json
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1)
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    plain = get_artifact_repository("mlflow-artifacts:/x", tracking_uri="http://127.0.0.1:9")
    print(json.dumps([run.info.run_id, type(plain).__name__, "lineal.server.app" in sys.modules]))
    """
    id, plain, loaded = json.loads(ended(begun(project, script, f"lineal://{other}")).splitlines()[-1])
    assert (plain, loaded) == ("MlflowArtifactsRepository", True)
    assert [run["run_id"] for run in runs(other)] == [id]


def test_mlflow_is_imported_without_loading_the_server(project: Path) -> None:
    script = "print([name for name in sys.modules if name.startswith('lineal')])"
    assert ended(begun(project, script)) == "['lineal', 'lineal.plugin', 'lineal.plugin.mlflow']"
