"""Figures beside their limits, printed as a table."""

from __future__ import annotations

import platform
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
    print(f"## {name}\n\n| what | measured | must reach | measured / limit |\n|---|---|---|---|")
    for figure in figures:
        print(figure.row())
    print(f"\nPython {platform.python_version()}, {platform.machine()}\n", flush=True)
