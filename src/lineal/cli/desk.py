"""What every command needs: the project's record, a page to print on, and a word while something takes long."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from lineal.cli import exits
from lineal.sdk import session
from lineal.sdk.answers import page_here

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lineal.render.page import Page
    from lineal.service.client import AnyClient

_PATIENCE_S = 2.0
_F = TypeVar("_F", bound=Callable[..., Any])


def json_option(function: _F) -> _F:
    """Gives a command `--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(function)


def all_option(function: _F) -> _F:
    """Gives a command `--all`, as the argument `everything`."""
    return click.option("--all", "everything", is_flag=True, help="Leave nothing out and fold nothing.")(
        function
    )


@contextlib.contextmanager
def reading() -> Iterator[AnyClient]:
    """A client for questions about the project here."""
    with (
        waiting("delivering what was recorded") as progress,
        session.reading(session.project_here(), warn=exits.warn, progress=progress) as client,
    ):
        yield client


@contextlib.contextmanager
def writing() -> Iterator[AnyClient]:
    """A client for changes to the project here."""
    with telling() as (client, _):
        yield client


@contextlib.contextmanager
def telling() -> Iterator[tuple[AnyClient, Callable[[str], None]]]:
    """As `writing`; and what says how far it is, for something that takes long."""
    with (
        waiting("delivering what was recorded") as progress,
        session.writing(session.project_here(), warn=exits.warn, progress=progress) as client,
    ):
        yield client, progress


def joined(queries: Iterable[str]) -> str:
    """Several queries as one that wants them all."""
    said = [text for text in queries if text.strip()]
    return said[0] if len(said) == 1 else " and ".join(f"({text})" for text in said)


def answer(as_json: bool, document: Any, lines: Callable[[Page], Iterable[RenderableType]]) -> None:
    """Print an answer: as one JSON document, or as lines for people."""
    if as_json:
        write(json_text(document))
        return
    page = page_here()
    write(page.text(lines(page)))


def json_text(document: Any) -> str:
    """The document as indented JSON with a line end. Numbers that are none (NaN) stand in it as text."""
    return (
        msgspec.json.format(msgspec.json.encode(document), indent=2).decode("utf-8", "surrogatepass") + "\n"
    )


def write(text: str) -> None:
    """Write to stdout, now. Raises BrokenPipeError: nobody reads any more."""
    sys.stdout.write(text)
    sys.stdout.flush()


@contextlib.contextmanager
def waiting(text: str) -> Iterator[Callable[[str], None]]:
    """Shows on stderr, from the second second on, that and what is being waited for; call it to say it better."""
    wait = _Waiting(text)
    try:
        yield wait.say
    finally:
        wait.end()


class _Waiting:
    def __init__(self, text: str) -> None:
        self._text = text
        self._status: Any = None
        self._lock = threading.Lock()
        self._ended = False
        self._timer = threading.Timer(_PATIENCE_S, self._show)
        self._timer.daemon = True
        self._timer.start()

    def say(self, text: str) -> None:
        """What is going on now."""
        with self._lock:
            self._text = text
            if self._status is not None:
                self._status.update(f"lineal: {text}")

    def end(self) -> None:
        """It is over: nothing of it stays on the screen."""
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._status is not None:
                self._status.stop()

    def _show(self) -> None:
        with self._lock:
            if self._ended:
                return
            if not sys.stderr.isatty():
                exits.tell(f"{self._text} ...")
                return
            from rich.console import Console

            self._status = Console(stderr=True, markup=False).status(f"lineal: {self._text}")
            self._status.start()
