"""Figures beside their limits, printed as a table."""

from __future__ import annotations

import platform
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value. limit: what it must reach (None: only told); higher: whether more is better."""

    what: str
    value: float
    unit: str
    limit: float | None = None
    higher: bool = False

    def row(self) -> str:
        if self.limit is None:
            return f"| {self.what} | {self.value:,.3g} {self.unit} | | |"
        ratio = self.value / self.limit
        met = ratio >= 1 if self.higher else ratio <= 1
        sign = "at least" if self.higher else "at most"
        return (
            f"| {self.what} | {self.value:,.3g} {self.unit} | {sign} {self.limit:,.3g} {self.unit} |"
            f" {ratio:.2f} {'reached' if met else '**missed**'} |"
        )


def report(name: str, figures: list[Figure]) -> None:
    """Print the table of one benchmark."""
    _head(name)
    for figure in figures:
        print(figure.row())
    _foot()


def report_parts(name: str, parts: Sequence[tuple[str, Callable[[], list[Figure]]]]) -> int:
    """Print the table of a benchmark part by part, as they are measured: one that fails costs the others nothing.

    What a program should exit with: 1 when a part failed.
    """
    _head(name)
    failed = 0
    for title, part in parts:
        begun = time.monotonic()
        try:
            for figure in part():
                print(figure.row(), flush=True)
        except Exception as error:
            traceback.print_exc()
            print(f"| {title} | **failed**: {type(error).__name__}, {str(error)[:200]!r} | | |", flush=True)
            failed = 1
        print(f"    {title}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    _foot()
    return failed


def _head(name: str) -> None:
    print(f"## {name}\n\n| what | measured | must reach | measured / limit |\n|---|---|---|---|", flush=True)


def _foot() -> None:
    print(f"\nPython {platform.python_version()}, {platform.machine()}\n", flush=True)
