"""DuckDB: the files named in SQL and in calls, and the data base itself; it reads and writes all of them in C++."""

from __future__ import annotations

from ..calls import argument, around
from ..places import before_write, local, opened, read, written
from ..remote import scheme

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

_SQL = ("sql", "query", "execute", "executemany", "from_query", "query_df")
_READERS = ("read_parquet", "read_csv", "read_json", "from_parquet", "from_csv_auto")
_WRITERS = ("write_parquet", "write_csv", "to_parquet", "to_csv")


def patch(duckdb: Any) -> None:
    """Record the functions of the module, and the methods of its connections and relations."""
    around(duckdb, "connect", _connected, as_caller=True)
    for owner, first in ((duckdb, 0), (duckdb.DuckDBPyConnection, 1)):
        for name in _SQL:
            at = first + (1 if owner is duckdb and name == "query_df" else 0)
            around(owner, name, _sql(at, "duckdb." + name), _done("duckdb." + name), as_caller=True)
        for name in _READERS:
            around(owner, name, _reader(first, "duckdb." + name), as_caller=True)
    for name in _WRITERS:
        lib = "duckdb.DuckDBPyRelation." + name
        around(duckdb.DuckDBPyRelation, name, _writer(1, lib), _done(lib), as_caller=True)


def _connected(args: Args, kwargs: Kwargs) -> None:
    path = argument(args, kwargs, 0, "database")
    if not path or str(path).startswith((":memory:", ":default:", "md:", "motherduck:")):
        return
    if argument(args, kwargs, 1, "read_only"):
        read(path, "duckdb.connect")
    else:
        opened(path, "duckdb.connect")


def _reader(at: int, lib: str) -> Any:
    def before(args: Args, kwargs: Kwargs) -> None:
        for key in ("path_or_buffer", "file_glob", "file_globs", "source", "path", "name"):
            read(kwargs.get(key), lib)
        read(argument(args, kwargs, at, ""), lib)

    return before


def _writer(at: int, lib: str) -> Any:
    def before(args: Args, kwargs: Kwargs) -> Any:
        return before_write(argument(args, kwargs, at, "file_name") or kwargs.get("path"), lib)

    return before


def _done(lib: str) -> Any:
    def after(earlier: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
        if earlier:
            written(earlier, lib, failed=failed)

    return after


def _sql(at: int, lib: str) -> Any:
    def before(args: Args, kwargs: Kwargs) -> Any:
        query = kwargs.get("query", kwargs.get("sql", argument(args, kwargs, at, "")))
        if not isinstance(query, str):
            query = getattr(query, "query", None)  # a prepared statement
        if not isinstance(query, str):
            return []
        values = kwargs.get("params", kwargs.get("parameters", argument(args, kwargs, at + 1, "")))
        return _named(query, values, lib)

    return before


def _named(query: str, values: Any, lib: str) -> Any:
    """Record the files that a query names; the answer is what it is about to write."""
    earlier = []
    literals = list(_literals(query))
    if isinstance(values, dict):
        values = list(values.values())
    aim = "TO" if query.upper().lstrip().startswith("COPY") and " TO ?" in query.upper() else ""
    if isinstance(values, (list, tuple)):
        literals += [(aim, value) for value in values if isinstance(value, str)]
    for word, text in literals:
        if word == "TO":
            earlier += before_write(text, lib)
        elif word in {"ATTACH", "DATABASE"}:
            opened(text, lib)
        elif word == "=":
            continue  # compared with, or an option
        elif scheme(text) or (local(text) and ("." in text or "/" in text)):
            read(text, lib)
    return earlier


def _literals(query: str) -> Any:
    """Each quoted text of a query with the keyword before it that says what it is for, if one does."""
    import re

    parts = re.compile(
        r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[A-Za-z_]\w*|[;(),=]", re.DOTALL
    ).findall(query)
    word = statement = ""
    for part in parts:
        if part[0] in "'\"":
            text = part[1:-1].replace(part[0] * 2, part[0])
            if word in {"TO", "ATTACH", "DATABASE", "EXISTS"} and statement in {
                "COPY",
                "ATTACH",
                "EXPORT",
                "DETACH",
            }:
                kind = "TO" if statement in {"COPY", "EXPORT"} else "ATTACH"
                if statement != "DETACH":
                    yield kind, text
            elif statement != "SET":
                yield word if word == "=" else "", text
        elif part[0].isalpha() or part[0] == "_":
            word = part.upper()
            statement = statement or word
        elif part == ";":
            word = statement = ""
        else:
            word = part
