"""How complete a record is, and what is missing in it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from lineal.render.page import Page, clean, count, short, styled
from lineal.render.questions import contradiction
from lineal.service.health import HealthReply

LINES = 12  # of one check's list; `--all` prints every one


def render(reply: HealthReply, page: Page, *, most: int = LINES) -> Iterator[Text]:
    """The percentage, every check with its score, and below each the list of what is not known."""
    style = "bold green" if reply.percent >= 90 else "bold yellow" if reply.percent >= 60 else "bold red"
    yield styled(
        (clean(reply.ref), "bold"),
        "  ",
        (f"{percent(reply.percent)} known", style),
        (f"  {count(reply.runs, 'run')} and {count(reply.versions, 'version')} examined", "dim"),
    )
    if reply.cut:
        yield styled(("cut: the ancestry was too large to examine whole", "bold yellow"))
    for conflict in reply.conflicts:
        yield from contradiction(conflict, page)
    wide = max((len(check.name) for check in reply.checks), default=0)
    for check in reply.checks:
        whole = check.known == check.total
        line = styled(
            (f"{clean(check.name):<{wide}}  ", ""),
            (f"{check.known:>5,} of {check.total:,}", "green" if whole else "yellow"),
            ("" if whole else f"  {clean(check.means)}", "dim"),
        )
        yield from page.hang("  ", " " * (wide + 6), line)
        shown = check.missing if not most or len(check.missing) <= most else check.missing[:most]
        for missing in shown:
            yield from page.hang("      ", "        ", styled(("? ", "yellow"), short(missing, 400)))
        if len(shown) < len(check.missing):
            yield styled(
                (f"      {page.signs.more} and {len(check.missing) - len(shown):,} more (--all)", "dim")
            )


def percent(number: float) -> str:
    """The percentage, never rounded up to 100 % nor down to 0 %."""
    if 99.5 <= number < 100:
        return "99 %"
    if 0 < number < 0.5:
        return "1 %"
    return f"{number:.0f} %"
