"""What `lineal run` costs the program: an empty script, 10,000 files opened, a random forest, a CPU loop.

Each workload runs with and without the wrapper in turn; quoted is the median, and the ratio of medians.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, report

HERE = {k: v for k, v in os.environ.items() if not k.startswith("LINEAL") and k != "PYTHONPATH"}
LINEAL = os.path.join(os.path.dirname(sys.executable), "lineal")

EMPTY = "import time; print(time.time_ns())\n"
WRITES = "import time; open('made.txt', 'w').write('x' * 99); print(time.time_ns())\n"
CACHED = """
import os
assert not os.path.exists("made.txt.2"), "it ran again"
open("made.txt.2", "w").write(open("made.txt").read() + str(len(os.listdir("files"))))
"""
# Processor time is what tells whether anything runs beside the loop; the wall clock of a shared machine does not.
LOOP = """
import time
t = time.process_time()
x = 0
for i in range(20_000_000):
    x += i * i
print(time.process_time() - t)
"""
OPENS = """
import os, time
t = time.perf_counter()
for n in range(10_000):
    with open(f"files/{n}.bin", "rb") as f:
        f.read()
print(time.perf_counter() - t)
"""
BARE_HOOK = """
import os, struct, sys
fd = os.open(os.devnull, os.O_WRONLY)
def hook(event, args):
    if event == "open" and isinstance(args[0], str):
        s = os.stat(args[0])
        os.write(fd, struct.pack("<5q", s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev) + args[0].encode())
sys.addaudithook(hook)
"""
FOREST = """
import time
import numpy as np
from sklearn.ensemble import RandomForestClassifier
t = time.perf_counter()
r = np.random.default_rng(0)
x = r.normal(size=(8000, 20))
RandomForestClassifier(n_estimators=100, random_state=0).fit(x, x[:, 0] > 0)
print(time.perf_counter() - t)
"""


def run(folder: Path, code: str, *, lineal: bool) -> tuple[float, float, float]:
    """(what the program printed, seconds until it began, seconds in all)."""
    (folder / "program.py").write_text(code)
    command = [sys.executable, "program.py"]
    begun = time.time_ns()
    done = subprocess.run(
        [LINEAL, "run", *command] if lineal else command,
        cwd=folder,
        env=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    total = (time.time_ns() - begun) / 1e9
    said = json.loads(done.stdout.splitlines()[-1])
    return said, (said - begun) / 1e9 if said > 1e15 else 0.0, total


def seconds(folder: Path, *words: str) -> float:
    """Wall time of a `lineal` command."""
    begun = time.perf_counter()
    subprocess.run(
        [LINEAL, *words],
        cwd=folder,
        env=HERE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    return time.perf_counter() - begun


def pairs(folder: Path, code: str, other: str, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Inside times with Lineal and of `other` without it, in turn; and the wrapper's total times."""
    ours, theirs, totals = [], [], []
    for _ in range(rounds):
        theirs.append(run(folder, other, lineal=False)[0])
        inside, _, total = run(folder, code, lineal=True)
        ours.append(inside)
        totals.append(total)
    return ours, theirs, totals


def main() -> None:
    median = statistics.median
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".lineal").mkdir()
        (folder / "files").mkdir()
        for n in range(10_000):
            (folder / f"files/{n}.bin").write_bytes(b"%d" % n * 20)
        run(folder, WRITES, lineal=True)
        starts = [(run(folder, EMPTY, lineal=True), run(folder, EMPTY, lineal=False)) for _ in range(15)]
        added = median(a[1] for a, _ in starts) - median(b[1] for _, b in starts)
        whole = median(a[2] for a, _ in starts) - median(b[2] for _, b in starts)
        ours, theirs, totals = pairs(folder, OPENS, BARE_HOOK + OPENS, 5)
        after = median(t - o for t, o in zip(totals, ours, strict=True))
        version = median(seconds(folder, "version") for _ in range(9))
        show = median(seconds(folder, "show", "made.txt") for _ in range(9))
        cached = ("run", "--cache", sys.executable, "program.py")
        (folder / "program.py").write_text(CACHED)
        seconds(folder, *cached)
        again = median(seconds(folder, *cached) for _ in range(9))
        loop = pairs(folder, LOOP, LOOP, 11)
        forest = pairs(folder, FOREST, FOREST, 7)
    report(
        "run",
        [
            Figure("`lineal run`, empty script: added before its first line", added * 1e3, "ms", 60),
            Figure("the same, added until the command line is back (recorded and stored)", whole * 1e3, "ms"),
            Figure(
                "10,000 small files opened, against bare audit hook + stat + write",
                median(ours) / median(theirs),
                "x",
                1.6,
            ),
            Figure("the same, fingerprinting and storing after it (with interpreter start)", after, "s", 2.0),
            Figure("`lineal run --cache` of a step that did not change", again, "s", 0.5),
            Figure("`lineal version`", version, "s", 0.15),
            Figure("`lineal show`", show, "s", 0.3),
            Figure("random forest trained, against bare", median(forest[0]) / median(forest[1]), "x", 1.05),
            Figure(
                "CPU loop, processor time of all its threads, against bare",
                median(loop[0]) / median(loop[1]),
                "x",
                1.02,
            ),
        ],
    )


if __name__ == "__main__":
    main()
