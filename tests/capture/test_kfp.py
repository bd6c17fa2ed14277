"""A pipeline of Kubeflow's that its own local runner runs is recorded component by component."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from lineal.core.events import State
from lineal.core.model import EdgeKind, RunRecord
from lineal.store.open import Store, open_store
from tests.e2e.cli import LINEAL, environment, said

PYTHON = Path(__file__).resolve().parents[2] / ".venv-kfp" / "bin" / "python"
STEPS = ("churn.prepare", "churn.train", "churn.evaluate")


@cache
def absent() -> str:
    found = PYTHON.exists() and subprocess.run([PYTHON, "-c", "import kfp"]).returncode == 0
    return "" if found else "could not import 'kfp' in .venv-kfp; `make test` installs it where it can"


def recorded(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The pipeline, run under `lineal run` in a new project."""
    if reason := absent():
        pytest.skip(reason)
    folder.mkdir(exist_ok=True)
    (folder / ".git").mkdir()
    (folder / "raw.csv").write_text("x,y\n" + "7,14\n" * 50)
    shutil.copy(Path(__file__).parent / "kfp_pipeline.py", folder / "pipeline.py")
    return subprocess.run(
        [LINEAL, "run", "--", PYTHON, "pipeline.py", *words],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=110,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    done = recorded(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def runs(store: Store) -> dict[str, RunRecord]:
    with store.read() as tx:
        nodes = [node for (node,) in tx.rows("SELECT node FROM run ORDER BY node")]
        return {run.job: run for run in store.runs.get_runs(tx, nodes).values()}


def test_each_component_is_a_run_below_the_program_with_parameters_and_metrics(shop: Path) -> None:
    store = open_store(str(shop / ".lineal" / "lineal.db"))
    found = runs(store)
    assert set(found) == {"pipeline.py", *STEPS}
    assert {found[job].parent for job in STEPS} == {found["pipeline.py"].node}
    assert {found[job].state for job in STEPS} == {State.FINISHED}
    train = found["churn.train"].node
    with store.read() as tx:
        params = {p.key: p.value for p in store.attributes.get_params(tx, [train])[train]}
        tags = {t.key: t.value for t in store.attributes.get_tags(tx, [train])[train]}
        [metric] = store.metrics.get_summaries(tx, [train])[train]
    assert params == {"epochs": "3", "rate": "0.5", "fail": "false"}, "nothing of kfp's own command line"
    assert (tags["output.Output"], tags["model.framework"]) == ("0.5", "none")
    assert (metric.key, metric.last) == ("accuracy", 0.75)
    store.close()


def test_inputs_and_outputs_join_the_components_from_the_raw_data_to_the_answer(shop: Path) -> None:
    store = open_store(str(shop / ".lineal" / "lineal.db"))
    found = runs(store)
    with store.read() as tx:
        train = found["churn.train"].node
        into, out = store.edges.get_in(tx, [train]), store.edges.get_out(tx, [train])
        versions = store.artifacts.get_versions(tx, [e.src for e in into] + [e.dst for e in out])
    inputs = {versions[edge.src].name.rpartition("/")[2] for edge in into if edge.role == "data"}
    models = {versions[e.dst].name.rpartition("/")[2] for e in out if versions[e.dst].kind == "model"}
    assert (inputs, models) == ({"data"}, {"model"})
    assert {edge.kind for edge in out} == {EdgeKind.GENERATED}
    [model] = {v.name for v in versions.values() if v.kind == "model"}
    told = said(shop, "trace", model)
    assert "churn.train" in told
    assert "churn.prepare" in told
    assert "raw.csv" in told, "what the component read by itself belongs to it"
    store.close()


def test_a_component_that_fails_is_a_run_that_failed(tmp_path: Path) -> None:
    done = recorded(tmp_path / "broken", "fail")
    assert done.returncode == 1
    store = open_store(str(tmp_path / "broken" / ".lineal" / "lineal.db"))
    found = runs(store)
    assert found["churn.prepare"].state is State.FINISHED
    assert found["churn.train"].state is State.FAILED
    assert "churn.evaluate" not in found
    store.close()


def test_the_pipeline_does_and_says_what_it_does_without_us(shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "raw.csv").write_text("x,y\n" + "7,14\n" * 50)
    shutil.copy(Path(__file__).parent / "kfp_pipeline.py", folder / "pipeline.py")
    done = subprocess.run(
        [PYTHON, "pipeline.py"], cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0
    mine, theirs = (sorted(place.glob("outputs/*/*/model")) for place in (folder, shop))
    assert [path.read_bytes() for path in mine] == [path.read_bytes() for path in theirs]
