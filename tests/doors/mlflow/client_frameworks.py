"""Checks that run under the unmodified mlflow client: libraries that log by themselves, and many programs at once."""

from __future__ import annotations

import os
import tempfile
import uuid

import mlflow
import numpy as np
from mlflow import MlflowClient
from sklearn.datasets import load_iris

client = MlflowClient()
X, y = load_iris(return_X_y=True, as_frame=True)
EXPERIMENT = mlflow.set_experiment("frameworks").experiment_id
PROCESSES, POINTS = 8, 25


def registered_and_loaded(model_id, run_id, predict, expected):
    """A logged model goes through its life: registered, aliased, loaded, deleted and restored with its run."""
    name = f"model-{uuid.uuid4().hex[:8]}"
    version = mlflow.register_model(f"models:/{model_id}", name)
    assert (version.version, version.run_id) == ("1", run_id)
    client.set_registered_model_alias(name, "champion", 1)
    for uri in (f"models:/{model_id}", f"models:/{name}@champion", f"models:/{name}/1"):
        assert np.allclose(predict(uri), expected, atol=1e-6), uri
    found = client.search_model_versions(f"run_id = '{run_id}'")
    assert [(one.name, one.source) for one in found] == [(name, f"models:/{model_id}")]
    client.delete_registered_model(name)
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    client.restore_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "active"


def predicted(uri):
    return mlflow.pyfunc.load_model(uri).predict(X)


def check_what_xgboost_logs_by_itself_comes_back():
    import xgboost

    mlflow.xgboost.autolog()
    try:
        with mlflow.start_run() as run:
            data = xgboost.DMatrix(X, y)
            booster = xgboost.train(
                {"max_depth": 2, "objective": "multi:softprob", "num_class": 3, "nthread": 1},
                data,
                num_boost_round=4,
                evals=[(data, "train")],
            )
    finally:
        mlflow.xgboost.autolog(disable=True)
    told = client.get_run(run.info.run_id)
    assert told.data.params["max_depth"] == "2"
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train-mlogloss")] == [
        0,
        1,
        2,
        3,
    ]
    assert "feature_importance_weight.json" in [file.path for file in client.list_artifacts(run.info.run_id)]
    [output] = told.outputs.model_outputs
    registered_and_loaded(output.model_id, run.info.run_id, predicted, booster.predict(data))


def check_what_lightgbm_logs_by_itself_comes_back():
    import lightgbm

    mlflow.lightgbm.autolog()
    try:
        with mlflow.start_run() as run:
            fitted = lightgbm.LGBMClassifier(n_estimators=4, num_leaves=4, n_jobs=1, verbosity=-1)
            fitted.fit(X, y, eval_set=[(X, y)])
    finally:
        mlflow.lightgbm.autolog(disable=True)
    told = client.get_run(run.info.run_id)
    assert told.data.params["num_leaves"] == "4"
    assert len(client.get_metric_history(run.info.run_id, "training-multi_logloss")) == 4
    [output] = told.outputs.model_outputs
    registered_and_loaded(output.model_id, run.info.run_id, predicted, fitted.predict(X))


def _module():
    """A tiny Lightning module with its data."""
    import pytorch_lightning
    import torch

    class Tiny(pytorch_lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def forward(self, x):
            return self.layer(x)

        def training_step(self, batch, _):
            loss = torch.nn.functional.cross_entropy(self(batch[0]), batch[1])
            self.log("loss", loss, on_epoch=True, on_step=False)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    rows = torch.utils.data.TensorDataset(
        torch.tensor(X.to_numpy(), dtype=torch.float32), torch.tensor(y.to_numpy())
    )
    return Tiny(), torch.utils.data.DataLoader(rows, batch_size=50)


def _trainer(**more):
    import pytorch_lightning

    return pytorch_lightning.Trainer(
        max_epochs=3,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **more,
    )


def check_what_lightning_logs_by_itself_comes_back():
    import torch

    mlflow.pytorch.autolog(checkpoint=False)
    try:
        with mlflow.start_run() as run:
            module, rows = _module()
            _trainer(logger=False, enable_checkpointing=False).fit(module, rows)
    finally:
        mlflow.pytorch.autolog(disable=True)
    told = client.get_run(run.info.run_id)
    assert told.data.params["optimizer_name"] == "SGD"
    assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == [0, 1, 2]
    [output] = told.outputs.model_outputs
    table = X.to_numpy(dtype=np.float32)

    def predict(uri):
        return mlflow.pyfunc.load_model(uri).predict(table)

    with torch.no_grad():
        registered_and_loaded(output.model_id, run.info.run_id, predict, module(torch.tensor(table)).numpy())


def check_lightnings_own_logger_tells_its_run_and_its_checkpoints():
    from pytorch_lightning.callbacks import ModelCheckpoint
    from pytorch_lightning.loggers import MLFlowLogger

    logger = MLFlowLogger(
        "lightning", tracking_uri=mlflow.get_tracking_uri(), log_model=True, tags={"by": "logger"}
    )
    module, rows = _module()
    logger.log_hyperparams({"lr": 0.1, "nested": {"deep": 1}})
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(logger=logger, callbacks=[ModelCheckpoint(folder, save_top_k=1)])
        trainer.fit(module, rows)
    told = client.get_run(logger.run_id)
    assert told.info.status == "FINISHED"
    assert told.data.tags["by"] == "logger"
    assert told.data.params == {"lr": "0.1", "nested/deep": "1"}
    assert len(client.get_metric_history(logger.run_id, "loss")) == 3
    [folder] = client.list_artifacts(logger.run_id)
    assert {file.path.partition("/")[2] for file in client.list_artifacts(logger.run_id, folder.path)} >= {
        "metadata.yaml",
        "aliases.txt",
    }
    assert client.get_experiment_by_name("lightning").experiment_id == told.info.experiment_id


def check_hugging_faces_own_logger_tells_its_run():
    import torch
    import transformers

    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def forward(self, x, labels=None):
            out = self.layer(x)
            return {"loss": torch.nn.functional.cross_entropy(out, labels), "logits": out}

    table = torch.tensor(X.to_numpy(), dtype=torch.float32)
    rows = [{"x": table[n], "labels": int(y[n])} for n in range(len(y))]
    with tempfile.TemporaryDirectory() as folder:
        said = transformers.TrainingArguments(
            folder,
            run_name="tiny",
            max_steps=4,
            logging_steps=1,
            per_device_train_batch_size=50,
            report_to=["mlflow"],
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            remove_unused_columns=False,
        )
        with mlflow.start_run() as run:
            transformers.Trainer(Tiny(), said, train_dataset=rows).train()
    told = client.get_run(run.info.run_id)
    assert told.data.params["max_steps"] == "4"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == [1, 2, 3, 4]
    assert told.data.metrics["epoch"] > 1


def check_eight_programs_at_once_lose_nothing():
    name = f"together-{uuid.uuid4().hex[:8]}"
    children = []
    for number in range(PROCESSES):
        child = os.fork()
        if child == 0:
            failed = 1
            try:
                _session(name, number)
                failed = 0
            finally:
                os._exit(failed)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * PROCESSES
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.params["number"] for run in runs) == [str(n) for n in range(PROCESSES)]
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        history = client.get_metric_history(run.info.run_id, "value")
        assert [(p.step, p.value) for p in history] == [(n, n / 2) for n in range(POINTS)]
        assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["note.txt"]
    versions = client.search_model_versions(f"name = '{name}'")
    assert sorted(int(version.version) for version in versions) == list(range(1, PROCESSES + 1))
    assert len({version.run_id for version in versions}) == PROCESSES


def _session(name, number):
    """What one of the programs does; all name the same experiment and the same registered model."""
    # By its id: where two set one experiment at once, the client itself keeps the one that was set before.
    experiment = mlflow.set_experiment(name).experiment_id
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_param("number", number)
        for step in range(POINTS):
            mlflow.log_metric("value", step / 2, step=step)
        mlflow.log_text("hello", "note.txt")
    try:
        client.create_registered_model(name)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    client.create_model_version(name, f"{run.info.artifact_uri}/note.txt", run.info.run_id)
