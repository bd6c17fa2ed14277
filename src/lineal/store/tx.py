"""A transaction, and the engine that gives it: what every part of the store works in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, Protocol, TypeVar

from lineal.store.numbers import Numbers

_T = TypeVar("_T")
Row = tuple[Any, ...]
# Gives the answer when it is needed; what is asked until then goes to the database together.
Asked = Callable[[], _T]


class Tx(Protocol):
    """An open transaction on one connection. Parameters are named `:name` on both engines.

    numbers: what is remembered of the dictionary.
    """

    numbers: Numbers

    @property
    def engine(self) -> Literal["sqlite", "postgres"]:
        """Whose dialect is spoken."""
        ...

    def run(self, sql: str, **values: Any) -> None:
        """Execute a statement, at the latest when something is asked or `settle` is called."""
        ...

    def run_each(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """`run` once with each row."""
        ...

    def many(self, sql: str, rows: Sequence[Mapping[str, Any] | Row]) -> int:
        """Execute a statement with each row; how many rows of the database changed in all."""
        ...

    def rows(self, sql: str, **values: Any) -> list[Row]:
        """All rows of an answer."""
        ...

    def ask(self, sql: str, **values: Any) -> Callable[[], list[Row]]:
        """What gives the rows when they are needed; what is asked until then goes to the database together."""
        ...

    def rows_each(self, sql: str, rows: Sequence[Row]) -> list[Row]:
        """All rows of the answers to each row, whose values stand for `?`. SQLite only."""
        ...

    def row(self, sql: str, **values: Any) -> Row | None:
        """The first row of an answer."""
        ...

    def value(self, sql: str, **values: Any) -> Any:
        """The first value of an answer's first row; None without one."""
        ...

    def settle(self) -> None:
        """Have everything executed that `run` was told. Raises what is wrong with it."""
        ...

    def forget(self) -> None:
        """Leave out what `run` was told and nobody executed yet."""
        ...


class Engine(Protocol):
    """A database. `write()` serialises writers (SQLite: BEGIN IMMEDIATE; durable on exit); both roll back on an error."""

    url: str
    query_s: float | None  # how long a question may take; beyond it Invalid is raised

    def read(self) -> AbstractContextManager[Tx]:
        """A transaction that sees one state and changes nothing."""
        ...

    def write(self) -> AbstractContextManager[Tx]:
        """A transaction that is durable when its block ends."""
        ...

    def check(self) -> list[str]:
        """One sentence for each thing found broken."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


@contextmanager
def undoable(tx: Tx) -> Iterator[None]:
    """A part of a transaction of which nothing remains when it raises. Parts may lie within each other."""
    tx.run("SAVEPOINT part")
    tx.settle()  # what is wrong with what came before is no matter of this part
    try:
        yield
        tx.settle()
    except BaseException:
        tx.forget()
        tx.run("ROLLBACK TO SAVEPOINT part")
        tx.run("RELEASE SAVEPOINT part")
        tx.numbers.forget()
        raise
    tx.run("RELEASE SAVEPOINT part")
