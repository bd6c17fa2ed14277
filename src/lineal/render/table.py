"""Lists as tables: runs, versions, aliases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from lineal.render import sweeps
from lineal.render.page import STATES, Page, clean, duration, run_ref, short, size, styled, value
from lineal.service.registry import AliasOut
from lineal.service.runs import RunSummary
from lineal.service.versions import VersionSummary

METRICS = 4  # columns for metrics; the ones that most of the listed runs have
_LEFT = frozenset({"RUN", "JOB", "STATE", "STARTED", "NAME"})


def runs(
    listed: Sequence[RunSummary], page: Page, *, cut: bool = False, sort: str = "", fold: bool = False
) -> Iterator[RenderableType]:
    """The runs, one per line, with their state, times and the metrics that most of them have.

    cut: say that there are more. sort: the order asked for; its metric is shown whatever the others are. fold: many alike
    below the same run are one line.
    """
    if not listed:
        yield Text("no runs")
        return
    heads, rows = run_cells(list(sweeps.folded(listed)) if fold else listed, page, sort=sort)
    yield from columns(heads, rows, page, right={head for head in heads if head not in _LEFT})
    if cut:
        yield Text("")
        yield styled((f"the first {len(listed):,}; there are more: --limit N or --all", "dim"))


def run_cells(
    listed: Sequence[RunSummary] | Sequence[RunSummary | sweeps.Sweep], page: Page, *, sort: str = ""
) -> tuple[list[str], list[list[Text]]]:
    """(heads, rows) of the table of runs."""
    single = [run for run in listed if not isinstance(run, sweeps.Sweep)]
    keys = key_metrics(single, wanted=sort)
    heads = ["RUN", "JOB", "STATE", "STARTED", "TOOK", *(short(key, 24) for key in keys), "NAME"]
    rows = []
    for run in listed:
        if isinstance(run, sweeps.Sweep):
            rows.append(_sweep(run, page, len(keys)))
            continue
        live = run.kind == "deployment" and run.state == "running"
        state = "live" if live else run.state
        took = "" if run.ended_at is None else duration((run.ended_at - run.started_at) / 1e6)
        rows.append(
            [
                Text(run_ref(run.run_id), "dim"),
                Text(clean(run.job), "cyan"),
                Text(clean(state), STATES.get(state, "")),
                Text(page.ago(run.started_at)),
                Text(took, "dim"),
                *(Text(value(run.metrics[key]) if key in run.metrics else "") for key in keys),
                Text(clean(run.name)),
            ]
        )
    return heads, rows


def _sweep(sweep: sweeps.Sweep, page: Page, metrics: int) -> list[Text]:
    return [
        Text(f"{len(sweep.runs):,} runs", "dim"),
        Text(clean(sweep.first.job), "cyan"),
        Text(clean(sweeps.states(sweep))),
        Text(page.ago(min(run.started_at for run in sweep.runs))),
        Text(""),
        *(Text("") for _ in range(metrics)),
        Text(f"below {run_ref(sweep.first.parent or '')}", "dim"),
    ]


def key_metrics(listed: Sequence[RunSummary], *, wanted: str = "") -> list[str]:
    """The metrics worth a column: the one sorted by, then those that most runs have."""
    counted = Counter(key for run in listed for key in run.metrics)
    keys = sorted(counted, key=lambda key: (-counted[key], key))
    field, _, _ = wanted.strip().partition(" ")
    first = field.removeprefix("metrics.").strip('"`') if field.startswith("metrics.") else ""
    if first in counted:
        keys = [first, *(key for key in keys if key != first)]
    return keys[:METRICS]


def aliases(listed: Sequence[AliasOut], page: Page) -> Iterator[RenderableType]:
    """Aliases, with when, by whom and why each was moved."""
    if not listed:
        yield Text("no aliases")
        return
    rows = []
    for alias in listed:
        gone = alias.retracted_at is not None
        rows.append(
            [
                Text(f"{clean(alias.name)}@{clean(alias.alias)}", "dim" if gone else "bold green"),
                Text(f"{clean(alias.name)}@{alias.number}"),
                Text(str(alias.revision)),
                Text(page.time(alias.recorded_at)),
                Text(page.time(alias.retracted_at) if alias.retracted_at is not None else "now"),
                Text(clean(alias.actor), "dim"),
                Text(short(alias.reason, 200)),
            ]
        )
    heads = ["ALIAS", "VERSION", "REVISION", "SINCE", "UNTIL", "BY", "REASON"]
    yield from columns(heads, rows, page, right={"REVISION"})


def versions(listed: Sequence[VersionSummary], page: Page, *, cut: bool = False) -> Iterator[RenderableType]:
    """Versions, one per line, with what they are called and which run made them. cut: say that there are more."""
    if not listed:
        yield Text("no versions")
        return
    rows = [
        [
            Text(clean(version.ref), "bold"),
            Text(clean(version.kind)),
            Text(" ".join(clean(name) for name in (*version.names, *version.aliases)), "green"),
            Text(page.ago(version.recorded_at)),
            Text("" if version.size is None else size(version.size), "dim"),
            Text(run_ref(version.run) if version.run else "", "dim"),
            Text(short(" ".join(f"{key}={value}" for key, value in version.tags.items()), 60)),
        ]
        for version in listed
    ]
    yield from columns(
        ["VERSION", "KIND", "NAMES", "RECORDED", "SIZE", "MADE BY", "TAGS"], rows, page, right={"SIZE"}
    )
    if cut:
        yield Text("")
        yield styled((f"the first {len(listed):,}; there are more: --limit N", "dim"))


def columns(
    heads: list[str], rows: list[list[Text]], page: Page, *, right: set[str] | None = None
) -> Iterator[RenderableType]:
    """Rows under heads, without lines; empty columns are left out, the widest give way on a narrow page."""
    kept = [index for index in range(len(heads)) if any(row[index].plain for row in rows)]
    if page.width is None:
        wide = [max(len(heads[index]), *(row[index].cell_len for row in rows)) for index in kept]
        for line in [[Text(head) for head in heads], *rows]:
            text = Text()
            for place, index in enumerate(kept):
                pad = " " * (wide[place] - line[index].cell_len)
                text.append_text(
                    styled(pad, line[index].plain) if heads[index] in (right or ()) else line[index].copy()
                )
                text.append("  " if heads[index] in (right or ()) else pad + "  ")
            yield text
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index in kept:
        table.add_column(
            heads[index],
            justify="right" if heads[index] in (right or ()) else "left",
            overflow="fold",
            no_wrap=heads[index] in {"RUN", "STATE", "STARTED", "TOOK", "REVISION"},
        )
    for row in rows:
        table.add_row(*(row[index] for index in kept))
    yield table
