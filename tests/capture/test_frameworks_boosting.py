"""Boosted trees and statistics: what is fitted, the history of its evaluation, the models with the columns they take."""

from __future__ import annotations

import pytest

from tests.capture.frameworks import below, need, own, trained
from tests.capture.recorded import Told

DATA = """
import warnings; warnings.simplefilter("ignore")
import numpy as np, pandas as pd
rng = np.random.default_rng(0)
X = pd.DataFrame({"a": rng.random(80), "b": rng.integers(0, 9, 80)})
y = (X.a > 0.5).astype(int)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    need("xgboost", "lightgbm", "catboost", "statsmodels", "sklearn")
    return trained(
        tmp_path_factory.mktemp("boosting"),
        DATA
        + """
import xgboost as xgb, lightgbm as lgb, catboost as cb, statsmodels.formula.api as smf
matrix = xgb.DMatrix(X, y)
xgb.train({"max_depth": 2}, matrix, 3, evals=[(matrix, "valid")], verbose_eval=False).save_model("x.json")
xgb.cv({"max_depth": 3}, matrix, 2, nfold=2)
model = xgb.XGBClassifier(n_estimators=2).fit(X, y, eval_set=[(X, y)], verbose=False)
model.save_model("xc.ubj")
data = lgb.Dataset(X, y)
lgb.train({"verbose": -1}, data, 3, valid_sets=[lgb.Dataset(X, y, reference=data)], valid_names=["held"]).save_model("l.txt")
lgb.cv({"verbose": -1}, lgb.Dataset(X, y), 2, nfold=2, stratified=False)
quiet = dict(verbose=0, allow_writing_files=False)
cb.CatBoostClassifier(iterations=3, **quiet).fit(X, y, eval_set=(X, y)).save_model("c.cbm")
smf.ols("b ~ a", X).fit(method="qr").save("s.pkl")
from sklearn.model_selection import GridSearchCV
GridSearchCV(xgb.XGBClassifier(n_estimators=1), {"max_depth": [1, 2]}, cv=2).fit(X, y)
GridSearchCV(cb.CatBoostClassifier(iterations=1, **quiet), {"depth": [1, 2]}, cv=2).fit(X, y)
""",
    )


@pytest.mark.parametrize(
    ("key", "points"),
    [
        ("valid-rmse", 3),
        ("train-rmse-mean", 2),
        ("test-rmse-std", 2),
        ("validation_0-logloss", 2),
        ("held-l2", 3),
        ("valid l2-mean", 2),
        ("learn-Logloss", 3),
        ("validation-Logloss", 3),
    ],
)
def test_the_evaluation_of_every_round_is_a_point(told: Told, key: str, points: int) -> None:
    assert [step for step, _ in told.metrics[key]] == list(range(points))


def test_parameters_are_recorded_at_fit(told: Told) -> None:
    assert told.params["xgboost.nfold"] == 2
    assert told.params["CatBoostClassifier.iterations"] == 3
    assert told.params["OLS.formula"] == "b ~ a"
    assert told.params["OLS.method"] == "qr"
    assert told.params["OLS.exog_names"] == ["Intercept", "a"]
    assert "rsquared" in told.metrics
    assert told.metrics["nobs"] == [(0, 80.0)]


@pytest.mark.parametrize(
    ("file", "framework", "inputs"),
    [
        ("x.json", "xgboost", [["a", "float"], ["b", "int"]]),
        ("xc.ubj", "xgboost", [["a", "float64"], ["b", "int64"]]),
        ("l.txt", "lightgbm", [["a", "float64"], ["b", "int64"]]),
        ("c.cbm", "catboost", [["a", "float64"], ["b", "int64"]]),
        ("s.pkl", "statsmodels", [["Intercept", ""], ["a", ""]]),
    ],
)
def test_a_saved_model_says_what_it_takes(told: Told, file: str, framework: str, inputs: object) -> None:
    assert told.models[file]["framework"] == framework
    assert told.models[file]["inputs"] == inputs


def test_what_a_search_fits_inside_says_nothing_of_its_own(told: Told) -> None:
    candidates = below(told, "candidate")
    assert [c.params for c in candidates] == [{"max_depth": 1}, {"max_depth": 2}, {"depth": 1}, {"depth": 2}]
    assert "CatBoostClassifier.depth" not in told.params
    assert {r["source"] for r in own(told, "param") if str(r["key"]).startswith("GridSearchCV.")} == {
        "sklearn"
    }
