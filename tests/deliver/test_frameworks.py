"""What frameworks report reaches the record: models, checkpoints, folders, runs within a run."""

from __future__ import annotations

import pytest

from lineal.service.show import RunDetail
from tests.deliver.conftest import Workshop, named

pytest.importorskip("sklearn")


def top(workshop: Workshop) -> RunDetail:
    """The run that is part of no other."""
    return next(workshop.detail(run.run_id) for run in workshop.runs() if run.parent is None)


def test_a_search_is_recorded_once_with_its_candidates_below_it(workshop: Workshop) -> None:
    workshop.python(
        """
        import numpy as np, pandas as pd, pickle
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        X = pd.DataFrame({"age": np.arange(60) % 7, "income": np.arange(60) / 60})
        search = GridSearchCV(LogisticRegression(), {"C": [1, 2, 4, 8]}, cv=2).fit(X, X["income"] > 0.4)
        with open("model.bin", "wb") as file: file.write(pickle.dumps(search.best_estimator_))
        """
    )
    run = top(workshop)
    assert [gap for gap in run.facets.get("lineal.notes/1", {}).get("gaps", []) if "killed" in gap] == []
    assert [(child.kind, child.state, child.params) for child in run.children] == [
        ("candidate", "finished", {"C": str(c)}) for c in (1, 2, 4, 8)
    ]
    assert all("mean_test_score" in child.metrics for child in run.children)
    assert list((workshop.root / ".lineal" / "journal").iterdir()) == []
    saved = named(run.outputs, "model.bin")[0]
    assert (saved.kind, saved.role) == ("model", "model")
    facet = workshop.version(saved.version).facets["lineal.model/1"]
    assert facet == {
        "framework": "sklearn",
        "class": "sklearn.linear_model._logistic.LogisticRegression",
        "lib": "pickle.dumps",
        "inputs": [{"name": "age", "type": "int64"}, {"name": "income", "type": "float64"}],
    }
    shown = workshop.lineal("show", f"run:{run.run_id}").stdout
    assert "child runs (4)" in shown
    assert "GridSearchCV.candidate  4 runs  finished  mean_test_score" in shown
    listed = workshop.lineal("runs").stdout.splitlines()
    assert len(listed) == 3
    assert len(workshop.lineal("runs", "--all").stdout.splitlines()) == 6


def test_a_models_facet_says_which_columns_it_takes(workshop: Workshop) -> None:
    run = workshop.python(
        """
        import joblib, pandas as pd
        from sklearn.linear_model import LinearRegression
        X = pd.DataFrame({"age": [1, 2, 3], "income": [1.5, 2.5, 2.0]})
        joblib.dump(LinearRegression().fit(X, [1, 2, 3]), "m.joblib")
        """
    )
    facet = workshop.version(named(run.outputs, "m.joblib")[0].version).facets["lineal.model/1"]
    assert "age int64, income float64" in workshop.lineal("show", "m.joblib").stdout
    assert facet["inputs"] == [{"name": "age", "type": "int64"}, {"name": "income", "type": "float64"}]


def test_a_folder_that_holds_a_model_is_one_output(workshop: Workshop) -> None:
    """Whatever wrote its files; here a package's own hook says that it is one."""
    packages = workshop.root / "x-packages"
    (packages / "acme-1.0.dist-info").mkdir(parents=True)
    (packages / "acme-1.0.dist-info" / "entry_points.txt").write_text(
        "[console_scripts]\nacme = acme:main\n[lineal.frameworks]\nacme = acme_hook:hook\n"
    )
    (packages / "acme.py").write_text(
        "import os\ndef save(folder, step):\n    os.makedirs(folder)\n"
        "    for n in range(3): open(f'{folder}/part-{n}', 'w').write(f'{step} {n}')\n"
    )
    (packages / "acme_hook.py").write_text(
        "def hook(module, lineal):\n"
        "    def told(result, args, kwargs):\n"
        "        about = {'step': args[1]}\n"
        "        lineal.model(args[0], framework='acme', kind='Net', lib='acme.save', checkpoint=about)\n"
        "        if args[1] == 2: lineal.checkpoints(args[0], monitor='loss', score=0.5)\n"
        "    lineal.after(module, 'save', told)\n"
    )
    workshop.environment["PYTHONPATH"] = str(packages)
    run = workshop.python("import acme\nfor step in (1, 2, 3): acme.save(f'model-{step}', step)")
    assert [(file.path, file.kind, file.role) for file in run.outputs] == [
        ("model-1", "model", "checkpoint"),
        ("model-2", "model", "model"),
        ("model-3", "model", "checkpoint"),
    ]
    best = workshop.version(named(run.outputs, "model-2")[0].version)
    assert [member["path"] for member in best.members] == ["part-0", "part-1", "part-2"]
    page = workshop.lineal("show", "model-2").stdout
    assert "step 2, became the model, by loss 0.5" in page
    assert best.facets["lineal.model/1"]["checkpoint"] == {
        "step": 2,
        "best": True,
        "monitor": "loss",
        "score": 0.5,
    }
