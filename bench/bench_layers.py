"""What the layers around a command cost: files opened by a compiled program, a data set of 100,000 files, a sweep of 500 runs.

Processor time of the program itself is compared, the least of the rounds; the wall clock is told beside it.

Each workload runs with and without Lineal in turn; quoted is the median. LINEAL_BENCH_SMALL=1 makes everything ten times smaller.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.figures import Figure, report_parts

# Compiled code is kept, as it is where something is installed: else every start would compile all of Lineal anew.
_LEFT_OUT = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
HERE = {k: v for k, v in os.environ.items() if not k.startswith("LINEAL") and k not in _LEFT_OUT}
LINEAL = os.path.join(os.path.dirname(sys.executable), "lineal")
PART = 10 if os.environ.get("LINEAL_BENCH_SMALL") else 1

OPENER = r"""
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct timespec a, b; char name[64], page[4096]; int many; sscanf(argv[1], "%d", &many);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int n = 0; n < many; n++) {
        sprintf(name, "files/%d.bin", n); int fd = open(name, O_RDONLY); if (read(fd, page, 4096) < 0) return 1; close(fd);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    printf("%.3f\n", ((b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec) / 1e3 / many);
}
"""
# What eight workers do with pictures: open, decode. And the worst of all cases: tiny files that are only read.
WORKERS = """
import json, multiprocessing as m, os, sys, time
MANY, DECODE = int(sys.argv[1]), sys.argv[2] == "decode"
if DECODE: from PIL import Image
def work(n):
    found = 0
    for k in range(n, MANY, 8):
        with open(f"set/{k % 100}/{k}.jpg", "rb") as f:
            found += Image.open(f).convert("RGB").size[0] if DECODE else len(f.read())
    return found
if __name__ == "__main__":
    t = time.perf_counter()
    with m.get_context("fork").Pool(8) as pool:
        pool.map(work, range(8))
        pool.close(); pool.join()
    wall, spent = time.perf_counter() - t, os.times()
    print(json.dumps([wall, spent.children_user + spent.children_system]))
"""


def say(folder: Path, *command: str) -> float:
    """The number that a command printed last."""
    done = subprocess.run(command, cwd=folder, env=HERE, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def both(folder: Path, *command: str, rounds: int, deep: bool = False) -> tuple[float, float]:
    """Medians of what a command printed: with Lineal, and without it in turn."""
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(say(folder, *command))
        ours.append(say(folder, LINEAL, "run", *(["--deep"] if deep else []), *command))
    return statistics.median(ours), statistics.median(theirs)


def opener(folder: Path) -> list[Figure]:
    compiler = shutil.which("cc")
    if not compiler:
        return []
    many = 10_000 // PART
    (folder / "files").mkdir()
    for number in range(many):
        (folder / f"files/{number}.bin").write_bytes(b"%d" % number * 20)
    (folder / "opener.c").write_text(OPENER)
    subprocess.run([compiler, "-O2", "-o", "opener", "opener.c"], cwd=folder, check=True)
    command = ("sh", "-c", f"./opener {many}")
    ours, bare = both(folder, *command, rounds=5)
    figures = [
        Figure("a file opened by a C program under sh, bare: processor time", bare, "µs"),
        Figure("the same, added by Lineal", ours - bare, "µs", 15),
    ]
    try:
        deep, bare = both(folder, *command, rounds=3, deep=True)
    except subprocess.CalledProcessError:
        return figures
    return [*figures, Figure("the same with --deep, in the program itself, against bare", deep / bare, "x")]


class Memory(threading.Thread):
    """The most memory (MB, resident) that the delivering process of a project had until `end`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder = folder
        self._ended = threading.Event()
        self.most = 0.0
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self._look()
        self._look()

    def _look(self) -> None:
        for path in (self._folder / ".lineal").glob("deliver-*.lock"):
            try:
                lines = Path(f"/proc/{int(path.read_text())}/status").read_text().splitlines()
            except (OSError, ValueError):
                continue
            peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
            self.most = max([self.most, *peaks])

    def end(self) -> None:
        """Look a last time."""
        self._ended.set()
        self.join(1)


def pictures(folder: Path, many: int) -> str:
    """Write a data set of `many` small JPEG pictures in 100 folders; gives back what can be done with them: `decode` or `read`."""
    try:
        from PIL import Image
    except ImportError:
        body, able = b"no picture" * 150, "read"
    else:
        made = io.BytesIO()
        Image.effect_noise((64, 64), 60).convert("RGB").save(made, "JPEG")
        body, able = made.getvalue(), "decode"
    for number in range(100):
        (folder / f"set/{number}").mkdir(parents=True)
    for number in range(many):
        (folder / f"set/{number % 100}/{number}.jpg").write_bytes(body + b"%d" % number)
    return able


def worked(folder: Path, many: int, way: str, *around: str) -> tuple[float, float, float]:
    """(wall seconds, processor seconds of the workers, most MB of the delivering process) of the workers going through the set."""
    process = subprocess.Popen(
        [*around, sys.executable, "workers.py", str(many), way],
        cwd=folder,
        env=HERE,
        stdout=subprocess.PIPE,
        text=True,
    )
    memory = Memory(folder)
    said, _ = process.communicate()
    memory.end()
    wall, busy = json.loads(said.splitlines()[-1])
    return wall, busy, memory.most


def data_set(folder: Path) -> list[Figure]:
    many = 100_000 // PART
    able = pictures(folder, many)
    (folder / "workers.py").write_text(WORKERS)
    figures: list[Figure] = []
    most = 0.0
    for way, rounds in (("decode", 2), ("read", 3)):
        if way == "decode" and able == "read":
            continue
        bare, ours = [], []
        for _ in range(rounds):
            bare.append(worked(folder, many, way))
            ours.append(worked(folder, many, way, LINEAL, "run"))
        most = max(most, *(one[2] for one in ours))
        wall, busy = (min(one[at] for one in ours) / min(one[at] for one in bare) for at in (0, 1))
        done = "read and decoded" if way == "decode" else "only read, which is the worst case,"
        figures += [
            Figure(
                f"a data set of {many:,} pictures {done} by 8 workers: processor time, against bare",
                busy,
                "x",
                1.2,
            ),
            Figure("the same, wall clock", wall, "x"),
            Figure("the same, added by Lineal to each file in the workers", _added(ours, bare, many), "µs"),
        ]
    runs = json.loads(subprocess.check_output([LINEAL, "runs", "--json"], cwd=folder, env=HERE))
    shown = json.loads(
        subprocess.check_output([LINEAL, "show", f"run:{runs[0]['run_id']}", "--json"], cwd=folder, env=HERE)
    )
    return [
        *figures,
        Figure("the same, versions recorded as its input", len(shown["inputs"]) - _governing(shown), "", 1),
        Figure("the same, memory of the delivering process", most, "MB", 200),
    ]


def _added(
    ours: list[tuple[float, float, float]], bare: list[tuple[float, float, float]], many: int
) -> float:
    return (min(one[1] for one in ours) - min(one[1] for one in bare)) / many * 1e6


def _governing(shown: dict[str, Any]) -> int:
    """How many of a run's inputs are its environment and code."""
    return sum(one["role"] in ("environment", "code") for one in shown["inputs"])


PRINTS = """
import time
t = time.process_time()
for n in range(100_000): print("step", n, "loss", 1 / (n + 1))
import sys; sys.stderr.write(str(time.process_time() - t))
"""


def printing(folder: Path) -> list[Figure]:
    """Lines printed one by one, each handed to the system at once, as under PYTHONUNBUFFERED and in containers."""
    (folder / "prints.py").write_text(PRINTS)

    def took(*around: str) -> float:
        done = subprocess.run(
            [*around, sys.executable, "-u", "prints.py"],
            cwd=folder,
            env=HERE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
        return float(done.stderr.split()[-1])

    pairs = [(took(LINEAL, "run"), took()) for _ in range(5)]
    ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    return [
        Figure("100,000 lines printed without a buffer, processor time against bare", ours / bare, "x", 1.2)
    ]


def delivering(folder: Path) -> float:
    """Processor seconds that the delivering process of a project has taken until now, with all it started."""
    for path in (folder / ".lineal").glob("deliver-*.lock"):
        try:
            fields = Path(f"/proc/{int(path.read_text())}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def sweep(folder: Path) -> list[Figure]:
    """Runs of one second each, four at a time; ours is what a run takes besides its second and its interpreter."""
    many = 500 // PART
    (folder / "one.py").write_text(
        "import sys, time\ntime.sleep(1)\nopen(f'out-{sys.argv[1]}', 'w').write('x')\n"
    )

    def spent(*around: str) -> tuple[float, float]:
        """(processor seconds, wall seconds) of the whole sweep, the delivering process counted."""
        waiting = list(range(many))
        running: list[subprocess.Popen[bytes]] = []
        before, begun, delivered = os.times(), time.perf_counter(), delivering(folder)
        while waiting or running:
            while waiting and len(running) < 4:
                number = waiting.pop()
                running.append(
                    subprocess.Popen([*around, sys.executable, "one.py", str(number)], cwd=folder, env=HERE)
                )
            running[0].wait()
            running = [process for process in running if process.poll() is None]
        after = os.times()
        busy = after.children_user + after.children_system - before.children_user - before.children_system
        return busy + delivering(folder) - delivered, time.perf_counter() - begun

    plain, plain_wall = spent()
    ours, ours_wall = spent(LINEAL, "run")
    begun = time.perf_counter()
    runs = json.loads(
        subprocess.check_output([LINEAL, "runs", "--limit", str(many), "--json"], cwd=folder, env=HERE)
    )
    after = time.perf_counter() - begun
    ended = sum(run["state"] == "finished" for run in runs)
    return [
        Figure("an interpreter that sleeps a second and writes a file", plain / many * 1e3, "ms"),
        Figure(
            f"a sweep of {many} runs of 1 s, 4 at a time: wall time added per run",
            (ours_wall - plain_wall) * 4 / many * 1e3,
            "ms",
        ),
        Figure("the same, processor time added per run", (ours - plain) / many * 1e3, "ms", 30),
        Figure("the same, that against the bare interpreter", (ours - plain) / plain, "x"),
        Figure("the same, delivered and shown after the last one", after, "s", 5),
        Figure("the same, runs in the record", ended, "runs", many, higher=True),
    ]


def within(part: Callable[[Path], list[Figure]]) -> Callable[[], list[Figure]]:
    """The part in a project folder of its own."""

    def measured() -> list[Figure]:
        with tempfile.TemporaryDirectory(dir=os.environ.get("LINEAL_BENCH_DIR")) as name:
            (Path(name) / ".lineal").mkdir()
            return part(Path(name))

    return measured


PARTS = (
    ("files opened by C", opener),
    ("a large data set", data_set),
    ("a sweep", sweep),
    ("printing", printing),
)


def main() -> int:
    wanted = sys.argv[1:]
    parts = [(title, within(part)) for title, part in PARTS if not wanted or any(w in title for w in wanted)]
    return report_parts("layers", parts)


if __name__ == "__main__":
    sys.exit(main())
