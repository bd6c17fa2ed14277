"""What the injection itself costs inside the program, without `lineal run` around it: start-up, an opened file, a metric point.

Every measurement runs beside its peer in turn, in processes of their own; quoted are medians.
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

SITE = Path(__file__).resolve().parent.parent / "src" / "lineal" / "capture" / "site"
CLEAN = {
    k: v
    for k, v in os.environ.items()
    if not k.startswith("LINEAL") and k not in {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
}

HOOK = """
import os, sys
fd = os.open("bare.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
def hook(event, args):
    if event == "open" and isinstance(args[0], str):
        os.stat(args[0])
        os.write(fd, args[0].encode())
sys.addaudithook(hook)
"""
OPENS = """
import time
t = time.perf_counter()
for n in range(10_000):
    with open(f"files/{n}.bin", "rb") as f:
        f.read()
print((time.perf_counter() - t) / 10_000 * 1e6)
"""
AGAIN = """
import time
open("files/0.bin").close()
t = time.perf_counter()
for n in range(10_000):
    with open("files/0.bin", "rb") as f:
        f.read()
print((time.perf_counter() - t) / 10_000 * 1e6)
"""
POINTS = """
import json, os, sys, time
from time import perf_counter_ns as clock
if sys.argv[1] == "journal":
    sys.path.insert(0, sys.argv[2])
    from lineal.journal.append import Journal
    put = Journal(".", "0" * 32).metric
    for _ in range(100): put("loss", None, 0.5)
else:
    import msgspec
    encode, write = msgspec.msgpack.Encoder().encode, os.write
    fd = os.open("points.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    def put(key, step, value):
        write(fd, encode((key, step, value, time.time_ns())))
spent = []
for n in range(20_000):
    t = clock()
    put("loss", n, 0.5)
    spent.append(clock() - t)
spent.sort()
print(json.dumps([spent[10_000] / 1e3, spent[19_800] / 1e3]))
"""


def injected(folder: Path) -> dict[str, str]:
    return {
        **CLEAN,
        "PYTHONPATH": str(SITE),
        "LINEAL_RUN": "0" * 32,
        "LINEAL_JOURNAL": str(folder / "journal"),
        "LINEAL_ROOT": str(folder),
    }


def say(folder: Path, code: str, environment: dict[str, str], *argv: str) -> str:
    (folder / "program.py").write_text(code)
    command = [sys.executable, "program.py", *argv]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def start(folder: Path, environment: dict[str, str]) -> float:
    """Milliseconds from asking for an interpreter until it has ended, with nothing to do."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], cwd=folder, env=environment, check=True)
    return (time.perf_counter() - begun) * 1e3


def beside(folder: Path, ours: str, theirs: str, rounds: int = 9) -> tuple[float, float]:
    got = [
        (float(say(folder, ours, injected(folder))), float(say(folder, theirs, CLEAN))) for _ in range(rounds)
    ]
    return statistics.median(a for a, _ in got), statistics.median(b for _, b in got)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "journal").mkdir()
        (folder / "files").mkdir()
        for n in range(10_000):
            (folder / f"files/{n}.bin").write_bytes(b"%d" % n * 20)
        start(folder, injected(folder))
        starts = [(start(folder, injected(folder)), start(folder, CLEAN)) for _ in range(31)]
        added = statistics.median(a for a, _ in starts) - statistics.median(b for _, b in starts)
        first, bare = beside(folder, OPENS, HOOK + OPENS)
        again, bare_again = beside(folder, AGAIN, HOOK + AGAIN)
        source = str(SITE.parents[2])
        points = [
            [json.loads(say(folder, POINTS, CLEAN, kind, source)) for kind in ("journal", "msgspec")]
            for _ in range(9)
        ]
        ours, theirs = (statistics.median(p[n][0] for p in points) for n in (0, 1))
        slowest = statistics.median(p[0][1] for p in points)
    report(
        "capture",
        [
            Figure("injection: added to interpreter start and end", added, "ms", 15),
            Figure("an opened file, bare audit hook + stat + write", bare, "µs"),
            Figure("an opened file, recorded", first, "µs"),
            Figure("the same, ratio", first / bare, "x", 1.6),
            Figure("a file opened again, ratio", again / bare_again, "x", 1.6),
            Figure("`Journal.metric`, one point", ours, "µs"),
            Figure("the same, against msgspec encode + write", ours / theirs, "x", 2.5),
            Figure("the same, 99th percentile", slowest, "µs", 20),
        ],
    )


if __name__ == "__main__":
    main()
