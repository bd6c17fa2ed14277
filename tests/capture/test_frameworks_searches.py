"""Searches: each candidate of scikit-learn's and each trial of Optuna's is a run below the one that searches."""

from __future__ import annotations

import pytest

from tests.capture.frameworks import below, need, own, trained
from tests.capture.recorded import Told


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    need("optuna", "sklearn")
    return trained(
        tmp_path_factory.mktemp("searches"),
        """
        import warnings; warnings.simplefilter("ignore")
        import numpy as np, optuna
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        X = np.random.default_rng(0).random((60, 2)); y = (X[:, 0] > 0.5).astype(int)
        pipeline = make_pipeline(StandardScaler(), LogisticRegression())
        search = GridSearchCV(pipeline, {"logisticregression__C": [1, 2, 4]}, cv=3, n_jobs=2).fit(X, y)
        print(search.best_params_["logisticregression__C"], search.best_score_)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        def objective(trial):
            x = trial.suggest_float("x", 0, 1)
            trial.report(x, 0)
            LogisticRegression(C=1 + x).fit(X, y).score(X, y)
            if trial.number == 1: raise optuna.TrialPruned
            if trial.number == 2: raise ValueError("no luck")
            return x
        study = optuna.create_study(study_name="first", sampler=optuna.samplers.RandomSampler(0))
        study.optimize(objective, 3, catch=(ValueError,))
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        study.tell(trial, 0.5)
        study.optimize(objective, 4, n_jobs=2)
        """,
    )


def test_each_candidate_of_a_search_is_a_run_with_its_scores_by_fold(told: Told) -> None:
    candidates = below(told, "candidate")
    assert [c.params["logisticregression__C"] for c in candidates] == [1, 2, 4]
    assert [step for step, _ in candidates[0].metrics["test_score"]] == [0, 1, 2]
    best = max(candidates, key=lambda c: c.metrics["mean_test_score"][0][1])
    assert told.output.split()[1] == str(best.metrics["mean_test_score"][0][1])


def test_each_trial_of_a_study_is_a_run_with_what_was_reported_while_it_worked(told: Told) -> None:
    trials = below(told, "trial")
    assert len(trials) == 8
    for number, trial in enumerate(trials):
        assert 0 <= trial.params["x"] <= 1
        if number != 3:  # that one was asked for and told about, and its objective is nobody's function
            assert trial.params["LogisticRegression.C"] == pytest.approx(1 + trial.params["x"])
            assert trial.metrics["intermediate"] == [(0, trial.params["x"])]
            assert "score" in trial.metrics
    assert trials[3].metrics == {"value": [(0, 0.5)]}


def test_how_a_trial_ended_is_told(told: Told) -> None:
    trials = below(told, "trial")
    states = [next(r["state"] for r in trial.records if r["t"] == "end") for trial in trials]
    assert states == ["finished", "finished", "failed", *["finished"] * 5]
    assert [len([r for r in t.records if r["t"] == "tag"]) for t in trials[:3]] == [0, 1, 0]


def test_nothing_of_a_trial_is_told_of_the_study_but_the_best(told: Told) -> None:
    keys = {str(r["key"]) for r in own(told, "param")}
    assert "best.x" in keys
    assert not any(key.startswith("LogisticRegression.") for key in keys)
