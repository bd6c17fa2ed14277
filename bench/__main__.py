"""`python -m bench [NAME...]`: run the benchmarks one after the other, print their tables, write bench/RESULTS.md.

`python -m bench soak [WORD...]` runs the long forms (those whose title holds a word) and puts what they printed behind them
in the same file.
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


SOAK = "# Long forms, as printed by `make soak`\n"  # what stands behind it is theirs
_EDGES = {"LINEAL_EDGES": "10000000"}
_TESTS = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=7200"]
# A title, settings, a command; each runs by itself, and what one finds costs the others nothing.
LONG = (
    ("ten million edges", _EDGES, ["-m", "bench.bench_store", "million_edges"]),
    ("questions to ten million edges", _EDGES, ["-m", "bench.bench_lineage"]),
    ("ten million edges on PostgreSQL", _EDGES, ["-m", "bench.bench_store", "million_edges_postgres"]),
    (
        "servers killed 200 times",
        {},
        [*_TESTS, "-s", "tests/server/test_life.py", "tests/server/test_promises.py"],
    ),
    (
        "odd requests, many of them",
        {},
        [
            *_TESTS,
            "tests/server/test_fuzz.py",
            "tests/server/test_openapi.py",
            "tests/doors/mlflow/test_fuzz.py",
            "tests/doors/openlineage/test_fuzz.py",
        ],
    ),
    ("operations on both engines", {}, [*_TESTS, "tests/service"]),
    ("property tests with many examples", {}, [*_TESTS, "tests/props"]),
)


def soak(wanted: list[str]) -> int:
    """Run the long forms, or those whose title holds a wanted word; what they printed last goes into the results."""
    results = FOLDER / "RESULTS.md"
    head, _, before = (results.read_text() if results.exists() else "").partition(SOAK)
    chapters = dict(_chapter(part) for part in before.split("\n## ")[1:])
    failed = 0
    for title, more, command in LONG:
        if wanted and not any(word in title for word in wanted):
            continue
        print(f"running {title} ...", file=sys.stderr, flush=True)
        begun = time.monotonic()
        said, code = told([sys.executable, *command], {"LINEAL_SOAK": "1", **more})
        failed |= code
        took = f"On {time.strftime('%Y-%m-%d')}, {time.monotonic() - begun:.0f} s."
        print(f"{title}: {took}", file=sys.stderr, flush=True)
        lines = said.rstrip().splitlines() or [f"ended with {code} and said nothing"]
        last = "\n".join(lines).removeprefix("## store") if "bench" in command[1] else lines[-1]
        chapters[title] = f"{took}\n\n{last.strip()}"
        behind = "".join(f"\n## {title}\n\n{chapters[title]}\n" for title, _, _ in LONG if title in chapters)
        results.write_text(f"{head.rstrip()}\n\n{SOAK}{behind}")
    return 1 if failed else 0


def _chapter(part: str) -> tuple[str, str]:
    title, _, text = part.partition("\n")
    return title.strip(), text.strip()


def told(command: list[str], more: dict[str, str]) -> tuple[str, int]:
    """What a command prints, which is passed on at once, and what it exits with."""
    process = subprocess.Popen(
        command,
        cwd=FOLDER.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **more},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    said = b""
    while piece := os.read(process.stdout.fileno(), 65536):
        sys.stdout.buffer.write(piece)
        sys.stdout.flush()
        said += piece
    return said.decode(errors="replace"), process.wait()


def main() -> int:
    wanted = sys.argv[1:]
    if wanted[:1] == ["soak"]:
        return soak(wanted[1:])
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
        said, code = told([sys.executable, "-m", f"bench.{name}"], {})
        print(f"{name} took {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        text += said.rstrip() + "\n\n"
        if code:
            failed.append(name)
            text += f"{name} ended with an error: not all of it was measured.\n\n"
        if not wanted:  # after each, so that an end in the middle loses nothing
            results.write_text(text.rstrip() + "\n" + behind)
    if failed:
        print(f"these ended with an error: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
