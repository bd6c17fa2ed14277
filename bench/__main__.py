"""`python -m bench [NAME...]`: run the benchmarks one after the other, print their tables, write bench/RESULTS.md."""

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


def main() -> int:
    wanted = sys.argv[1:]
    names = [
        name for name in sorted(p.stem for p in FOLDER.glob("bench_*.py")) if not wanted or name[6:] in wanted
    ]
    text = HEAD.format(cores=os.cpu_count(), memory=memory(), day=time.strftime("%Y-%m-%d"))
    failed = []
    for name in names:
        print(f"running {name} ...", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}"], cwd=FOLDER.parent, stdout=subprocess.PIPE, text=True
        )
        print(done.stdout, flush=True)
        text += done.stdout.rstrip() + "\n\n"
        if done.returncode:
            failed.append(name)
    if not wanted:
        (FOLDER / "RESULTS.md").write_text(text)
    if failed:
        print(f"these ended with an error: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
