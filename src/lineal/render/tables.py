"""A table's profile and a model's features, as lines of the page of a version."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from lineal.render.page import Page, clean, short, styled, value

_BARS = "▁▂▃▄▅▆▇█"
_TOP = 5  # of the most frequent values, so many are named


def columns(facets: dict[str, Any], page: Page) -> list[Text]:
    """One line for each column of a profile: type, nulls, bounds and shape, or the most frequent values."""
    profile = facets.get("lineal.profile/1")
    if not isinstance(profile, dict):
        return []
    rows = profile.get("rows_read") or profile.get("rows")
    try:
        found = [_column(column, rows, page) for column in profile.get("columns") or []]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError):
        return []  # somebody's facet that only has the name of a profile
    if found and profile.get("reason"):
        found.append(styled((short(str(profile["reason"]), 200), "dim")))
    return found


def _column(column: dict[str, Any], rows: Any, page: Page) -> Text:
    line = styled(
        (short(str(column.get("name", "")), 60), "bold"), f"  {short(str(column.get('type', '')), 40)}"
    )
    nulls = column.get("nulls")
    if isinstance(nulls, int) and nulls:
        share = f" ({nulls / rows:.1%})" if isinstance(rows, int) and rows else ""
        line.append(f"  {nulls:,} null{share}")
    if column.get("withheld"):
        return line.append(f"  values withheld: {short(str(column['withheld']), 40)}", "dim")
    if "min" in column and "max" in column and not column.get("top"):
        line.append(f"  {value(column['min'], 30)} to {value(column['max'], 30)}")
    if column.get("counts") and not page.signs.more.isascii():
        line.append(f"  {_shape(column)}", "cyan")
    top = column.get("top") or []
    named = [
        f"{value(pair[0], 24)} {pair[1]:,}"
        for pair in top[:_TOP]
        if isinstance(pair, list) and len(pair) == 2
    ]
    if named:
        rest = sum(pair[1] for pair in top[_TOP:]) + int(column.get("other") or 0)
        line.append(f"  {', '.join(named)}{f', others {rest:,}' if rest else ''}", "cyan")
    return line


def _shape(column: dict[str, Any]) -> str:
    """How densely values lie between the smallest and the largest, in ten steps of equal width."""
    edges, counts = column["edges"], column["counts"]
    low, high = edges[0], edges[-1]
    if not high > low:
        return ""
    steps = [0.0] * 10
    for left, right, number in zip(edges, edges[1:], counts, strict=False):
        for step in range(10):
            start, end = low + (high - low) * step / 10, low + (high - low) * (step + 1) / 10
            shared = min(right, end) - max(left, start)
            if shared > 0:
                steps[step] += number * shared / (right - left)
    most = max(steps) or 1.0
    return "".join(_BARS[min(7, int(number / most * 7.999))] for number in steps)


def features(facets: dict[str, Any]) -> str:
    """The inputs that a model was fitted on, in one line; empty where they are not known."""
    model = facets.get("lineal.model/1")
    inputs = model.get("inputs") if isinstance(model, dict) else None
    if not inputs:
        return ""
    told = [f"{short(str(i.get('name')), 30)} {short(str(i.get('type')), 30)}".strip() for i in inputs[:10]]
    return ", ".join(told) + (f" and {len(inputs) - 10:,} more" if len(inputs) > 10 else "")


def checkpoint(facets: dict[str, Any]) -> str:
    """Of which step of a training a model is, and whether it became the model; empty where it is none."""
    model = facets.get("lineal.model/1")
    about = model.get("checkpoint") if isinstance(model, dict) else None
    if not isinstance(about, dict):
        return ""
    words = [f"{key} {value(about[key], 20)}" for key in ("epoch", "step") if about.get(key) is not None]
    if about.get("best"):
        by = f", by {clean(str(about['monitor']))}" if about.get("monitor") else ""
        score = f" {value(about['score'], 20)}" if about.get("score") is not None else ""
        words.append(f"became the model{by}{score}")
    return ", ".join(words)
