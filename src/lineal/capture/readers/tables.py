"""Table formats that are folders: Delta Lake and Lance, in Rust; Iceberg, whose catalog alone knows the current version.

What a library says of the version it read or wrote is recorded beside the table's place, so that a time travel is told from a
read of the newest version.
"""

from __future__ import annotations

from _thread import get_ident

from ...resolve import delta as delta_log
from .. import current
from ..calls import argument, around, reads, writes
from ..places import before_write, local, named, read, written
from ..remote import clean, scheme

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

_told: set[tuple[Any, ...]] = set()
_writing: set[int] = set()  # threads that are inside `write_deltalake`


def deltalake(module: Any) -> None:
    """Record `DeltaTable`, what reads through it and what changes it, and `write_deltalake`, with versions."""
    table = module.DeltaTable
    around(table, "__init__", _opening, _opened)
    around(table, "load_as_version", _nothing, _moved_to)
    for name in ("to_pyarrow_dataset", "to_pyarrow_table", "to_pandas", "file_uris", "scan"):
        around(table, name, lambda args, kwargs: _delta(args[0], "read", "deltalake.DeltaTable"))
    for name in ("update", "delete", "restore"):
        around(table, name, _nothing, _changed("deltalake.DeltaTable." + name))
    merger = getattr(getattr(module, "table", None), "TableMerger", None)
    if merger is not None:
        around(merger, "execute", _nothing, _changed("deltalake.DeltaTable.merge", "_table"))
    around(module, "write_deltalake", _before_write, _after_write)


def iceberg(module: Any) -> None:
    """Record the scans of tables and the transactions that are committed, with snapshot and schema."""
    around(module.DataScan, "plan_files", _scanned)
    around(module.Transaction, "commit_transaction", _before_commit, _committed)


def lance(module: Any) -> None:
    """Record `lance.dataset` and `lance.write_dataset`."""
    reads(module, ("dataset",), "lance", 0, "uri")
    writes(module, ("write_dataset",), "lance", 1, "uri")


def _nothing(args: Args, kwargs: Kwargs) -> None:
    return None


def _place(uri: str) -> dict[str, str]:
    """Where a table is, as a field of a record: a path, or a URL; empty when it is not to be recorded."""
    if scheme(uri):
        return {"url": clean(uri).rstrip("/")}
    path = local(uri).rstrip("/")
    return {"path": path} if path else {}


def _tell(kind: str, uri: str, op: str, lib: str, **about: Any) -> None:
    """Record the version of a table that was read or written (`op`), once for each process."""
    journal, place = current.journal(), _place(uri)
    key = (kind, uri, op, *about.values())
    if journal is None or not place or key in _told:
        return
    _told.add(key)
    journal.json("table", kind=kind, op=op, lib=lib, **place, **about)


# ---- Delta Lake --------------------------------------------------------------------------------------------------------


def _delta(table: Any, op: str, lib: str) -> None:
    _tell(
        "delta", str(table.table_uri), op, lib, version=int(table.version()), table=str(table.metadata().id)
    )


def _opening(args: Args, kwargs: Kwargs) -> None:
    if get_ident() not in _writing:  # `write_deltalake` opens what it is about to replace
        read(argument(args, kwargs, 1, "table_uri"), "deltalake.DeltaTable")


def _opened(token: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
    if not failed and argument(args, kwargs, 2, "version") is not None:
        _delta(args[0], "read", "deltalake.DeltaTable")


def _moved_to(token: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
    if not failed:
        _delta(args[0], "read", "deltalake.DeltaTable.load_as_version")


def _changed(lib: str, inside: str = "") -> Any:
    def after(token: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
        table = getattr(args[0], inside) if inside else args[0]
        if not failed:
            _delta(table, "write", lib)
            written(before_write(str(table.table_uri), lib), lib)

    return after


def _uri(args: Args, kwargs: Kwargs) -> str:
    given = argument(args, kwargs, 0, "table_or_uri")
    return str(getattr(given, "table_uri", given))


def _before_write(args: Args, kwargs: Kwargs) -> Any:
    _writing.add(get_ident())
    return before_write(_uri(args, kwargs), "deltalake.write_deltalake"), _newest(_uri(args, kwargs))


def _after_write(token: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
    _writing.discard(get_ident())
    lib, uri = "deltalake.write_deltalake", _uri(args, kwargs)
    earlier, version = token or ([], -1)
    now, given = _newest(uri), argument(args, kwargs, 0, "table_or_uri")
    if not failed and now > version:
        _tell("delta", uri, "write", lib, version=now, table="")
    elif not failed and not local(uri) and hasattr(given, "version"):
        _delta(given, "write", lib)
    written(earlier, lib, failed=failed)


def _newest(uri: str) -> int:
    path = local(uri)
    return delta_log.newest(path.encode("utf-8", "surrogateescape")) if path else -1


# ---- Iceberg -----------------------------------------------------------------------------------------------------------


def _iceberg(metadata: Any, snapshot: Optional[int], schema: int, op: str, lib: str, **more: Any) -> None:
    about = {"table": str(metadata.table_uuid), "snapshot": snapshot, "schema": schema, **more}
    _tell("iceberg", str(metadata.location), op, lib, **about)


def _scanned(args: Args, kwargs: Kwargs) -> None:
    scan = args[0]
    metadata, snapshot = scan.table_metadata, scan.snapshot()
    schema = metadata.current_schema_id
    if scan.snapshot_id is not None and snapshot is not None and snapshot.schema_id is not None:
        schema = snapshot.schema_id
    lib = "pyiceberg.Table.scan"
    _iceberg(metadata, None if snapshot is None else snapshot.snapshot_id, schema, "read", lib)
    for location in named(str(metadata.location)):
        read(location, lib)


def _before_commit(args: Args, kwargs: Kwargs) -> Any:
    return bool(args[0]._updates), args[0]._table.metadata.current_snapshot_id


def _committed(token: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
    changed, before = token or (False, None)
    if failed or not changed:
        return
    metadata, lib = args[0]._table.metadata, "pyiceberg.Transaction"
    snapshot = metadata.current_snapshot()
    more = {}
    if snapshot is not None and before is not None and snapshot.summary is not None:
        if str(getattr(snapshot.summary.operation, "value", "")) in {"append", "delete"}:
            more["before"] = before
    _iceberg(metadata, metadata.current_snapshot_id, metadata.current_schema_id, "write", lib, **more)
    written(before_write(str(metadata.location), lib), lib)
