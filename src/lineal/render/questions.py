"""Answers to questions about the graph as lines: ways, impact, common ancestors, differences, tags, joins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from lineal.core.conflicts import Conflict
from lineal.render.page import Page, clean, count, styled
from lineal.render.table import columns
from lineal.render.tree import describe
from lineal.service.columns import ColumnsReply
from lineal.service.conflicts import ConflictsReply, Resolved
from lineal.service.facet_set import FacetWritten
from lineal.service.facets import FacetDefined, FacetFaultOut
from lineal.service.file_lineage import FileAt, FilesReply
from lineal.service.impact import Affected, ImpactReply
from lineal.service.joining import Joined
from lineal.service.joins import Join
from lineal.service.messages import MessageReply
from lineal.service.questions import (
    CommonReply,
    InheritedReply,
    PathReply,
    WhyReply,
)


def ways(reply: PathReply, page: Page) -> Iterator[Text]:
    """Each way from its source on."""
    nodes = {node.id: node for node in reply.nodes}
    edges = {(edge.src, edge.dst): edge for edge in reply.edges}
    if not reply.paths:
        yield styled(("no way leads from one to the other", "yellow"))
    for number, way in enumerate(reply.paths):
        if number:
            yield Text("")
        for place, node in enumerate(way):
            line = describe(nodes[node], page, {})
            edge = edges.get((way[place - 1], node)) if place else None
            if edge is not None and edge.evidence != "observed":
                line.append(
                    f"  {clean(edge.evidence)}{': ' + clean(edge.rule) if edge.rule else ''}", "yellow"
                )
            yield from page.hang("" if not place else f"  {page.signs.down} ", "    ", line)
    if reply.cut:
        yield styled((clean(reply.cut_reason), "bold yellow"))


def impact(reply: ImpactReply, page: Page) -> Iterator[RenderableType]:
    """How much depends on it, what is live, and the nearest."""
    total = f"{reply.total:,}" if reply.exact else f"more than {reply.total:,}"
    kinds = ", ".join(f"{number:,} {clean(kind)}" for kind, number in reply.counts.items())
    yield styled((f"{total} depend on {clean(reply.ref)}", "bold"), (f"  {kinds}" if kinds else "", "dim"))
    if reply.live:
        yield styled(("live now: ", "bold red"), ", ".join(clean(item.label) for item in reply.live))
    if reply.owners:
        whose = ", ".join(f"{clean(owner)} ({number})" for owner, number in reply.owners.items())
        yield from page.hang("", "  ", styled(("owners: ", "dim"), whose))
    if reply.affected:
        yield Text("")
        heads = ["STEPS", "WHAT", "KIND", "NAMES", "STATE", "OWNER"]
        yield from columns(heads, [_cells(item) for item in reply.affected], page, right={"STEPS"})
    if reply.cut:
        yield Text("")
        yield styled((clean(reply.cut_reason), "bold yellow"))
    if reply.computing is not None:
        yield styled((f"counting the rest: {reply.computing:.0%}; ask again", "dim"))


def _cells(item: Affected) -> list[Text]:
    what = clean(item.label if item.type == "run" else item.ref)
    return [
        Text(str(item.distance)),
        Text(what, "cyan" if item.type == "run" else "bold"),
        Text(clean(item.kind)),
        Text(" ".join(clean(name) for name in item.names), "green"),
        Text(clean(item.state)),
        Text(clean(item.owner)),
    ]


def common(reply: CommonReply, page: Page) -> Iterator[RenderableType]:
    """What both were made from."""
    if not reply.common:
        yield Text("nothing that is recorded went into both")
        return
    rows = [
        [
            Text("nearest" if item.nearest else "", "green"),
            describe(item.node, page, {}),
            Text(str(item.distance_a)),
            Text(str(item.distance_b)),
        ]
        for item in reply.common
    ]
    yield from columns(
        ["", "WHAT", "STEPS TO A", "STEPS TO B"], rows, page, right={"STEPS TO A", "STEPS TO B"}
    )
    if reply.cut:
        yield styled(("an ancestry was too large to look at whole", "bold yellow"))


def why(reply: WhyReply, page: Page) -> Iterator[RenderableType]:
    """What differs, where it began first."""
    if not reply.differences:
        yield Text("both were made from the same")
    words = {"changed": "differs", "only_a": "only in A", "only_b": "only in B"}
    rows = [
        [
            Text("began here" if item.cause else "", "bold yellow"),
            Text(clean(item.name), "cyan" if item.type == "run" else "bold"),
            Text(words[item.status]),
            Text(_some(item.a), "dim"),
            Text(_some(item.b), "dim"),
        ]
        for item in reply.differences
    ]
    if rows:
        yield from columns(["", "WHAT", "", "A", "B"], rows, page)
    yield styled((f"{count(reply.same, 'artifact or job', 'artifacts and jobs')} the same", "dim"))
    if reply.cut:
        yield styled(("an ancestry was too large to look at whole", "bold yellow"))


def _some(refs: list[str]) -> str:
    shown = ", ".join(clean(ref[:16] if ref.startswith("run:") else ref) for ref in refs[:3])
    return f"{shown} and {len(refs) - 3} more" if len(refs) > 3 else shown


def inherited(reply: InheritedReply, page: Page) -> Iterator[Text]:
    """Each tag with the way that carries it."""
    if not reply.tags:
        yield Text("no tag reaches it")
    for tag in reply.tags:
        yield styled(
            (f"{clean(tag.key)}={clean(tag.value)}", "bold green"), (f"  from {clean(tag.source)}", "")
        )
        way = f" {page.signs.down} ".join(
            clean(step[:16] if step.startswith("run:") else step) for step in tag.path
        )
        yield from page.hang("  ", "    ", styled((way, "dim")))
    if reply.cut:
        yield styled(("the ancestry was too large to look at whole", "bold yellow"))


def joins(reply: Joined, page: Page) -> Iterator[Text]:
    """What is one thing, and why."""
    if len(reply.members) > 1:
        yield styled(("one and the same:", "bold"))
        for member in reply.members:
            yield Text(f"  {clean(member)}")
    if len(reply.names) > 1:
        yield styled(("names of one dataset:", "bold"))
        for name in reply.names:
            yield Text(f"  {clean(name)}")
    if len(reply.members) < 2 and len(reply.names) < 2:
        yield styled((clean(reply.members[0]) if reply.members else "it", "bold"), " is joined with nothing")
    for join in reply.joins:
        yield from _join(join, page)


def facets(listed: Sequence[FacetDefined], page: Page) -> Iterator[RenderableType]:
    """Schemas, one per line, with how many facets break them."""
    if not listed:
        yield Text("no schemas")
        return
    rows = [
        [
            Text(f"{clean(facet.name)}/{facet.version}", "bold"),
            Text(str(facet.revision)),
            Text("refused" if facet.refuse else "flagged"),
            Text(", ".join(clean(name) for name in list(facet.schema.get("properties", {}))[:8])),
            Text(page.time(facet.recorded_at), "dim"),
            Text(f"{facet.broken} of {facet.checked} there break it" if facet.checked else "", "yellow"),
        ]
        for facet in listed
    ]
    yield from columns(
        ["FACET", "REVISION", "BROKEN ONES ARE", "FIELDS", "SINCE", ""], rows, page, right={"REVISION"}
    )


def written(reply: FacetWritten, page: Page) -> Iterator[Text]:
    """What was attached, and how it breaks its schema."""
    yield styled((clean(reply.name), "bold"), f" of {clean(reply.ref)}")
    if reply.said:
        yield from page.hang("  ", "    ", styled((clean(reply.said), "yellow")))


def faults(listed: Sequence[FacetFaultOut], page: Page) -> Iterator[Text]:
    """Facets that break their schemas, and how."""
    if not listed:
        yield Text("every facet fits its schema")
    for fault in listed:
        head = styled(
            (clean(fault.name), "bold"),
            f" of {clean(fault.ref)}",
            ("  refused" if fault.refused else "", "red"),
        )
        yield head
        yield from page.hang("  ", "    ", styled((clean(fault.said), "yellow")))


def conflicts(reply: ConflictsReply, page: Page) -> Iterator[Text]:
    """What contradicts and what is missing."""
    for conflict in reply.conflicts:
        yield from contradiction(conflict, page)
    for gap in reply.gaps:
        yield from page.hang(
            "",
            "  ",
            styled(
                ("gap: ", "yellow"),
                (clean(gap.subject), "bold"),
                f"  {clean(gap.said)}",
                (f"  {gap.kind}", "dim"),
            ),
        )
    if not reply.conflicts and not reply.gaps:
        if reply.ref:
            yield Text("nothing contradicts, and nothing is missing")
        else:
            yield Text("nothing contradicts among what runs live; name a run or version to see what it lacks")
    if reply.cut:
        yield styled(("the ancestry was too large to look at whole", "bold yellow"))


def contradiction(conflict: Conflict, page: Page) -> Iterator[Text]:
    """A contradiction with its claims and the id to resolve it by."""
    head = styled(("conflict: ", "bold red"), (clean(conflict.subject), "bold"), f"  {clean(conflict.said)}")
    yield from page.hang("", "  ", head)
    for claim in conflict.claims:
        by = "read directly" if claim.by == claim.value else f"by {clean(claim.by)}" if claim.by else ""
        yield from page.hang("  ", "    ", styled(clean(claim.value), (f"  {by}" if by else "", "dim")))
    yield from page.hang("  ", "    ", styled((clean(conflict.id), "dim")))
    if conflict.choice:
        said = f"decided: {clean(conflict.choice)} ({clean(conflict.actor)}) {clean(conflict.reason)}"
        yield from page.hang("  ", "    ", styled((said.rstrip(), "green")))


def message(reply: MessageReply, page: Page) -> Iterator[Text]:
    """Whence it came, then its text as it stands."""
    by = f"{clean(reply.door)} {clean(reply.source)}".rstrip()
    yield styled(
        (f"message {reply.number}", "bold"),
        f"  {by}  {page.time(reply.recorded_at)}",
        (f"  {clean(reply.digest)}", "dim"),
    )
    for line in reply.text.splitlines():
        yield Text(clean(line))
    if reply.cut:
        yield styled(
            ("there is more of it: `lineal message --json`, with an offset over HTTP", "bold yellow")
        )


def resolved(reply: Resolved, page: Page) -> Iterator[Text]:
    """The decision as it stands."""
    said = f"decided: {clean(reply.choice)}" if reply.choice else "stands open again"
    yield from page.hang("", "  ", styled((clean(reply.id), "bold"), f"  {said}"))


def column_lines(reply: ColumnsReply, page: Page) -> Iterator[Text]:
    """Each column with those it was made from, or those it went into."""
    nodes = {node.id: node for node in reply.nodes}
    up = reply.direction == "up"
    for node in reply.nodes:
        beside = [edge for edge in reply.edges if (edge.dst if up else edge.src) == node.id]
        if not beside and node.id not in reply.roots:
            continue
        yield styled(
            (clean(node.ref), "bold"),
            f" {clean(node.column)}",
            ("" if beside else "  nothing is known", "yellow"),
        )
        for edge in beside:
            other = nodes[edge.src if up else edge.dst]
            line = styled((clean(other.ref), "" if other.known else "yellow"), f" {clean(other.column)}")
            line.append(f"  {clean(', '.join(edge.how))}" if edge.how else "", "dim")
            line.append(f"  {clean(edge.evidence)}: {clean(edge.rule)}" if edge.rule else "", "yellow")
            yield from page.hang(f"  {page.signs.up if up else page.signs.down} ", "    ", line)
    if reply.cut:
        yield styled(("there is more: fewer columns at once show it", "bold yellow"))


_HOW = {
    "datum": "by one datum",
    "only": "the only one",
    "unchanged": "as it was before",
    "run": "each of them may have",
}


def file_lines(reply: FilesReply, page: Page) -> Iterator[Text]:
    """The file, and by run the files on the other side."""
    yield styled((_file(reply.file), "bold"), f"  {clean(reply.file.digest[:19])}")
    sign = page.signs.down if reply.down else page.signs.up
    for run in reply.runs:
        who = f"{clean(run.job)}  run:{run.run[:16]}" if run.run else "the same file"
        how = _HOW.get(run.rule, run.rule)
        datum = f" {run.datum[:12]}" if run.datum else ""
        yield styled(f"  {sign} {who}", (f"  {how}{datum}", "dim" if run.exact else "yellow"))
        for file in run.files:
            yield from page.hang("      ", "        ", styled(_file(file)))
        if run.total > len(run.files):
            yield styled((f"      and {run.total - len(run.files):,} more", "dim"))
    if not reply.runs:
        yield styled(("  nothing is known of it", "yellow"))


def _file(file: FileAt) -> str:
    return clean(f"{file.version} {file.path}".rstrip())


def _join(join: Join, page: Page) -> Iterator[Text]:
    sign = "held apart" if join.apart else "joined"
    gone = f", taken back {page.time(join.retracted_at)}" if join.retracted_at is not None else ""
    head = styled(
        (f"{sign}: ", "yellow" if join.apart else "green"),
        f"{clean(join.a)} and {clean(join.b)}",
        (f"  {clean(join.rule)}, {clean(join.evidence)}{gone}", "dim"),
    )
    yield from page.hang("", "  ", head)
    said = " ".join(
        part
        for part in (
            clean(join.said),
            f"(by {clean(join.actor)}, {page.time(join.recorded_at)})"
            if join.actor
            else page.time(join.recorded_at),
            f"message {join.message}" if join.message else "",
        )
        if part
    )
    yield from page.hang("  ", "  ", styled((said, "dim")))
