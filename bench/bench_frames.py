"""What is added to frameworks, tables and output: a copied print, a profiled table, a metric that a framework tells.

Processor time, so that a busy machine changes little; medians of processes that take turns.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.bench_capture import CLEAN, SITE
from bench.figures import Figure, report

LOUD = """
import sys, time
line = "x" * 99 + "\\n"
for n in range(10_000_000): sys.stdout.write(line)
sys.stdout.flush()
print(time.process_time(), file=sys.stderr)
"""
FITS = """
import time, warnings; warnings.simplefilter("ignore")
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
X = np.random.default_rng(0).random((2000, 20)); y = (X[:, 0] > 0.5).astype(int)
t = time.process_time()
for seed in range(3): RandomForestClassifier(40, random_state=seed).fit(X, y).score(X, y)
GridSearchCV(RandomForestClassifier(10, random_state=0), {"max_depth": [2, 4, 8]}, cv=3).fit(X, y)
import sys; print(time.process_time() - t, file=sys.stderr)
"""
TABLE = """
import sys, numpy as np, polars as pl
g, n = np.random.default_rng(0), 1_000_000
pl.DataFrame({**{f"f{i}": g.normal(size=n) for i in range(8)}, "n": g.integers(0, 9, n), "s": g.choice(["a", "b"], n)}).write_parquet(sys.argv[1])
"""
DESCRIBE = """
import resource, sys, polars as pl
pl.read_parquet(sys.argv[1]).describe()
u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime, u.ru_maxrss)
"""
PROFILE = """
import resource, sys
from lineal.deliver import profile
profile.profile(sys.argv[1], "parquet", int(sys.argv[2]), 1_000_000)
u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime, u.ru_maxrss)
"""


def _cpu(code: str, folder: Path, *, recorded: bool) -> float:
    environment = {k: v for k, v in CLEAN.items() if k != "PYTHONUNBUFFERED"}
    if recorded:
        journal = folder / "journal"
        journal.mkdir(exist_ok=True)
        environment |= {"PYTHONPATH": str(SITE), "LINEAL_RUN": "0" * 32, "LINEAL_JOURNAL": str(journal)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stderr.split()[-1])


def _pair(code: str, folder: Path, rounds: int) -> tuple[float, float]:
    """Median processor seconds without and with recording."""
    plain, recorded = [], []
    for _ in range(rounds):
        plain.append(_cpu(code, folder, recorded=False))
        recorded.append(_cpu(code, folder, recorded=True))
    return statistics.median(plain), statistics.median(recorded)


def _table(folder: Path) -> list[Figure]:
    path = folder / "t.parquet"
    subprocess.run([sys.executable, "-c", TABLE, str(path)], check=True)
    size = str(path.stat().st_size)
    peer = [
        float(x)
        for x in subprocess.run(
            [sys.executable, "-c", DESCRIBE, str(path)], capture_output=True, text=True, check=True
        ).stdout.split()
    ]
    ours = [
        float(x)
        for x in subprocess.run(
            [sys.executable, "-c", PROFILE, str(path), size], capture_output=True, text=True, check=True
        ).stdout.split()
    ]
    return [
        Figure(
            "profile of a table of 1M rows and 10 columns / polars describe()", ours[0] / peer[0], "x", 1.5
        ),
        Figure("its memory", ours[1] / 1024, "MB", 500),
    ]


def _remembered(folder: Path) -> Figure:
    """A table that was profiled once, profiled again."""
    code = (
        "import sys, time; from lineal.deliver.profiles import Profiles; from lineal.deliver.fingerprint import Fingerprint; "
        "from lineal.core.events import Level; c = Fingerprint(sha256='a' * 64, size=int(sys.argv[2]), level=Level.CONTENT, reason='', changed=False); "
        "Profiles(sys.argv[3]).of(sys.argv[1].encode(), c); t = time.perf_counter(); "
        "Profiles(sys.argv[3]).of(sys.argv[1].encode(), c); print((time.perf_counter() - t) * 1e3)"
    )
    path = folder / "t.parquet"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(path.stat().st_size), str(folder / "kept")],
        capture_output=True,
        text=True,
        check=True,
        env={**CLEAN, "LINEAL_PROFILE": "120"},
    )
    return Figure("the same table in the next run", json.loads(done.stdout), "ms", 5)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        folder = Path(name)
        loud = _pair(LOUD, folder, 3)
        fits = _pair(FITS, folder, 3)
        figures = [
            Figure("1 GB printed: processor time added", loud[1] - loud[0], "s", 1.5),
            Figure("RandomForest and a grid search, recorded / not", fits[1] / fits[0], "x", 1.05),
            *_table(folder),
            _remembered(folder),
        ]
    report("frameworks, tables, output", figures)


if __name__ == "__main__":
    main()
