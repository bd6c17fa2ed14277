"""Train on the features; log and register the model with MLflow."""

import mlflow
import pandas as pd
from sklearn.linear_model import LogisticRegression

rows = pd.read_parquet("features.parquet")
inputs = rows[["distance", "squared"]]
with mlflow.start_run():
    model = LogisticRegression(C=0.5).fit(inputs, rows.late)
    mlflow.log_param("C", 0.5)
    mlflow.log_metric("accuracy", model.score(inputs, rows.late))
    mlflow.sklearn.log_model(
        model, name="model", registered_model_name="trips", pip_requirements=["scikit-learn"]
    )
