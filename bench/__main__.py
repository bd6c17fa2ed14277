"""`python -m bench [NAME...]`: run the benchmarks one after the other, print their tables, write bench/RESULTS.md.

`python -m bench soak` runs the long forms and puts what they printed behind them in the same file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
HEAD = """# Results

As printed by `make bench` on a machine with {cores} cores{memory}, on {day}. The machines are shared and noisy: medians and ratios count,
absolute times move two- to fourfold between minutes.

"""


def memory() -> str:
    try:
        return f" and {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError):
        return ""


SOAK = "# Long forms, as printed by `make soak`\n"
LONG = (
    ("ten million edges", {"LINEAL_EDGES": "10000000"}, ["-m", "bench.bench_store", "million_edges"]),
    (
        "servers killed 200 times, property tests with many examples",
        {"LINEAL_SOAK": "1"},
        [
            "-m",
            "pytest",
            "-q",
            "--timeout=3600",
            "tests/props",
            "tests/server/test_life.py",
            "tests/server/test_fuzz.py",
            "tests/server/test_openapi.py",
            "tests/server/test_promises.py",
            "tests/doors/mlflow/test_fuzz.py",
        ],
    ),
)


def soak() -> int:
    """Run the long forms; what they printed last goes into the results."""
    results = FOLDER / "RESULTS.md"
    text = results.read_text().partition(SOAK)[0] if results.exists() else ""
    text = text.rstrip() + f"\n\n{SOAK}\nOn {time.strftime('%Y-%m-%d')}.\n"
    failed = 0
    for title, more, command in LONG:
        print(f"running {title} ...", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, *command],
            cwd=FOLDER.parent,
            env={**os.environ, **more},
            stdout=subprocess.PIPE,
            text=True,
        )
        print(done.stdout, flush=True)
        failed |= done.returncode
        last = done.stdout.rstrip() if "bench" in command[1] else done.stdout.rstrip().splitlines()[-1]
        text += f"\n## {title}\n\n{last.removeprefix('## store').strip()}\n"
        results.write_text(text)
    return 1 if failed else 0


def main() -> int:
    wanted = sys.argv[1:]
    if wanted == ["soak"]:
        return soak()
    names = [
        name for name in sorted(p.stem for p in FOLDER.glob("bench_*.py")) if not wanted or name[6:] in wanted
    ]
    text = HEAD.format(cores=os.cpu_count(), memory=memory(), day=time.strftime("%Y-%m-%d"))
    results = FOLDER / "RESULTS.md"
    _, mark, long_forms = results.read_text().partition(SOAK) if results.exists() else ("", "", "")
    behind = f"\n{mark}{long_forms}" if mark else ""
    failed = []
    for name in names:
        print(f"running {name} ...", file=sys.stderr, flush=True)
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}"], cwd=FOLDER.parent, stdout=subprocess.PIPE, text=True
        )
        print(done.stdout, flush=True)
        print(f"{name} took {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        text += done.stdout.rstrip() + "\n\n"
        if done.returncode:
            failed.append(name)
            text += f"{name} ended with an error: not all of it was measured.\n\n"
        if not wanted:  # after each, so that an end in the middle loses nothing
            results.write_text(text.rstrip() + "\n" + behind)
    if failed:
        print(f"these ended with an error: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
