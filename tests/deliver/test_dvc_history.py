"""The history of a real DVC repository: each commit that changed dvc.lock, taken in once, meets what was seen by recording."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lineal.service.overview import FindRequest
from tests.deliver import tables
from tests.deliver.conftest import Workshop
from tests.deliver.test_resolving import git

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # programs with large libraries, several in turn

PIPELINE = """
stages:
  clean:
    cmd: cat raw.csv raw.csv > clean.csv
    deps: [raw.csv]
    params: [limit, model.depth]
    outs: [clean.csv]
  score:
    cmd: cat clean.csv raw.csv > scored.csv && cp seed.json score.json
    deps: [clean.csv]
    outs: [scored.csv]
    metrics:
    - score.json:
        cache: false
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC repository with two states of a pipeline in two commits."""
    tables.need("dvc")
    root = tmp_path_factory.mktemp("dvc") / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    tables.dvc(root, "init", "-q")
    tables.dvc(root, "config", "core.autostage", "false")
    (root / "dvc.yaml").write_text(PIPELINE)
    state(root, "a\n1\n", 1, 0.5)
    state(root, "a\n2\n", 2, 0.75)
    return root


@pytest.fixture
def repository(made: Path, workshop: Workshop) -> Workshop:
    """A project that is a copy of it."""
    shutil.copytree(made, workshop.root, symlinks=True, dirs_exist_ok=True)
    return workshop


def state(root: Path, raw: str, depth: int, score: float) -> None:
    """Run the pipeline on some data and commit what DVC says of it."""
    (root / "raw.csv").write_text(raw)
    (root / "params.yaml").write_text(f"limit: 3\nmodel:\n  depth: {depth}\n")
    (root / "seed.json").write_text(f'{{"test": {{"f1": {score}}}}}')
    tables.dvc(root, "add", "-q", "raw.csv")
    tables.dvc(root, "repro", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", f"depth {depth}")


def test_the_stages_of_every_commit_are_runs_with_what_they_read_and_made(repository: Workshop) -> None:
    said = repository.lineal("import", "dvc").stdout
    assert "stages taken in" in said
    runs = {(run.job, run.name): run for run in repository.runs()}
    assert set(runs) == {(job, name) for job in ("clean", "score") for name in ("depth 1", "depth 2")}
    clean = repository.detail(runs["clean", "depth 2"].run_id)
    score = repository.detail(runs["score", "depth 2"].run_id)
    assert {param.key: param.value for param in clean.params} == {"limit": "3", "model.depth": "2"}
    assert [(metric.key, metric.last) for metric in score.metrics] == [("test.f1", 0.75)]
    assert [file.version for file in clean.outputs] == [file.version for file in score.inputs]
    assert score.inputs[0].made_by == [clean.run_id]
    assert clean.facets["lineal.dvc/1"]["commit"] == git(repository.root, "rev-parse", "HEAD")
    assert clean.code is not None


def test_a_second_import_adds_nothing_and_a_third_what_is_new(repository: Workshop) -> None:
    repository.lineal("import", "dvc")
    before = [repository.detail(run.run_id) for run in repository.runs()]
    again = repository.lineal("import", "dvc").stdout
    assert "4 were here already" in again
    assert [repository.detail(run.run_id) for run in repository.runs()] == before
    state(repository.root, "a\n2\n", 3, 0.8)  # the data is the same: only the first stage runs again
    repository.lineal("import", "dvc")
    assert {run.name for run in repository.runs()} == {"depth 1", "depth 2", "depth 3"}


def test_what_dvc_says_of_a_file_meets_what_a_recorded_script_read(repository: Workshop) -> None:
    repository.lineal("import", "dvc")
    run = repository.python("open('clean.csv').read()")
    made_by = [repository.detail(id).job for file in run.inputs for id in file.made_by]
    assert made_by == ["clean"]
    md5 = next(item.value for file in run.inputs for item in file.references if item.scheme == "dvc-md5")
    assert repository.version(f"dvc-md5:{md5}").used_by
    for text in (md5, f"dvc-md5:{md5}"):  # as it is written on the page
        assert "clean.csv@3" in {hit.ref for hit in repository.call("find", FindRequest(text=text)).hits}


def test_a_lock_that_cannot_be_read_is_named_and_the_rest_is_taken(repository: Workshop) -> None:
    (repository.root / "dvc.lock").write_text("schema: '9.0'\nstages: {}\n")
    git(repository.root, "commit", "-qam", "from the future")
    (repository.root / "dvc.lock").write_text("stages: [&x\n")
    git(repository.root, "commit", "-qam", "broken")
    done = repository.lineal("import", "dvc", check=False)
    assert done.returncode != 0
    assert "its schema is '9.0'" in done.stdout
    assert "is no YAML that DVC writes" in done.stdout
    assert len(repository.runs()) == 4


def test_where_there_is_no_history_it_says_what_is_wanted(workshop: Workshop) -> None:
    done = workshop.lineal("import", "dvc", check=False)
    assert done.returncode != 0
    assert "is no git checkout with a commit" in done.stderr
    subprocess.run(["git", "init", "-q"], cwd=workshop.root, check=True)
    assert "is no git checkout with a commit" in workshop.lineal("import", "dvc", check=False).stderr
