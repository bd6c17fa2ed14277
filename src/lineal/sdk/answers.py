"""Answers to questions: they print well in a terminal and in a notebook, and convert to other libraries' values.

Each holds the operation's reply in `reply`; `to_dict()` is the document that `--json` prints on the command line.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lineal.render.page import Page
    from lineal.service.compare import DiffReply
    from lineal.service.health import HealthReply
    from lineal.service.lineage import GraphEdge, GraphNode, TraceReply
    from lineal.service.runs import RunList, RunSummary
    from lineal.service.show import Shown


def page_here() -> Page:
    """The page that fits where this process prints."""
    from lineal.render.page import Page

    stream = sys.stdout
    try:
        terminal = stream.isatty()
    except (AttributeError, ValueError):
        terminal = False
    environment = os.environ
    coloured = terminal and environment.get("TERM") != "dumb"
    if environment.get("FORCE_COLOR") or environment.get("CLICOLOR_FORCE", "0") != "0":
        coloured = True
    return Page(
        now=time.time_ns() // 1000,
        width=shutil.get_terminal_size().columns if terminal else None,
        colour=coloured and not environment.get("NO_COLOR"),
        ascii=not _writes(getattr(stream, "encoding", None) or "utf-8"),
        zone=None,
    )


def _writes(encoding: str) -> bool:
    try:
        "├─└│←→·…−Δ".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class Answer:
    """An answer of the record."""

    reply: Any

    def _lines(self, page: Page) -> Iterator[RenderableType]:
        raise NotImplementedError

    def to_dict(self) -> Any:
        """The answer as plain dicts, lists, texts and numbers."""
        import msgspec

        return msgspec.to_builtins(self.reply)

    def __str__(self) -> str:
        page = page_here()
        return page.text(self._lines(page)).rstrip("\n")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from lineal.render.html import WIDTH, pre
        from lineal.render.page import Page

        return pre(self._lines(Page(now=time.time_ns() // 1000, width=WIDTH, zone=None)))


class Trace(Answer):
    """A graph: what something was made from, or what it went into."""

    def __init__(self, reply: TraceReply, aliases: Mapping[str, list[str]] | None = None) -> None:
        self.reply: TraceReply = reply
        self._aliases = aliases or {}

    @property
    def nodes(self) -> list[GraphNode]:
        """Every run and version of the answer."""
        return self.reply.nodes

    @property
    def edges(self) -> list[GraphEdge]:
        """Every edge that was followed, in the direction in which data flows."""
        return self.reply.edges

    @property
    def root(self) -> GraphNode:
        """What was asked for."""
        return next(node for node in self.reply.nodes if node.id == self.reply.root)

    @property
    def cut(self) -> bool:
        """Whether something was left out; `reply.cut_reason` says why."""
        return self.reply.cut

    def _lines(self, page: Page) -> Iterator[RenderableType]:
        from lineal.render import tree

        return tree.render(self.reply, page, aliases=self._aliases)

    def to_mermaid(self) -> str:
        """A Mermaid flowchart."""
        from lineal.export.mermaid import to_mermaid

        return to_mermaid(self.reply)

    def to_dot(self) -> str:
        """A digraph in Graphviz's language."""
        from lineal.export.dot import to_dot

        return to_dot(self.reply)

    def to_networkx(self) -> Any:
        """A `networkx.MultiDiGraph`. Raises Unavailable: networkx is not installed."""
        from lineal.export.networkx import to_networkx

        return to_networkx(self.reply)

    def to_pandas(self) -> Any:
        """A data frame with one row per edge. Raises Unavailable: pandas is not installed."""
        from lineal.export.pandas import edges_frame

        return edges_frame(self.reply)


class Runs(Answer, Sequence["RunSummary"]):
    """Runs in order; a sequence."""

    def __init__(self, reply: RunList, order: str = "") -> None:
        self.reply: RunList = reply
        self._order = order

    @overload
    def __getitem__(self, index: int) -> RunSummary: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RunSummary]: ...
    def __getitem__(self, index: int | slice) -> RunSummary | Sequence[RunSummary]:
        return self.reply.runs[index]

    def __len__(self) -> int:
        return len(self.reply.runs)

    @property
    def cut(self) -> bool:
        """Whether there are more runs than the limit."""
        return self.reply.cut

    def to_dict(self) -> list[dict[str, Any]]:
        """The runs as plain dicts, as `lineal runs --json` prints them."""
        import msgspec

        plain: list[dict[str, Any]] = msgspec.to_builtins(self.reply.runs)
        return plain

    def _lines(self, page: Page) -> Iterator[RenderableType]:
        from lineal.render import table

        return table.runs(self.reply.runs, page, cut=self.reply.cut, sort=self._order)

    def to_pandas(self) -> Any:
        """A data frame with one row per run. Raises Unavailable: pandas is not installed."""
        from lineal.export.pandas import runs_frame

        return runs_frame(self.reply.runs)

    def _repr_html_(self) -> str:
        from lineal.render.html import WIDTH, table
        from lineal.render.page import Page
        from lineal.render.table import run_cells

        page = Page(now=time.time_ns() // 1000, width=WIDTH, zone=None)
        heads, rows = run_cells(self.reply.runs, page, sort=self._order)
        return table(heads, [[cell.plain for cell in row] for row in rows])


class Record(Answer):
    """One run or version with all that is recorded of it; its fields are those of `reply`."""

    def __init__(self, reply: Shown) -> None:
        self.reply: Shown = reply

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "reply":
            raise AttributeError(name)
        return getattr(self.reply, name)

    def _lines(self, page: Page) -> Iterator[RenderableType]:
        from lineal.render import run

        return run.render(self.reply, page)


class Diff(Answer):
    """Why two things differ."""

    def __init__(self, reply: DiffReply) -> None:
        self.reply: DiffReply = reply

    @property
    def identical(self) -> bool:
        """Whether both are the very same bytes."""
        return self.reply.identical

    def _lines(self, page: Page) -> Iterator[RenderableType]:
        from lineal.render import diff

        return diff.render(self.reply, page)

    def to_pandas(self) -> Any:
        """A data frame with a row per difference: where (`-`: the two themselves, else the upstream job), what, key, a, b.

        Raises Unavailable: pandas is not installed.
        """
        from lineal.export.pandas import rows_frame
        from lineal.render.diff import rows

        return rows_frame(list(rows(self.reply)), ["where", "what", "key", "a", "b"])


class Health(Answer):
    """How complete a record is."""

    def __init__(self, reply: HealthReply) -> None:
        self.reply: HealthReply = reply

    @property
    def percent(self) -> float:
        """Known facts among all facts asked for, 0 to 100."""
        return self.reply.percent

    def _lines(self, page: Page) -> Iterator[RenderableType]:
        from lineal.render import health

        return health.render(self.reply, page)

    def to_pandas(self) -> Any:
        """A data frame with a row per thing that is not known. Raises Unavailable: pandas is not installed."""
        from lineal.export.pandas import rows_frame

        rows = [
            {"check": check.name, "missing": line} for check in self.reply.checks for line in check.missing
        ]
        return rows_frame(rows, ["check", "missing"])
