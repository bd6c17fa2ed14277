"""Of the checkpoints that a training kept, the one that became the model is the model's ancestor."""

from __future__ import annotations

import pytest

from lineal.service.show import RunDetail
from tests.capture.frameworks import PYTHON, need
from tests.deliver.conftest import Workshop, named

pytestmark = pytest.mark.slow

LIGHTNING = """
import warnings; warnings.simplefilter("ignore")
import lightning, shutil, torch
from lightning.pytorch.callbacks import ModelCheckpoint
class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__(); self.net = torch.nn.Linear(2, 1)
    def loss(self, batch): return ((self.net(batch[0]) - batch[1]) ** 2).mean()
    def training_step(self, batch, i): return self.loss(batch)
    def validation_step(self, batch, i): self.log("held", self.loss(batch))
    def test_step(self, batch, i): self.log("test", self.loss(batch))
    def configure_optimizers(self): return torch.optim.SGD(self.parameters(), 0.1)
data = torch.utils.data.TensorDataset(torch.rand(16, 2), torch.rand(16, 1))
load = lambda: torch.utils.data.DataLoader(data, batch_size=4)
keep = ModelCheckpoint(dirpath="kept", filename="at-{step}", monitor="held", save_top_k=2)
quiet = dict(enable_progress_bar=False, enable_model_summary=False, logger=False)
trainer = lightning.Trainer(max_epochs=3, callbacks=[keep], **quiet)
trainer.fit(Net(), load(), load())
torch.save(Net().state_dict(), "unrelated.pt")
shutil.copy(keep.best_model_path, "copied.ckpt")
best = Net.load_from_checkpoint(keep.best_model_path)
torch.save(best.state_dict(), "weights.pt")
torch.save({"epoch": 3, "model": best.net.state_dict()}, "part.pt")
trainer.test(dataloaders=load(), ckpt_path="best", verbose=False)
trainer.save_checkpoint("tested.ckpt", weights_only=True)
"""
TRANSFORMERS = """
import os, torch
os.environ["HF_HUB_OFFLINE"] = "1"
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
class Rows(torch.utils.data.Dataset):
    def __len__(self): return 16
    def __getitem__(self, i): return {"input_ids": torch.tensor([1, 2, 3, i]), "labels": torch.tensor(i % 2)}
size = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
model = BertForSequenceClassification(BertConfig(vocab_size=50, **size))
each = dict(eval_strategy="epoch", save_strategy="epoch", load_best_model_at_end=LOAD)
arguments = TrainingArguments("kept", num_train_epochs=2, per_device_train_batch_size=8, report_to=[], disable_tqdm=True, **each)
trainer = Trainer(model=model, args=arguments, train_dataset=Rows(), eval_dataset=Rows())
trainer.train()
trainer.save_model("final")
print(trainer.state.best_model_checkpoint)
"""


def ancestors(workshop: Workshop, ref: str) -> list[str]:
    """The lines of a trace that name a checkpoint."""
    shown = workshop.lineal("trace", ref).stdout
    return [line for line in shown.splitlines()[1:] if "kept/" in line]


def trained(workshop: Workshop, text: str) -> RunDetail:
    workshop.script("train.py", text)
    workshop.run(str(PYTHON), "train.py")
    return workshop.newest()


def test_what_is_saved_of_a_model_leads_to_the_checkpoint_that_lightning_loaded_it_from(
    workshop: Workshop,
) -> None:
    need("lightning")
    done = trained(workshop, LIGHTNING)
    best = [file.path for file in done.outputs if file.role == "model" and str(file.path).startswith("kept/")]
    assert len(best) == 1
    for name in ("weights.pt", "part.pt", "tested.ckpt"):
        (line,) = ancestors(workshop, name)
        assert f"{best[0]}@1" in line
        assert "inferred" not in line
    (line,) = ancestors(workshop, "copied.ckpt")
    assert f"{best[0]}@1" in line
    assert "inferred" in line
    assert ancestors(workshop, "unrelated.pt") == []


@pytest.mark.parametrize("loads", [True, False])
def test_the_model_that_the_trainer_saves_leads_to_its_best_checkpoint_only_if_it_loaded_that(
    workshop: Workshop, loads: bool
) -> None:
    need("transformers", "accelerate")
    done = trained(workshop, TRANSFORMERS.replace("LOAD", str(loads)))
    assert named(done.outputs, "final")[0].role == "model"
    assert len(ancestors(workshop, "final")) == loads
