"""scikit-learn programs that know nothing of us tell their parameters, metrics and models, and behave as ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.capture.recorded import run, script

pytest.importorskip("sklearn")

DATA = """
import numpy as np
from sklearn.datasets import make_classification
X, y = make_classification(n_samples=200, n_features=6, random_state=3)
"""


def test_the_parameters_of_what_is_fitted_are_recorded_under_its_class(project: Path) -> None:
    told = script(
        project,
        DATA
        + "from sklearn.linear_model import LogisticRegression\nLogisticRegression(C=0.5, random_state=np.int64(7)).fit(X, y)",
    )
    assert told.params["LogisticRegression.C"] == 0.5
    assert told.params["LogisticRegression.random_state"] == 7
    assert told.params["LogisticRegression.class_weight"] is None
    assert told.sources == {"sklearn"}


def test_of_nested_estimators_only_the_outermost_is_recorded_with_the_parts_parameters(project: Path) -> None:
    told = script(
        project,
        """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.ensemble import RandomForestClassifier
        model = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=5, n_jobs=2))
        model.fit(X, y)
        print(model.score(X, y))
        """,
        first=DATA,
    )
    assert {key.partition(".")[0] for key in told.params} == {"Pipeline"}
    assert told.params["Pipeline.randomforestclassifier__n_estimators"] == 5
    assert told.params["Pipeline.randomforestclassifier"] == "sklearn.ensemble._forest.RandomForestClassifier"
    assert told.metrics["score"] == [(0, float(told.output))]
    assert list(told.metrics) == ["score"]


def test_metric_functions_are_recorded_when_the_program_calls_them_and_their_steps_are_counted(
    project: Path,
) -> None:
    told = script(
        project,
        """
        import sklearn.metrics
        from sklearn.metrics import accuracy_score, roc_auc_score, f1_score, confusion_matrix, mean_squared_error
        accuracy_score([0, 1, 1, 0], [0, 1, 0, 0])
        sklearn.metrics.accuracy_score([0, 1], [0, 1])
        roc_auc_score([0, 1], [0.2, 0.1])
        f1_score([0, 1], [0, 1])
        f1_score([0, 1], [0, 1], average=None)
        confusion_matrix([0, 1], [0, 1])
        mean_squared_error([0.0, 1.0], [0.0, 3.0])
        """,
    )
    assert told.metrics == {
        "accuracy_score": [(0, 0.75), (1, 1.0)],
        "roc_auc_score": [(0, 0.0)],
        "f1_score": [(0, 1.0)],
        "mean_squared_error": [(0, 2.0)],
    }


def test_a_search_tells_what_it_found_and_not_every_candidate(project: Path) -> None:
    told = script(
        project,
        """
        from sklearn.model_selection import GridSearchCV, cross_val_score
        from sklearn.tree import DecisionTreeClassifier
        search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, n_jobs=2, cv=3, scoring="accuracy")
        search.fit(X, y)
        cross_val_score(DecisionTreeClassifier(max_depth=9), X, y, cv=4)
        """,
        first=DATA,
    )
    assert told.params["GridSearchCV.estimator__random_state"] == 0
    assert told.params["GridSearchCV.param_grid"] == {"max_depth": [1, 2, 3]}
    assert told.params["GridSearchCV.best.max_depth"] in (1, 2, 3)
    assert told.params["DecisionTreeClassifier.max_depth"] == 9
    assert 0.5 < told.metrics["best_score"][0][1] <= 1
    assert [step for step, _ in told.metrics["cross_val_score"]] == [0, 1, 2, 3]


def test_estimators_of_the_program_itself_are_recorded_too(project: Path) -> None:
    told = script(
        project,
        """
        from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
        class Mine(ClassifierMixin, BaseEstimator):
            def __init__(self, power=2): self.power = power
            def fit(self, X, y, extra=None):
                "Fits it."
                self.classes_ = np.unique(y)
                return self
            def predict(self, X): return np.zeros(len(X), dtype=int)
        class Halves(TransformerMixin, BaseEstimator):
            def fit(self, X, y=None): return self
            def transform(self, X): return X / 2
            def fit_transform(self, X, y=None): return X / 2
        Mine(power=5).fit(X, y)
        Halves().fit_transform(X)
        for _ in range(3): Mine().fit(X, y)
        """,
        first=DATA,
    )
    assert [r["value"] for r in told.records if r.get("key") == "Mine.power"] == [5, 2]


def test_signature_text_cloning_pickling_and_metadata_routing_stay_as_they_were(project: Path) -> None:
    told = script(
        project,
        """
        import copy, inspect, pickle, sklearn
        from sklearn.base import BaseEstimator, ClassifierMixin, clone
        from sklearn.linear_model import LogisticRegression, SGDClassifier
        from sklearn.preprocessing import StandardScaler
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.model_selection import cross_validate
        from sklearn.metrics import accuracy_score, make_scorer, get_scorer
        from sklearn.utils.validation import has_fit_parameter
        import sklearn.metrics

        assert list(inspect.signature(LogisticRegression.fit).parameters) == ["self", "X", "y", "sample_weight"]
        assert list(inspect.signature(LogisticRegression().fit).parameters) == ["X", "y", "sample_weight"]
        assert LogisticRegression.fit.__doc__.lstrip().startswith("Fit the model")
        assert LogisticRegression().fit.__name__ == "fit" and inspect.ismethod(LogisticRegression().fit)
        assert inspect.isfunction(LogisticRegression.fit)
        assert has_fit_parameter(LogisticRegression(), "sample_weight")
        assert "y_true" in inspect.signature(accuracy_score).parameters and accuracy_score.__name__ == "accuracy_score"
        assert pickle.loads(pickle.dumps(accuracy_score)) is accuracy_score
        assert pickle.loads(pickle.dumps(get_scorer("accuracy")))
        assert accuracy_score.__module__ == "sklearn.metrics._classification"
        assert accuracy_score is sklearn.metrics._classification.accuracy_score is get_scorer("accuracy")._score_func
        assert pickle.loads(pickle.dumps(make_scorer(accuracy_score)))

        model = make_pipeline(StandardScaler(), PCA(2), LogisticRegression(C=2)).fit(X, y)
        again = pickle.loads(pickle.dumps(clone(model).fit(X, y)))
        assert (again.predict(X) == model.predict(X)).all()
        assert copy.deepcopy(model).get_params()["logisticregression__C"] == 2
        StandardScaler().set_output(transform="default").fit_transform(X)

        sklearn.set_config(enable_metadata_routing=True)
        weighted = SGDClassifier(random_state=0).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        cross_validate(make_pipeline(PCA(2), weighted), X, y, params={"sample_weight": np.ones(len(y))}, error_score="raise")
        for _ in range(3): SGDClassifier(random_state=0).partial_fit(X, y, classes=[0, 1])
        """,
        first=DATA,
    )
    assert told.params["Pipeline.logisticregression__C"] == 2


def test_a_class_pickled_by_value_does_not_take_us_along(project: Path) -> None:
    pytest.importorskip("cloudpickle")
    script(
        project,
        """
        import cloudpickle
        from sklearn.base import BaseEstimator, ClassifierMixin
        class Mine(ClassifierMixin, BaseEstimator):
            def fit(self, X, y):
                self.mean_ = X.mean()
                return self
            def score(self, X, y): return 1.0
        data = cloudpickle.dumps(Mine().fit(X, y))
        assert b"lineal" not in data
        open("mine.pkl", "wb").write(data)
        """,
        first=DATA,
    )
    reads = "import pickle; m = pickle.load(open('mine.pkl', 'rb')); print(type(m).__name__, m.score(0, 0), 'lineal' in __import__('sys').modules)"
    done = subprocess.run([sys.executable, "-c", reads], capture_output=True, text=True, cwd=project)
    assert done.stdout == "Mine 1.0 False\n", done.stderr


def test_an_error_of_the_library_arrives_as_it_was(project: Path) -> None:
    told = script(
        project,
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import accuracy_score
        for act in (lambda: LogisticRegression(C=-1).fit([[1], [2]], [0, 1]), lambda: accuracy_score([1], [1, 2])):
            try:
                act()
            except ValueError as error:
                print(type(error).__name__)
        class Odd:
            def get_params(self, deep=True): raise RuntimeError
        """,
    )
    assert told.output.split() == ["InvalidParameterError", "ValueError"]


def test_saved_models_are_named_with_framework_and_class(project: Path) -> None:
    told = script(
        project,
        """
        import gzip, joblib, pickle
        from pathlib import Path
        from sklearn.linear_model import LogisticRegression
        model = LogisticRegression().fit(X, y)
        Path("out").mkdir()
        joblib.dump(model, "out/a.joblib")
        joblib.dump({"model": model, "columns": ["x"]}, Path("out/b.joblib"), compress=3)
        with open("out/c.pkl", "wb") as file: pickle.dump(model, file)
        with gzip.open("out/d.pkl.gz", "wb") as file: pickle.dump(obj=model, file=file, protocol=4)
        joblib.dump({"just": [1, 2]}, "out/e.joblib")
        with open("out/f.pkl", "wb") as file: pickle.dump(X, file)
        with open("out/g.joblib", "wb") as file: joblib.dump(model, file)
        """,
        first=DATA,
    )
    assert set(told.models) == {"a.joblib", "b.joblib", "c.pkl", "d.pkl.gz", "g.joblib"}
    found = told.models["a.joblib"]
    assert found["path"] == str(project / "out" / "a.joblib")
    assert (found["framework"], found["lib"]) == ("sklearn", "joblib.dump")
    assert found["class"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert told.models["c.pkl"]["lib"] == "pickle.dump"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_scikit_learns_own_tests_pass_while_it_is_recorded(project: Path) -> None:
    own = [
        "sklearn.tests.test_base",
        "sklearn.metrics.tests.test_score_objects",
    ]
    plain = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "--pyargs",
        *own,
    ]
    done = run(*plain, cwd=project)
    assert done.returncode == 0, done.stdout[-3000:]
