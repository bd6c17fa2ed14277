"""A pipeline of Kubeflow's with one step, run by its local runner; the step logs its model to MLflow and registers it."""

import os

from kfp import dsl, local


@dsl.component(install_kfp_package=False)
def train(features: str, c: float, metrics: dsl.Output[dsl.Metrics]):
    import mlflow
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    rows = pd.read_parquet(features)
    inputs = rows[["distance", "squared"]]
    with mlflow.start_run():
        model = LogisticRegression(C=c).fit(inputs, rows.late)
        accuracy = model.score(inputs, rows.late)
        mlflow.log_param("C", c)
        mlflow.log_metric("accuracy", accuracy)
        mlflow.sklearn.log_model(
            model, name="model", registered_model_name="trips", pip_requirements=["scikit-learn"]
        )
    metrics.log_metric("accuracy", accuracy)


@dsl.pipeline(name="trips")
def trips(features: str, c: float = 0.5):
    train(features=features, c=c)


if __name__ == "__main__":
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root="outputs")
    trips(features=os.path.abspath("features.parquet"))
