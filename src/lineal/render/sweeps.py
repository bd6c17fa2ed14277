"""Many alike runs below one run (candidates of a search, trials of a study) as one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from lineal.render.page import Page, clean, run_ref, styled, value
from lineal.service.runs import RunSummary

KINDS = frozenset({"candidate", "trial", "job"})
SHOWN = 3  # of these kinds, so many runs of one job are still drawn one by one
# What a sweep is judged by, the first that its runs have.
_DECIDES = ("mean_test_score", "value", "objective")


@dataclass(frozen=True)
class Sweep:
    """Runs of one job and kind below the same run, in the order they were given."""

    runs: tuple[RunSummary, ...]

    @property
    def first(self) -> RunSummary:
        """The one that stands for them."""
        return self.runs[0]


def folded(runs: Sequence[RunSummary]) -> Iterator[RunSummary | Sweep]:
    """The runs, those of a sweep of more than three as one, where its first was."""
    counted = Counter(_sweep_of(run) for run in runs)
    seen = set()
    for run in runs:
        sweep = _sweep_of(run)
        if sweep is None or counted[sweep] <= SHOWN:
            yield run
        elif sweep not in seen:
            seen.add(sweep)
            yield Sweep(tuple(other for other in runs if _sweep_of(other) == sweep))


def _sweep_of(run: RunSummary) -> tuple[str, str, str] | None:
    return (run.parent, run.job, run.kind) if run.parent and run.kind in KINDS else None


def states(sweep: Sweep) -> str:
    """How they ended: `finished`, or `7 finished, 1 failed`."""
    counted = Counter(run.state for run in sweep.runs)
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join(f"{number:,} {state}" for state, number in counted.most_common())


def line(sweep: Sweep, page: Page) -> Text:
    """All of them in one line, with the range of the figure they are compared by."""
    text = styled(
        (clean(sweep.first.job), "cyan"), f"  {len(sweep.runs):,} runs  ", (clean(states(sweep)), "dim")
    )
    key = decisive(sweep)
    if key:
        text.append(f"  {clean(key)} ")
        numbers = [n for run in sweep.runs if isinstance(n := run.metrics.get(key), float | int)]
        text.append(f"{value(min(numbers))} to {value(max(numbers))}", "bold")
    ends = sorted((sweep.runs[0], sweep.runs[-1]), key=lambda run: run.started_at)
    return text.append(f"  {run_ref(ends[0].run_id)} {page.signs.more} {run_ref(ends[1].run_id)}", "dim")


def decisive(sweep: Sweep) -> str:
    """The metric by which they are compared; empty when there is none that most of them have."""
    counted = Counter(
        key for run in sweep.runs for key, n in run.metrics.items() if isinstance(n, float | int)
    )
    known = next((key for key in _DECIDES if counted[key]), "")
    most = counted.most_common(1)
    return known or (most[0][0] if most and most[0][1] * 2 > len(sweep.runs) else "")
