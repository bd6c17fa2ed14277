"""The page that is written on: how wide, which signs, which time is now; and the small words every rendering uses."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDEST = 4000  # columns where nobody limits the width: a line in a file or a pipe is never broken


@dataclass(frozen=True)
class Signs:
    """The drawing signs of a page."""

    branch: str
    corner: str
    bar: str
    blank: str
    up: str
    down: str
    dot: str
    more: str
    minus: str
    delta: str


UNICODE = Signs("├─", "└─", "│ ", "  ", "←", "→", "·", "…", "−", "Δ")
ASCII = Signs("|-", "`-", "| ", "  ", "<-", "->", "-", "...", "-", "d")

STATES = {
    "finished": "green",
    "failed": "bold red",
    "killed": "red",
    "lost": "magenta",
    "running": "yellow",
    "live": "bold green",
}


@dataclass(frozen=True)
class Page:
    """What a rendering may rely on.

    width: columns of the terminal, None where there is none. now: UTC microseconds, for relative times. zone: of printed
    times, None for the machine's own.
    """

    now: int
    width: int | None = None
    colour: bool = False
    ascii: bool = False
    zone: tzinfo | None = UTC

    @property
    def signs(self) -> Signs:
        """The drawing signs that the page's encoding can write."""
        return ASCII if self.ascii else UNICODE

    def console(self) -> Console:
        """A console that writes to memory, as wide and colourful as the page."""
        from rich.console import Console

        return Console(
            file=io.StringIO(),
            width=self.width or WIDEST,
            force_terminal=self.colour,
            color_system="standard" if self.colour else None,
            no_color=not self.colour,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            safe_box=self.ascii,
            _environ={},
        )

    def text(self, parts: Iterable[RenderableType]) -> str:
        """The parts below each other as one text; lines carry no blanks at their ends."""
        from rich.console import Console

        console = self.console()
        file = console.file
        assert isinstance(console, Console)
        assert isinstance(file, io.StringIO)
        for part in parts:
            if isinstance(part, Text) and not self.colour and self.width is None:
                file.write(part.plain + "\n")
            else:
                console.print(part, soft_wrap=self.width is None and isinstance(part, Text))
        lines = [line.rstrip() for line in file.getvalue().split("\n")]
        return "\n".join(lines)

    def hang(self, first: str, rest: str, body: Text) -> list[Text]:
        """The body behind the prefix `first`, broken where the page ends, its other lines behind the prefix `rest`."""
        if self.width is None or len(first) + body.cell_len <= self.width:
            return [styled((first, "dim")).append_text(body)]
        room = max(self.width - len(rest), 24)
        lines = body.wrap(self.console(), room, overflow="fold", no_wrap=False)
        for line in lines:
            line.rstrip()
        return [
            styled((rest if index else first, "dim")).append_text(line) for index, line in enumerate(lines)
        ]

    def time(self, at: int) -> str:
        """A time as `2025-11-23 16:40:05`, in the page's zone."""
        try:
            return datetime.fromtimestamp(at / 1e6, self.zone).strftime("%Y-%m-%d %H:%M:%S")
        except (OverflowError, ValueError, OSError):
            return f"{at} us"

    def ago(self, at: int) -> str:
        """How long before the page's now: `3 min ago`; a date where it is more than 30 days."""
        seconds = (self.now - at) / 1e6
        if seconds < -60:
            return self.time(at)
        if seconds < 10:
            return "now"
        if seconds < 30 * 86400:
            return f"{duration(seconds, coarse=True)} ago"
        return self.time(at)[:10]


def duration(seconds: float, *, coarse: bool = False) -> str:
    """A length of time in its largest units: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`; coarse: the largest only."""
    if seconds < 10 and not coarse:
        return f"{abs(max(seconds, 0.0)):.1f} s"
    left = int(max(seconds, 0))
    words: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[: 1 if coarse else 2]) or "0 s"


def size(count: int | None) -> str:
    """Bytes as people read them: `812 B`, `4.1 MB` (powers of 1000); empty where the size is not known."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{count} B"


def clean(text: str) -> str:
    """The text with everything that does not print written as an escape, so that no name can forge a line or a colour."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in text)


def _escape(code: int) -> str:
    named = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    if named:
        return named
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def short(text: str, most: int, *, more: str = "…") -> str:
    """The text cleaned, its end cut where it is longer than `most` characters."""
    shown = clean(text)
    return shown if len(shown) <= most else shown[: max(most - len(more), 1)] + more


def digest(text: str | None, digits: int = 12) -> str:
    """A digest by its scheme and first digits: `sha256:3f2a9c11d0b4`; empty where there is none.

    Of a version that a store gave to data, the last part of its name and the first digits of the version: `pach:train@00000004`.
    """
    if not text:
        return ""
    scheme, colon, value = clean(text).partition(":")
    place, at, version = value.rpartition("@")
    if at:
        return f"{scheme}{colon}{place.rpartition('/')[2][-digits:]}@{version[:digits]}"
    return f"{scheme}{colon}{value[:digits]}"


def run_ref(run_id: str) -> str:
    """A run as people name it: `run:` and 12 digits, or 16 where they are a UUIDv7, whose first 12 are milliseconds."""
    return f"run:{run_id[:16] if run_id[12:13] == '7' else run_id[:12]}"


def value(item: object, most: int = 80) -> str:
    """A parameter's or metric's value on one line; floats keep the digits that tell them apart."""
    if item is None:
        return "-"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, float):
        return f"{item:.6g}"
    return short(str(item), most)


def styled(*pieces: str | tuple[str, str]) -> Text:
    """Pieces of text, each plain or with its style, joined; cleaned, so that it is one line."""
    text = Text(no_wrap=False)
    for piece in pieces:
        if isinstance(piece, str):
            text.append(clean(piece))
        else:
            text.append(clean(piece[0]), piece[1])
    return text


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 file`, `2 files`, `1,204 files`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
