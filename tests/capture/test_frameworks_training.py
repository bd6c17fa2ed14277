"""Neural networks: Lightning, Keras and transformers tell through callbacks of their own kind."""

from __future__ import annotations

import pytest

from tests.capture.frameworks import need, trained
from tests.capture.recorded import Told

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    need("torch", "lightning", "keras")
    return trained(
        tmp_path_factory.mktemp("nets"),
        """
        import warnings; warnings.simplefilter("ignore")
        import os; os.environ["KERAS_BACKEND"] = "torch"
        import lightning, torch
        from lightning.pytorch.callbacks import ModelCheckpoint
        class Net(lightning.LightningModule):
            def __init__(self, width=4, lr=0.1):
                super().__init__(); self.save_hyperparameters(); self.net = torch.nn.Linear(2, 1)
            def loss(self, batch): return ((self.net(batch[0]) - batch[1]) ** 2).mean()
            def training_step(self, batch, i):
                loss = self.loss(batch); self.log("train", loss, on_step=True, on_epoch=True); return loss
            def validation_step(self, batch, i): self.log("held", self.loss(batch))
            def configure_optimizers(self): return torch.optim.SGD(self.parameters(), self.hparams.lr)
        data = torch.utils.data.TensorDataset(torch.rand(16, 2), torch.rand(16, 1))
        load = lambda: torch.utils.data.DataLoader(data, batch_size=4)
        keep = ModelCheckpoint(dirpath="kept", monitor="held", save_top_k=2)
        quiet = dict(enable_progress_bar=False, enable_model_summary=False, logger=False)
        trainer = lightning.Trainer(max_epochs=3, log_every_n_steps=2, callbacks=[keep], **quiet)
        trainer.fit(Net(), load(), load())
        print(os.path.basename(keep.best_model_path))
        import keras, numpy
        model = keras.Sequential([keras.layers.Input((2,), name="x"), keras.layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        x, y = numpy.random.rand(16, 2), numpy.random.rand(16, 1)
        kept = keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True)
        told = model.fit(x, y, epochs=2, validation_split=0.25, verbose=0, callbacks=[kept])
        print(told.history["loss"][-1])
        model.evaluate(x, y, verbose=0)
        model.save("last.keras")
        """,
        loud=True,
    )


def test_lightning_tells_hyperparameters_and_what_is_logged_by_step_and_epoch(told: Told) -> None:
    assert (told.params["Net.width"], told.params["Net.lr"], told.params["Trainer.max_epochs"]) == (4, 0.1, 3)
    assert [step for step, _ in told.metrics["train_step"]] == [2, 4, 6, 8, 10, 12]
    assert [step for step, _ in told.metrics["train_epoch"]] == [4, 8, 12]
    assert [step for step, _ in told.metrics["held"]] == [4, 8, 12]
    assert "train" not in told.metrics


def test_lightnings_checkpoints_are_models_and_one_of_them_became_the_model(told: Told) -> None:
    saved = {name: m for name, m in told.models.items() if name.endswith(".ckpt")}
    assert len(saved) == 3
    assert {m["class"] for m in saved.values()} == {"__main__.Net"}
    assert [m["checkpoint"]["step"] for m in saved.values()] == [4, 8, 12]
    best = [r for r in told.records if r["t"] == "best"]
    assert [r["path"].rpartition("/")[2] for r in best] == [told.output.split("\n")[0]]
    assert best[0]["monitor"] == "held"


def test_keras_tells_what_is_trained_and_the_logs_of_each_epoch(told: Told) -> None:
    assert told.params["Sequential.epochs"] == 2
    assert told.params["Sequential.optimizer.name"] == "adam"
    assert told.params["Sequential.loss"] == "mse"
    for key in ("loss", "mae", "val_loss", "val_mae"):
        assert [step for step, _ in told.metrics[key]] == [0, 1]
    assert told.metrics["loss"][-1][1] == float(told.output.split()[-1])
    assert len(told.metrics["evaluate_loss"]) == 1
    assert told.models["last.keras"]["inputs"] == [["x", "float32[?,2]"]]
    assert told.models["best.keras"]["framework"] == "keras"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Told:
    need("torch", "transformers", "accelerate")
    return trained(
        tmp_path_factory.mktemp("tuned"),
        """
        import warnings; warnings.simplefilter("ignore")
        import torch
        from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
        small = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
        model = BertForSequenceClassification(BertConfig(vocab_size=50, max_position_embeddings=16, **small))
        class Data(torch.utils.data.Dataset):
            def __len__(self): return 8
            def __getitem__(self, i): return {"input_ids": torch.tensor([1, 2, i]), "labels": torch.tensor(i % 2)}
        each = dict(save_strategy="epoch", eval_strategy="epoch", logging_steps=1)
        arguments = TrainingArguments("tuned", num_train_epochs=2, per_device_train_batch_size=4, use_cpu=True,
                                      load_best_model_at_end=True, report_to=[], disable_tqdm=True, **each)
        trainer = Trainer(model=model, args=arguments, train_dataset=Data(), eval_dataset=Data())
        trainer.train()
        trainer.save_model("final")
        print(trainer.state.best_model_checkpoint)
        """,
        loud=True,
    )


def test_transformers_tells_the_arguments_that_matter_and_what_the_trainer_logs(tuned: Told) -> None:
    assert tuned.params["Trainer.learning_rate"] == 5e-05
    assert tuned.params["Trainer.num_train_epochs"] == 2
    assert tuned.params["BertForSequenceClassification.hidden_size"] == 8
    assert "Trainer.output_dir" not in tuned.params
    assert [step for step, _ in tuned.metrics["loss"]] == [1, 2, 3, 4]
    assert [step for step, _ in tuned.metrics["eval_loss"]] == [2, 4]


def test_the_checkpoints_of_the_trainer_are_models_and_one_of_them_became_the_model(tuned: Told) -> None:
    assert set(tuned.models) == {"checkpoint-2", "checkpoint-4", "final"}
    assert {m["framework"] for m in tuned.models.values()} == {"transformers"}
    assert tuned.models["checkpoint-4"]["checkpoint"]["step"] == 4
    best = next(r for r in tuned.records if r["t"] == "best")
    assert best["path"].endswith(tuned.output.split()[-1])
