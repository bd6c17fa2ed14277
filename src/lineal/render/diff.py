"""Why two things differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from lineal.core.diff import Change
from lineal.core.drift import ColumnDrift
from lineal.render.page import Page, clean, count, digest, run_ref, short, styled, value
from lineal.service.compare import DiffReply, InputChange, MetricChange, RunChange, Side, UpstreamChange

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ONE = {
    "parameters": "parameter",
    "metrics": "metric",
    "code": "code fact",
    "environment": "environment fact",
    "inputs": "input",
}
LINES = 25  # of one list; `--all` prints every one


def render(reply: DiffReply, page: Page, *, most: int = LINES) -> Iterator[Text]:
    """The differences from the nearest to the farthest; what is equal is only counted. most: entries of a list, 0: all."""
    arrow = page.signs.down
    yield from page.hang("", "  ", styled(_side(reply.a), f"  {arrow}  ", _side(reply.b)))
    if reply.identical:
        yield styled(("the very same bytes", "green"))
    if reply.content is not None:
        yield Text("")
        yield styled(("content", "bold"))
        yield from (styled("  ").append_text(line) for line in _input(reply.content, page, most))
    yield from _run_change(reply.change, page, "", most)
    if not _any(reply.change) and not reply.upstream and reply.content is None:
        yield Text("")
        apart = reply.a.digest and reply.b.digest and not reply.identical
        yield styled(
            "the bytes differ, and nothing else that is recorded"
            if apart
            else "nothing that is recorded differs"
        )
    if reply.upstream:
        yield Text("")
        yield styled(
            ("upstream", "bold"), (f"  {_counts(len(reply.upstream), reply.upstream_same, 'run')}", "dim")
        )
        for change in reply.upstream:
            yield from _upstream(change, page, most)
    elif reply.upstream_same:
        yield Text("")
        yield styled(("upstream", "bold"), (f"  {count(reply.upstream_same, 'run')}, all equal", "dim"))


def rows(reply: DiffReply) -> Iterator[dict[str, Any]]:
    """The differences as plain rows: where (`-` for the two themselves, else the upstream job), what, key, a, b."""
    if reply.content is not None:
        yield from _parts("-", reply.content)
    for where, change in [("-", reply.change), *((up.job, up.change) for up in reply.upstream)]:
        if change is None:
            continue
        for what in ("params", "metrics", "code", "environment"):
            for item in getattr(change, what):
                yield {"where": where, "what": what, "key": item.key, "a": item.a, "b": item.b}
        for found in change.inputs:
            yield {"where": where, "what": "input", "key": found.name, "a": found.a, "b": found.b}
            yield from _parts(where, found)


def _parts(where: str, found: InputChange) -> Iterator[dict[str, Any]]:
    for what, parts in (("column", found.columns), ("file", found.files)):
        for part in parts:
            yield {"where": where, "what": what, "key": f"{found.name}:{part.key}", "a": part.a, "b": part.b}


def _side(side: Side) -> tuple[str, str]:
    told = f" ({clean(side.job)}, {run_ref(side.run.removeprefix('run:'))})" if side.run and side.job else ""
    return (f"{clean(side.label)}{told}", "bold")


def _any(change: RunChange) -> bool:
    return bool(change.params or change.metrics or change.code or change.environment or change.inputs)


def _counts(differ: int, same: int, noun: str = "") -> str:
    what = f" {noun}{'' if differ == 1 else 's'}" if noun else ""
    return f"{differ:,}{what} differ{'s' if differ == 1 else ''}, {same:,} equal"


def _run_change(change: RunChange, page: Page, indent: str, most: int) -> Iterator[Text]:
    parts: list[tuple[str, str, list[list[Text]]]] = [
        ("parameters", "params", [[_change(item, page)] for item in change.params]),
        ("metrics", "metrics", [[_metric(item, page)] for item in change.metrics]),
        ("code", "code", [[_change(item, page)] for item in change.code]),
        ("environment", "environment", [[_change(item, page)] for item in change.environment]),
        ("inputs", "inputs", [list(_input(item, page, most)) for item in change.inputs]),
    ]
    for title, key, entries in parts:
        same = change.same.get(key, 0)
        if not entries:
            continue
        if not indent:
            yield Text("")
        yield styled(indent, (title, "bold"), (f"  {_counts(len(entries), same)}", "dim"))
        shown = entries if not most or len(entries) <= most else entries[:most]
        for entry in shown:
            for line in entry:
                yield from page.hang(f"{indent}  ", f"{indent}      ", line)
        if len(shown) < len(entries):
            yield styled(
                (f"{indent}  {page.signs.more} and {len(entries) - len(shown):,} more (--all)", "dim")
            )
    equal = [
        count(change.same[key], _ONE[title])
        for title, key, entries in parts
        if not entries and change.same.get(key)
    ]
    if equal:
        if not indent:
            yield Text("")
        yield styled(indent, (f"equal: {', '.join(equal)}", "dim"))


def _change(change: Change, page: Page) -> Text:
    return styled(short(change.key, 100), "  ").append_text(_from_to(change.a, change.b, page))


def _from_to(a: Any, b: Any, page: Page) -> Text:
    if a is None:
        return styled(("only in the second: ", "green"), (_plain(b), "bold"))
    if b is None:
        return styled(("only in the first: ", "red"), (_plain(a), "bold"))
    left, right = _plain(a), _plain(b)
    if left == right:  # they differ further on than the line shows
        left, right = repr(a)[:200], repr(b)[:200]
    return styled((clean(left), "red"), f" {page.signs.down} ", (clean(right), "green"))


def _plain(item: Any) -> str:
    if isinstance(item, str) and item.startswith("sha256:"):
        return digest(item)
    if isinstance(item, str) and _COMMIT.fullmatch(item):
        return item[:12]
    return value(item, 100)


def _metric(change: MetricChange, page: Page) -> Text:
    text = styled(short(change.key, 100), "  ").append_text(_from_to(change.a, change.b, page))
    if change.delta is not None:
        text.append(f"  {change.delta:+.4g}".replace("-", page.signs.minus), "bold")
    return text


def _input(change: InputChange, page: Page, most: int) -> Iterator[Text]:
    head = styled((clean((change.b or change.a or "").rpartition("@")[0] or change.name), "bold"))
    if change.status in ("added", "removed"):
        which = "second" if change.status == "added" else "first"
        head.append(f"  only in the {which}: ", "green" if change.status == "added" else "red")
        yield head.append(clean(change.b or change.a or ""))
        return
    head.append(f"  {_number(change.a)} {page.signs.down} {_number(change.b)}")
    if change.role not in ("input", ""):
        head.append(f"  as {clean(change.role)}", "cyan")
    if change.status == "unknown":
        head.append("  may differ: the content of one is not known", "yellow")
    if change.rows_a != change.rows_b and None not in (change.rows_a, change.rows_b):
        head.append(f"  rows {change.rows_a:,} {page.signs.down} {change.rows_b:,}", "bold")
    yield head
    yield from _inside(change, page, most)


def _inside(change: InputChange, page: Page, most: int) -> Iterator[Text]:
    drift = {column.name: column for column in change.drift}
    for column in change.columns[: most or None]:
        line = styled("  column ", (short(column.key, 80), "bold"), "  ")
        if column.a == column.b and column.a is not None:
            line.append(f"other values ({clean(str(column.a))})")
            line.append_text(_drift(drift.pop(column.key, None), page))
        else:
            line.append_text(_from_to(column.a, column.b, page))
        yield line
    said = {column.key for column in change.columns}
    moved = [one for name, one in drift.items() if name not in said]  # known by their profiles alone
    for left in moved[: most or None]:
        line = styled("  column ", (short(left.name, 80), "bold"), f"  other values ({clean(left.type_b)})")
        yield line.append_text(_drift(left, page))
    if change.drift_unknown and not change.drift:
        yield styled((f"  distribution not compared: {clean(change.drift_unknown)}", "dim"))
    if most and len(change.columns) > most:
        yield styled((f"  {page.signs.more} and {len(change.columns) - most:,} more columns (--all)", "dim"))
    if change.columns_same:
        yield styled((f"  {count(change.columns_same, 'column')} equal", "dim"))
    for file in change.files[: most or None]:
        yield styled("  file ", (short(file.key, 120), "bold"), "  ").append_text(
            _from_to(file.a, file.b, page)
        )
    if most and len(change.files) > most:
        yield styled((f"  {page.signs.more} and {len(change.files) - most:,} more files (--all)", "dim"))
    if change.columns_unknown and not change.columns and not change.files:
        yield styled((f"  {clean(change.columns_unknown)}", "dim"))


def _drift(drift: ColumnDrift | None, page: Page) -> Text:
    """How a column's values moved: its measures, whether they say drift, nulls and bounds that changed."""
    text = Text()
    if drift is None:
        return text
    if drift.psi is not None:
        measures = [("PSI", drift.psi), ("JS", drift.js), ("KS", drift.ks)]
        told = ", ".join(f"{name} {figure:.3f}" for name, figure in measures if figure is not None)
        text.append(
            f"  {'drifted' if drift.drifted else 'no drift'}: ", "bold yellow" if drift.drifted else "dim"
        )
        text.append(f"{told} (of {clean(drift.basis)})", "" if drift.drifted else "dim")
    arrow = page.signs.down
    if drift.nulls_a is not None and drift.nulls_b is not None and drift.nulls_a != drift.nulls_b:
        text.append(f"  nulls {drift.nulls_a:.1%} {arrow} {drift.nulls_b:.1%}")
    if drift.bounds_a != drift.bounds_b and drift.bounds_a and drift.bounds_b:
        ends = [" to ".join(value(end, 24) for end in bounds) for bounds in (drift.bounds_a, drift.bounds_b)]
        text.append(f"  {ends[0]} {arrow} {ends[1]}")
    for word, values in (("new", drift.new), ("gone", drift.gone)):
        if values:
            text.append(f"  {word}: {', '.join(value(item, 24) for item in values)}")
    if drift.withheld:
        text.append(f"  values withheld ({clean(drift.withheld)})", "dim")
    return text


def _number(ref: str | None) -> str:
    """The `@3` of a reference."""
    name, at, number = (ref or "").rpartition("@")
    return f"@{clean(number)}" if at and name else clean(ref or "-")


def _upstream(change: UpstreamChange, page: Page, most: int) -> Iterator[Text]:
    a, b = (run_ref(ref.removeprefix("run:")) if ref else "" for ref in (change.a, change.b))
    head = styled("  ", (clean(change.job) or "run", "cyan"), "  ")
    if not a or not b:
        which = "first" if a else "second"
        yield head.append(f"only behind the {which}: ", "red" if a else "green").append(a or b, "dim")
        return
    yield head.append(f"{a} {page.signs.down} {b}", "dim")
    if change.change is not None:
        yield from _run_change(change.change, page, "    ", most)
