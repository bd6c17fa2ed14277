"""What recording costs a training: loops of plain PyTorch, Lightning and Keras, with each step logged, against the same without Lineal.

Each loop runs with and without Lineal in turn. Compared is the processor time of the whole process between the loop's first step and
its last, of all its threads: the least of the rounds, since whatever else the machine does only adds to it. The wall clock is
told beside it. A loop without any library and a random forest are in `bench_run`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.figures import Figure, report_parts

HERE = {k: v for k, v in os.environ.items() if not k.startswith("LINEAL") and k != "PYTHONPATH"}
LINEAL = os.path.join(os.path.dirname(sys.executable), "lineal")
FRAMEWORKS = Path(__file__).resolve().parent.parent / ".venv-frameworks" / "bin" / "python"
PART = 10 if os.environ.get("LINEAL_BENCH_SMALL") else 1
ROUNDS = 5

CLOCK = """
import json, os, time, warnings
warnings.simplefilter("ignore")
os.environ.update(KERAS_BACKEND="torch", HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="")
def begin():
    global wall, busy
    wall, busy = time.perf_counter(), time.process_time()
def end():
    print(json.dumps([time.process_time() - busy, time.perf_counter() - wall]))
import torch
torch.manual_seed(0); torch.set_num_threads(1)
x = torch.randn(512, 64); y = torch.randint(0, 10, (512,))
net = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
"""
PLAIN = """
opt = torch.optim.SGD(net.parameters(), 0.1)
def step():
    opt.zero_grad(); loss = torch.nn.functional.cross_entropy(net(x), y); loss.backward(); opt.step(); return loss
for _ in range(50): step()
begin()
for _ in range(STEPS): step()
end()
"""
# A line of JSON for each step, as a script without any library does it.
LOGGED = """
opt = torch.optim.SGD(net.parameters(), 0.1)
log = open("metrics.jsonl", "w")
def step(number):
    opt.zero_grad(); loss = torch.nn.functional.cross_entropy(net(x), y); loss.backward(); opt.step()
    log.write(json.dumps({"step": number, "loss": loss.item()}) + "\\n"); log.flush()
for _ in range(50): step(0)
begin()
for number in range(STEPS): step(number)
end()
"""
LIGHTNING = """
import logging, lightning
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
class Net(lightning.LightningModule):
    def __init__(self): super().__init__(); self.net = net
    def training_step(self, batch, i):
        loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1]); self.log("loss", loss); return loss
    def configure_optimizers(self): return torch.optim.SGD(self.parameters(), 0.1)
    def on_train_batch_start(self, batch, i):
        if i == 20: begin()
    def on_train_end(self): end()
data = [(x, y)] * STEPS
quiet = dict(enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, logger=False)
lightning.Trainer(max_epochs=1, log_every_n_steps=1, **quiet).fit(Net(), torch.utils.data.DataLoader(data, batch_size=None))
"""
KERAS = """
import keras
model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(256, "relu"), keras.layers.Dense(10)])
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1: begin()
    def on_train_end(self, logs=None): end()
many = max(STEPS // 20, 1) * 64
inputs, targets = torch.randn(many, 64).numpy(), torch.randint(0, 10, (many,)).numpy()
model.fit(inputs, targets, batch_size=64, epochs=21, verbose=0, callbacks=[Clock()])
"""
# name, program, steps, interpreter, the most that recording may multiply its time by
LOOPS = (
    ("a PyTorch loop on the CPU", CLOCK + PLAIN, 3000, FRAMEWORKS, 1.02),
    ("the same, each step written to a log", CLOCK + LOGGED, 3000, FRAMEWORKS, 1.02),
    ("a Lightning loop that logs each step", CLOCK + LIGHTNING, 1500, FRAMEWORKS, 1.05),
    ("a Keras loop", CLOCK + KERAS, 1500, FRAMEWORKS, 1.05),
)


def say(folder: Path, *command: str) -> tuple[float, float]:
    """(processor seconds, wall seconds) that a program said its loop took."""
    done = subprocess.run(command, cwd=folder, env=HERE, stdout=subprocess.PIPE, text=True, check=True)
    busy, wall = json.loads(done.stdout.splitlines()[-1])
    return busy, wall


def compared(name: str, text: str, steps: int, python: str | Path, limit: float) -> list[Figure]:
    """The rows of one loop; none, said on stderr, where its interpreter is not installed."""
    if not Path(python).exists():
        print(f"left out: {name}: {python} is not there; `make test` installs it", file=sys.stderr)
        return []
    ours, bare = [], []
    with tempfile.TemporaryDirectory(dir=os.environ.get("LINEAL_BENCH_DIR")) as there:
        folder = Path(there)
        (folder / ".lineal").mkdir()
        (folder / "train.py").write_text(text.replace("STEPS", str(steps // PART)))
        command = (str(python), "train.py")
        for _ in range(ROUNDS):
            bare.append(say(folder, *command))
            ours.append(say(folder, LINEAL, "run", *command))
    busy, wall = (min(side[at] for side in ours) / min(side[at] for side in bare) for at in (0, 1))
    return [
        Figure(f"{name}: processor time, recorded / not", busy, "x", limit),
        Figure("the same, wall clock", wall, "x"),
    ]


def main() -> int:
    wanted = sys.argv[1:]
    chosen = [loop for loop in LOOPS if not wanted or any(word in loop[0] for word in wanted)]
    return report_parts("training", [(loop[0], partial(compared, *loop)) for loop in chosen])


if __name__ == "__main__":
    sys.exit(main())
