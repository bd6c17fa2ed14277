"""Answers to questions about the graph: they print well and convert to plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from lineal.sdk.answers import Answer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lineal.render.page import Page
    from lineal.service.versions import VersionList, VersionSummary


class Versions(Answer, Sequence["VersionSummary"]):
    """Versions in order; a sequence. cut: whether there are more than the limit."""

    def __init__(self, reply: VersionList) -> None:
        self.reply: VersionList = reply
        self.cut = reply.cut

    @overload
    def __getitem__(self, index: int) -> VersionSummary: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[VersionSummary]: ...
    def __getitem__(self, index: int | slice) -> VersionSummary | Sequence[VersionSummary]:
        return self.reply.versions[index]

    def __len__(self) -> int:
        return len(self.reply.versions)

    def to_dict(self) -> list[dict[str, Any]]:
        """The versions as plain dicts, as `lineal versions --json` prints them."""
        import msgspec

        plain: list[dict[str, Any]] = msgspec.to_builtins(self.reply.versions)
        return plain

    def _lines(self, page: Page) -> Iterator[RenderableType]:
        from lineal.render import table

        return table.versions(self.reply.versions, page, cut=self.cut)
