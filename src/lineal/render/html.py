"""Renderings for a notebook: the same lines with their colours, in a frame of fixed width letters."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 140
_FRAME = (
    "<pre style=\"white-space:pre;overflow-x:auto;line-height:1.35;font-family:Menlo,Consolas,'DejaVu Sans Mono',monospace\">"
    "{code}</pre>\n"
)


def pre(parts: Iterable[RenderableType]) -> str:
    """The parts as one HTML element, colours inline; everything in it is escaped."""
    import io

    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=WIDTH,
        record=True,
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    for part in parts:
        console.print(part)
    return console.export_html(inline_styles=True, code_format=_FRAME)


def table(heads: list[str], rows: Iterable[list[str]]) -> str:
    """An HTML table; every cell is escaped."""
    head = "".join(f'<th style="text-align:left">{escape(text)}</th>' for text in heads)
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    body = "".join(f'<tr style="text-align:left">{line}</tr>' for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
