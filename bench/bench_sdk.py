"""What recording from Python costs a training loop: the import, one `run.log`, and what a SIGKILL after the last call takes away.

`run.log` is measured under `lineal run`, so with delivery at work beside it; the bare encode and write, and other trackers (in `.venv-peers`, where
they are installed), run in processes of their own in turn.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.figures import Figure, report

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-peers" / "bin" / "python"
LINEAL = os.path.join(os.path.dirname(sys.executable), "lineal")
CLEAN = {
    k: v
    for k, v in os.environ.items()
    if not k.startswith("LINEAL") and k not in {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
}
KILLED, CALLS = 50, 20_000

LOOP = """
spent = []
for n in range(COUNT):
    t = clock()
    log(n)
    spent.append(clock() - t)
spent.sort()
print(json.dumps([spent[COUNT // 2] / 1e3, spent[COUNT * 99 // 100] / 1e3]))
"""
START = "import json, os, sys, time\nfrom time import perf_counter_ns as clock\nCOUNT = {count}\n"
OURS = START + "import lineal\nrun = lineal.current()\nlog = lambda n: run.log(step=n, loss=0.5)\n" + LOOP
MODULE = START + "import lineal\nlog = lambda n: lineal.log(step=n, loss=0.5)\n" + LOOP
BARE = (
    START
    + """
import msgspec
encode, write = msgspec.msgpack.Encoder().encode, os.write
fd = os.open("points.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
log = lambda n: write(fd, encode(("loss", n, 0.5, time.time_ns())))
"""
    + LOOP
)
OTHERS = {
    "trackio": (5000, "import trackio\ntrackio.init(project='p')\nlog = lambda n: trackio.log({'loss': 0.5}, step=n)\n"),
    "wandb offline": (5000, "import wandb\nwandb.init(project='p', mode='offline')\nlog = lambda n: wandb.log({'loss': 0.5}, step=n)\n"),
    "mlflow, synchronous, on SQLite": (
        300,
        "import mlflow\nmlflow.set_tracking_uri('sqlite:///m.db')\nmlflow.start_run()\nlog = lambda n: mlflow.log_metric('loss', 0.5, step=n)\n",
    ),
}  # fmt: skip
DIES = """
import os, lineal
run = lineal.run("dies")
print(run.id, flush=True)
for n in range({calls}):
    run.log(step=n, loss=n)
os.kill(os.getpid(), 9)
"""


def started(code: str) -> float:
    """Milliseconds from asking for an interpreter until it has run `code` and ended."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=CLEAN, check=True)
    return (time.perf_counter() - begun) * 1e3


def spent(folder: Path, *command: str, code: str, count: int) -> tuple[float, float]:
    """Median and 99th percentile of one call in microseconds."""
    (folder / "program.py").write_text(code.replace("{count}", str(count)))
    environment = {
        **CLEAN,
        "WANDB_SILENT": "true",
        "TRACKIO_DIR": str(folder),
        "HF_HUB_OFFLINE": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        [*command, "program.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    line = next(line for line in reversed(done.stdout.splitlines()) if line.startswith("["))
    median, last = json.loads(line)
    return median, last


def logged(folder: Path) -> list[Figure]:
    ours, module, bare = [], [], []
    for _ in range(9):
        ours.append(spent(folder, LINEAL, "run", sys.executable, code=OURS, count=CALLS))
        module.append(spent(folder, LINEAL, "run", sys.executable, code=MODULE, count=CALLS))
        bare.append(spent(folder, sys.executable, code=BARE, count=CALLS))
    one, through, base = (statistics.median(x[0] for x in found) for found in (ours, module, bare))
    figures = [
        Figure("msgspec encode + `os.write`", base, "µs"),
        Figure("`run.log(step=n, loss=x)`, delivery at work", one, "µs"),
        Figure("the same, ratio", one / base, "x", 2.5),
        Figure("the same, 99th percentile", statistics.median(x[1] for x in ours), "µs", 20),
        Figure("`lineal.log(...)` of the run around the program, ratio", through / base, "x"),
    ]
    for name, (count, code) in OTHERS.items():
        try:
            median, _ = spent(folder, str(PEERS), code=START + code + LOOP, count=count)
        except (OSError, StopIteration, subprocess.TimeoutExpired):
            print(f"not measured: {name} (`make bench` installs it where it can)", file=sys.stderr)
            continue
        figures.append(Figure(f"the same in {name}", median, "µs"))
    return figures


def kept(folder: Path) -> list[Figure]:
    """Points that are there after the logging process was killed right behind its last call."""
    from lineal.journal.read import Point, read

    environment = {**CLEAN, "LINEAL_DELIVER": "off"}
    (folder / "dies.py").write_text(DIES.replace("{calls}", str(CALLS)))
    in_journal: list[int] = []
    runs: list[str] = []
    for _ in range(KILLED):
        before = set(folder.glob(".lineal/journal/*.lj"))
        done = subprocess.run(
            [sys.executable, "dies.py"], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        runs.append(done.stdout.strip())
        (path,) = set(folder.glob(".lineal/journal/*.lj")) - before
        in_journal.append(points(path, read, Point))
    subprocess.run([LINEAL, "sync"], cwd=folder, env=environment, capture_output=True, check=True)
    in_store = [recorded(folder, run) for run in runs]
    what = f"{KILLED} x {CALLS:,} points, SIGKILL after the last call"
    return [
        Figure(f"{what}: kept in the journals", sum(in_journal), "points", KILLED * CALLS, higher=True),
        Figure(
            f"{what}: in the record after `lineal sync`", sum(in_store), "points", KILLED * CALLS, higher=True
        ),
    ]


def points(path: Path, read: Any, point: type) -> int:
    count = at = 0
    while True:
        frames, after, damage = read(str(path), at)
        count += sum(isinstance(frame, point) for frame in frames)
        if after == at or damage is not None:
            return count
        at = after


def recorded(folder: Path, run: str) -> int:
    """How many points of the run the store has."""
    import lineal

    return len(lineal.metric(f"run:{run}", "loss", project=str(folder)).value)


def main() -> None:
    starts = [(started("import lineal"), started("pass")) for _ in range(41)]
    ours, bare = (statistics.median(x[n] for x in starts) for n in (0, 1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".git").mkdir()
        figures = [
            Figure("a bare interpreter, start to end", bare, "ms"),
            Figure("`import lineal`, against it", ours / bare, "x", 1.3),
            *logged(folder),
            *kept(folder),
        ]
    report("sdk", figures)


if __name__ == "__main__":
    main()
