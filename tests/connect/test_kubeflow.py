"""`lineal import kfp` against a stand-in server: runs, tasks, artifacts; repeated, broken off, and from a server without artifacts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lineal.core.events import Evidence, State
from lineal.store.open import Store, open_store
from tests.connect.kfp_server import MLFLOW_RUN, Kubeflow, serving, uid
from tests.e2e.cli import LINEAL, environment
from tests.server.serving import begun

KFP = Path(__file__).resolve().parents[2] / ".venv-kfp" / "bin" / "python"


def imported(folder: Path, url: str, code: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [LINEAL, "import", "kfp", url, "--json"],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def opened(folder: Path) -> Store:
    return open_store(str(folder / ".lineal" / "lineal.db"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return begun(tmp_path / "here")


def test_runs_come_in_with_tasks_parameters_artifacts_and_metrics(folder: Path) -> None:
    with serving(Kubeflow(native=True)) as url:
        took = imported(folder, url)
    assert (took["runs"], took["tasks"], took["links"], took["left"]) == (3, 6, 12, [])
    store = opened(folder)
    with store.read() as tx:
        run, train = (store.runs.find_run(tx, uid(word).replace("-", "")) for word in ("run0", "train0"))
        assert run is not None
        assert train is not None
        records = store.runs.get_runs(tx, [run, train])
        params = {p.key: p.value for p in store.attributes.get_params(tx, [train])[train]}
        [metric] = store.metrics.get_summaries(tx, [train])[train]
        [used] = store.edges.get_in(tx, [train])
        made = store.edges.get_out(tx, [train])
        versions = store.artifacts.get_versions(tx, [used.src, *(edge.dst for edge in made)])
        [prepared] = store.edges.get_in(tx, [used.src])
    assert (records[run].job, records[run].kind, records[run].state) == ("churn", "pipeline", State.FINISHED)
    assert (records[train].job, records[train].parent) == ("churn.train", run), (
        "the task that is the whole run is the run"
    )
    assert params == {"epochs": "3"}
    assert (metric.key, metric.last, metric.count) == ("accuracy", 0.75, 1)
    assert (used.role, used.evidence, versions[used.src].location) == (
        "data",
        Evidence.IMPORTED,
        "minio://bucket/churn/0/data",
    )
    assert {versions[edge.dst].kind for edge in made} == {"model", "report"}
    assert prepared.role == "data"
    store.close()


def test_a_repeat_adds_nothing_and_reads_no_run_that_had_ended(folder: Path) -> None:
    kubeflow = Kubeflow(native=True)
    kubeflow.runs[2]["state"] = "RUNNING"
    del kubeflow.runs[2]["finished_at"]
    with serving(kubeflow) as url:
        assert imported(folder, url)["open"] == 1
        before = _counts(folder)
        kubeflow.asked.clear()
        again = imported(folder, url)
        assert (again["runs"], again["known"]) == (1, 2)
        assert _counts(folder) == before
        assert [path for path in kubeflow.asked if uid("run0") in path and "artifact_tasks" in path] == []
        kubeflow.runs[2]["state"] = "FAILED"
        kubeflow.runs[2]["error"] = {"message": "out of memory"}
        imported(folder, url)
    store = opened(folder)
    with store.read() as tx:
        node = store.runs.find_run(tx, uid("run2").replace("-", ""))
        assert node is not None
        run = store.runs.get_runs(tx, [node])[node]
        train = store.runs.find_run(tx, uid("train2").replace("-", ""))
        assert train is not None
        [metric] = store.metrics.get_summaries(tx, [train])[train]
    assert (run.state, run.error and run.error.message) == (State.FAILED, "out of memory")
    assert metric.count == 1
    store.close()


def _counts(folder: Path) -> list[int]:
    store = opened(folder)
    with store.read() as tx:
        found = [tx.value(f"SELECT count(*) FROM {table}") for table in ("run", "version", "edge", "facet")]
    store.close()
    return found


def test_a_server_of_2_17_comes_in_with_tasks_whose_artifacts_are_numbers(folder: Path) -> None:
    with serving(Kubeflow(native=False)) as url:
        took = imported(folder, url, code=1)
    assert (took["runs"], took["tasks"], took["links"]) == (3, 6, 9)
    assert ["ML Metadata" in left for left in took["left"]] == [True]


def test_a_connection_that_is_dropped_is_made_again(folder: Path) -> None:
    kubeflow = Kubeflow(native=True)
    kubeflow.broken = 3
    with serving(kubeflow) as url:
        assert imported(folder, url)["runs"] == 3


def test_a_run_of_another_form_is_left_out_and_the_rest_stands(folder: Path) -> None:
    kubeflow = Kubeflow(native=True)
    kubeflow.runs[1]["tasks"] = [{"name": "no id"}]
    kubeflow.runs[2]["created_at"] = "yesterday"
    with serving(kubeflow) as url:
        took = imported(folder, url, code=1)
    assert (took["runs"], len(took["left"])) == (2, 1)
    assert uid("run1") in took["left"][0]


def test_what_is_no_server_is_refused_in_words(folder: Path) -> None:
    for place in ("file:///etc/passwd", "http://"):
        done = subprocess.run(
            [LINEAL, "import", "kfp", place],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode != 0
        assert "no address" in done.stderr


def test_the_mlflow_run_that_the_plugin_names_is_one_with_the_run(folder: Path) -> None:
    with serving(Kubeflow(native=True)) as url:
        imported(folder, url)
    store = opened(folder)
    with store.write() as tx:
        awaited = store.joins.list_awaited(tx, [MLFLOW_RUN])
        run = store.runs.find_run(tx, uid("run0").replace("-", ""))
    assert [(node, rule) for _, node, rule, _, _ in awaited] == [(run, "mlflow-run-id")]
    store.close()


def test_the_unmodified_client_of_kubeflow_reads_the_stand_in() -> None:
    if not KFP.exists():
        pytest.skip("could not import 'kfp_server_api' in .venv-kfp; `make test` installs it where it can")
    script = (
        "import sys, kfp_server_api as k\n"
        "api = k.RunServiceApi(k.ApiClient(k.Configuration(host=sys.argv[1])))\n"
        "page = api.run_service_list_runs(page_size=2)\n"
        "run = api.run_service_get_run(page.runs[0].run_id)\n"
        "print(len(page.runs), run.state, run.run_details.task_details[1].inputs['data'].artifact_ids)\n"
    )
    with serving(Kubeflow(native=False)) as url:
        done = subprocess.run([KFP, "-c", script, url], capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "2 SUCCEEDED ['10']", done.stdout + done.stderr
