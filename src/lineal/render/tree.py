"""A trace as a tree in the terminal."""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Iterator, Mapping

from rich.text import Text

from lineal.render import page as pages
from lineal.render.fold import SIBLINGS, Folding, Row
from lineal.render.page import STATES, Page, clean, count, digest, run_ref, styled
from lineal.service.lineage import GraphEdge, GraphNode, TraceReply

Aliases = Mapping[str, list[str]]  # by `name@number`, the aliases that point there

_PLAIN_ROLES = frozenset({"", "input", "output", "copy"})


def render(
    reply: TraceReply, page: Page, *, aliases: Aliases | None = None, siblings: int = SIBLINGS
) -> Iterator[Text]:
    """The lines of the tree, root first, and at the end what was folded or cut.

    Args:
        aliases: drawn beside the registered names they point to.
        siblings: neighbours of one kind that are drawn one by one; 0 draws all.
    """
    # A branch is indented further while that leaves about 50 columns to what it says.
    deepest = 40 if page.width is None else max(6, min(40, (page.width - 50) // 4))
    folding = Folding(reply, siblings=siblings, deepest=deepest)
    known = aliases or {}
    for number, rows in folding.trees():
        if number:
            yield Text("")
            yield styled((f"[{number}]", "bold"))
        for row in rows:
            yield from _lines(row, page, known, up=reply.direction == "up")
    yield from _closing(reply, folding, page)


def _lines(row: Row, page: Page, aliases: Aliases, *, up: bool) -> list[Text]:
    body = _body(row, page, aliases)
    if row.edge is None and row.kind == "node":
        return page.hang("", "    ", body)
    signs = page.signs
    stem = "".join((signs.bar if goes_on else signs.blank) + "  " for goes_on in row.guides)
    arrow = {"node": 1, "again": 1, "far": 1, "also": 1}.get(row.kind, 0)
    first = stem + (signs.corner if row.last else signs.branch)
    if arrow:
        first += f" {signs.up if up else signs.down} "
    else:
        first += " "
    rest = stem + (signs.blank if row.last else signs.bar) + "    "
    return page.hang(first, rest, body)


def _body(row: Row, page: Page, aliases: Aliases) -> Text:
    if row.kind == "unknown":
        return styled(("? origin unknown", "bold yellow"))
    if row.kind == "further":
        return styled((f"{page.signs.more} cut here, there is more", "bold yellow"))
    if row.kind == "candidate":
        return styled(("? perhaps a copy of ", "yellow"), clean(row.text))
    if row.kind == "more":
        return _more(row, page)
    if row.kind == "also" and row.hidden:
        runs = count(len(row.hidden), "other run")
        return styled(("also produced by ", "yellow"), (f"{runs} of {clean(row.hidden[0].label)}", ""))
    node = row.node
    if node is None:
        return styled(("not in this answer", "dim"))
    body = describe(node, page, aliases)
    if row.kind == "also":
        body = styled(("also produced by ", "yellow"), body.plain)
    body.append_text(_evidence(row.edge, node))
    if row.kind == "again":
        body.append(f"  (goes on at [{row.number}])" if row.number else "  (shown above)", "dim italic")
    if row.kind == "far":
        body.append(f"  {page.signs.more} goes on at [{row.number}]", "dim italic")
    return body


def describe(node: GraphNode, page: Page, aliases: Aliases) -> Text:
    """A vertex on one line: a run with its state and time, or a version with what it is."""
    text = _run(node, page) if node.type == "run" else _version(node, page, aliases)
    return text.append("  deleted", "bold red") if node.deleted_at is not None else text


def _run(node: GraphNode, page: Page) -> Text:
    words: list[str | tuple[str, str]]
    if node.kind == "deployment":
        state = "live" if node.state == "running" else "ended"
        words = [("deployed at ", ""), (clean(node.label), "bold cyan"), "  "]
    else:
        state = node.state
        words = [(clean(node.label), "bold cyan"), *(f"  {name}" for name in node.names), "  "]
    return styled(
        *words,
        (clean(state), STATES.get(state, "")),
        (f"  {page.ago(node.at)}", "dim"),
        (f"  {run_ref(node.ref.removeprefix('run:'))}", "dim"),
    )


def _version(node: GraphNode, page: Page, aliases: Aliases) -> Text:
    text = styled((clean(node.ref), "bold"))
    for name in node.names:
        pointing = aliases.get(name, [])
        text.append(f"  {clean(name)}", "green")
        if pointing:
            text.append(f" ({', '.join(clean(alias) for alias in pointing)})", "bold green")
    if node.kind not in ("dataset", "other", ""):
        text.append(f"  {clean(node.kind)}")
    if node.digest:
        text.append(f"  {digest(node.digest)}", "dim")
    else:
        text.append(f"  content not known{': ' + clean(node.reason) if node.reason else ''}", "yellow")
    if node.size is not None:
        text.append(f"  {pages.size(node.size)}", "dim")
    return text


def _evidence(edge: GraphEdge | None, node: GraphNode) -> Text:
    """How an edge is known, where it was not simply observed; and its role, where the kind of the version does not say it."""
    text = Text()
    if edge is None:
        return text
    if edge.kind == "used" and edge.role not in _PLAIN_ROLES and edge.role != node.kind:
        text.append(f"  as {clean(edge.role)}", "cyan")
    if edge.evidence != "observed":
        rule = f": {clean(edge.rule)}" if edge.rule else ""
        text.append(f"  {clean(edge.evidence)}{rule}", "yellow")
    if edge.again:
        text.append("  wrote the same bytes again", "dim")
    return text


def _more(row: Row, page: Page) -> Text:
    """One line for many alike: how many, of what, how large."""
    hidden = row.hidden
    if hidden[0].type == "run":
        states = Counter(node.state for node in hidden)
        told = ", ".join(f"{number:,} {clean(state)}" for state, number in states.most_common())
        return styled(
            (f"{page.signs.more} and {count(len(hidden), 'more run')} of {clean(hidden[0].label)}", "dim"),
            (f" ({told})", "dim"),
        )
    folder = os.path.split(hidden[0].label)[0]
    total = sum(node.size or 0 for node in hidden)
    where = f" in {clean(folder)}/" if folder else ""
    unknown = ", origin unknown" if hidden[0].origin_unknown else ""
    return styled(
        (
            f"{page.signs.more} and {count(len(hidden), 'more file')}{where} ({pages.size(total)}{unknown})",
            "dim",
        )
    )


def _closing(reply: TraceReply, folding: Folding, page: Page) -> Iterator[Text]:
    tally = folding.tally
    drawn = f"{count(tally.versions, 'version')}, {count(tally.runs, 'run')}"
    if tally.unknown:
        drawn += f", {count(tally.unknown, 'source')} of unknown origin"
    if tally.guessed:
        drawn += f", {count(tally.guessed, 'link')} inferred"
    yield Text("")
    yield from page.hang("", "  ", styled((drawn, "dim")))
    folded = []
    if tally.folded:
        folded.append(f"{tally.folded:,} alike in {count(tally.folds, 'line')} (--all draws them)")
    if tally.repeats:
        folded.append(f"{count(tally.repeats, 'repeat')} (shown above)")
    if tally.far:
        folded.append(f"{count(tally.far, 'deep branch', 'deep branches')} (drawn below the first tree)")
    if folded:
        yield from page.hang("", "  ", styled((f"folded: {', '.join(folded)}", "dim")))
    if reply.loops:
        yield from page.hang("", "  ", styled((f"left out: {_loops(reply)}", "yellow")))
    for conflict in reply.conflicts or []:
        said = f"conflict: {clean(conflict.subject)}: {clean(conflict.said)} (lineal conflicts)"
        yield from page.hang("", "  ", styled((said, "bold red")))
    if reply.cut:
        yield from page.hang(
            "", "  ", styled((f"cut: {clean(reply.cut_reason) or 'there is more'}", "bold yellow"))
        )
    if reply.as_of is not None:
        yield from page.hang("", "  ", styled((f"as recorded by {page.time(reply.as_of)}", "dim")))


def _loops(reply: TraceReply) -> str:
    nodes = {node.id: node for node in reply.nodes}
    told = [
        f"{clean(nodes[edge.src].label)} -> {clean(nodes[edge.dst].label)}"
        for edge in reply.loops[:3]
        if edge.src in nodes and edge.dst in nodes
    ]
    more = f" and {len(reply.loops) - 3} more" if len(reply.loops) > 3 else ""
    return f"{count(len(reply.loops), 'link')} whose times contradict each other: {', '.join(told)}{more}"
