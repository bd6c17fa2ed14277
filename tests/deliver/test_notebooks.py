"""Notebooks executed as programs are runs: their cells' files, parameters and metrics, and the executed notebook itself."""

from __future__ import annotations

import json

import pytest

from tests.capture.frameworks import PYTHON, need
from tests.deliver.conftest import Workshop, named

CELLS = """
rate = 0.5
===
import pandas, random
random.seed(3)
table = pandas.read_csv("in.csv")
table.to_csv("out.csv", index=False)
print("token=ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8")
===
from sklearn.metrics import accuracy_score
accuracy_score([0, 1], [0, 1 if rate > 0.4 else 0])
"""


def notebook(workshop: Workshop, cells: str = CELLS) -> None:
    (workshop.root / "in.csv").write_text("a,b\n1,2\n")
    made = [
        {
            "id": f"cell-{number}",
            "cell_type": "code",
            "metadata": {"tags": ["parameters"]} if number == 0 else {},
            "execution_count": None,
            "outputs": [],
            "source": text.strip(),
        }
        for number, text in enumerate(cells.split("==="))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    whole = {"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (workshop.root / "x.ipynb").write_text(json.dumps(whole))
    home = workshop.root.parent / "home"
    home.mkdir(exist_ok=True)
    bin_ = PYTHON.parent
    workshop.environment |= {"HOME": str(home), "PATH": f"{bin_}:{workshop.environment['PATH']}"}


def test_jupyter_execute_is_a_run_with_the_notebook_kept(workshop: Workshop) -> None:
    need("nbclient", "ipykernel", "pandas", "sklearn")
    notebook(workshop)
    workshop.run("jupyter", "execute", "x.ipynb")
    run = workshop.newest()
    assert (run.job, run.state, run.params) == ("x.ipynb", "finished", [])
    assert {(file.path, file.role) for file in run.inputs} == {("in.csv", "input"), ("x.ipynb", "notebook")}
    assert {(file.path, file.kind, file.role) for file in run.outputs} == {
        ("out.csv", "dataset", "output"),
        ("x.ipynb#executed", "report", "report"),
    }
    assert [(metric.key, metric.last) for metric in run.metrics] == [("accuracy_score", 1.0)]
    assert run.facets["lineal.seeds/1"]["seeds"]["random"] == 3
    assert "x.ipynb" in run.facets["lineal.sources/1"]["files"]
    kept = json.loads(workshop.lineal("show", f"run:{run.run_id}", "--notebook").stdout)
    assert [cell["execution_count"] for cell in kept["cells"]] == [1, 2, 3]
    assert "[REDACTED:github-token]" in json.dumps(kept)
    assert "ghp_a1" not in json.dumps(kept)
    assert list((workshop.root / ".lineal" / "journal").iterdir()) == []


def test_a_notebook_whose_cell_fails_is_kept_as_far_as_it_came(workshop: Workshop) -> None:
    need("nbclient", "ipykernel")
    notebook(workshop, "print('one')\n===\nraise ValueError('two')\n===\nprint('three')")
    done = workshop.run("jupyter", "execute", "x.ipynb", check=False)
    assert done.returncode != 0
    run = workshop.newest()
    assert run.state == "failed"
    about = run.facets["lineal.notebook/1"]["notebooks"][0]
    assert (about["path"], about["cells"], about["failed"]) == ("x.ipynb", 3, 1)
    kept = json.loads(workshop.lineal("show", f"run:{run.run_id}", "--notebook").stdout)
    assert kept["cells"][1]["outputs"][0]["ename"] == "ValueError"


@pytest.mark.slow
def test_papermill_writes_the_notebook_itself_and_its_parameters_are_the_runs(workshop: Workshop) -> None:
    need("papermill", "ipykernel", "pandas", "sklearn")
    notebook(workshop)
    workshop.run("papermill", "x.ipynb", "done.ipynb", "-p", "rate", "0.1")
    run = workshop.newest()
    assert {param.key: param.value for param in run.params if param.source == "papermill"} == {"rate": "0.1"}
    assert [(metric.key, metric.last) for metric in run.metrics] == [("accuracy_score", 0.5)]
    assert [(file.kind, file.role) for file in named(run.outputs, "done.ipynb")] == [("report", "output")]
    assert not named(run.outputs, "x.ipynb#executed")
    assert run.facets["lineal.notebook/1"]["notebooks"][0]["failed"] == 0
