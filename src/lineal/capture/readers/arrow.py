"""PyArrow: its files, tables and data sets, all read and written in C++."""

from __future__ import annotations

from ..calls import argument, around, given, reads, stand_in, writes
from ..places import before_write, read, written
from ..remote import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]


def core(pyarrow: Any) -> None:
    """Record memory maps, `OSFile` and the streams made from a path."""
    around(pyarrow, "memory_map", _by_mode("pyarrow.memory_map"))
    stand_in(pyarrow, "OSFile", _by_mode("pyarrow.OSFile"))
    reads(pyarrow, ("input_stream",), "pyarrow", 0, "source")
    around(
        pyarrow,
        "output_stream",
        _before("pyarrow.output_stream", 0, "source"),
        _after("pyarrow.output_stream"),
    )
    writes(pyarrow, ("create_memory_map",), "pyarrow", 0, "path")


def parquet(module: Any) -> None:
    """Record Parquet files and data sets."""
    for name, key in {
        "read_table": "source",
        "read_pandas": "source",
        "read_metadata": "where",
        "read_schema": "where",
    }.items():
        around(module, name, _reader("pyarrow.parquet." + name, 0, key))
    for kind, key in {"ParquetFile": "source", "ParquetDataset": "path_or_paths"}.items():
        around(getattr(module, kind), "__init__", _reader("pyarrow.parquet." + kind, 1, key))
    writes(module, ("write_table", "write_metadata"), "pyarrow.parquet", 1, "where")
    writes(module, ("write_to_dataset",), "pyarrow.parquet", 1, "root_path")
    _writer(module.ParquetWriter, "pyarrow.parquet.ParquetWriter", "where")


def dataset(module: Any) -> None:
    """Record data sets: a folder, or the files that are named."""
    for name in ("dataset", "parquet_dataset"):
        around(module, name, _reader("pyarrow.dataset." + name, 0, "source"))
    writes(module, ("write_dataset",), "pyarrow.dataset", 1, "base_dir", lambda args, kwargs: True)


def csv(module: Any) -> None:
    """Record CSV files."""
    reads(module, ("read_csv", "open_csv"), "pyarrow.csv", 0, "input_file")
    writes(module, ("write_csv",), "pyarrow.csv", 1, "output_file")
    stand_in(module, "CSVWriter", _written_by_handle("pyarrow.csv.CSVWriter"))


def json(module: Any) -> None:
    """Record JSON files."""
    reads(module, ("read_json", "open_json"), "pyarrow.json", 0, "input_file")


def feather(module: Any) -> None:
    """Record Feather files."""
    reads(module, ("read_table", "read_feather"), "pyarrow.feather", 0, "source")
    writes(module, ("write_feather",), "pyarrow.feather", 1, "dest")


def orc(module: Any) -> None:
    """Record ORC files."""
    reads(module, ("read_table",), "pyarrow.orc", 0, "source")
    around(module.ORCFile, "__init__", given(1, "source", "pyarrow.orc.ORCFile"))
    writes(module, ("write_table",), "pyarrow.orc", 1, "where")
    _writer(module.ORCWriter, "pyarrow.orc.ORCWriter", "where")


def ipc(module: Any) -> None:
    """Record Arrow files that are opened by path."""
    reads(module, ("open_file", "open_stream"), "pyarrow.ipc", 0, "source")
    for kind in ("RecordBatchFileWriter", "RecordBatchStreamWriter"):
        _writer(getattr(module, kind), "pyarrow.ipc." + kind, "sink")


def _reader(lib: str, at: int, key: str) -> Any:
    """A read whose path may belong to a file system given beside it."""

    def before(args: Args, kwargs: Kwargs) -> None:
        value = argument(args, kwargs, at, key)
        system = kwargs.get("filesystem")
        kind = getattr(system, "type_name", None) or getattr(system, "protocol", None)
        kind = kind[0] if isinstance(kind, (tuple, list)) and kind else kind
        if isinstance(kind, str) and kind not in {"local", "file", "py::fsspec+('file', 'local')"}:
            for path in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(path, str):
                    report(kind.rpartition("+")[2] + "://" + path.partition("://")[2] or path, "read", lib)
        else:
            read(value, lib)

    return before


def _by_mode(lib: str) -> Any:
    def before(args: Args, kwargs: Kwargs) -> None:
        path, mode = argument(args, kwargs, 0, "path"), argument(args, kwargs, 1, "mode") or "r"
        if "w" in mode:
            written(before_write(path, lib), lib, pending=True)
        elif "+" in mode or "a" in mode:
            written(before_write(path, lib, keeps=True), lib, pending=True)
        else:
            read(path, lib)

    return before


def _written_by_handle(lib: str) -> Any:
    def before(args: Args, kwargs: Kwargs) -> None:
        written(before_write(argument(args, kwargs, 0, "sink"), lib), lib, pending=True)

    return before


def _before(lib: str, at: int, key: str) -> Any:
    return lambda args, kwargs: before_write(argument(args, kwargs, at, key), lib)


def _after(lib: str) -> Any:
    return lambda earlier, args, kwargs, result, failed: written(earlier or [], lib, failed=failed)


def _writer(kind: Any, lib: str, key: str) -> None:
    """A class whose object writes until it is closed."""

    def before(args: Args, kwargs: Kwargs) -> Any:
        earlier = before_write(argument(args, kwargs, 1, key), lib)
        written(earlier, lib, pending=True)
        if earlier and hasattr(args[0], "__dict__"):
            args[0].__dict__["_lineal_paths"] = earlier

    def closed(token: Any, args: Args, kwargs: Kwargs, result: Any, failed: bool) -> None:
        earlier = getattr(args[0], "__dict__", {}).pop("_lineal_paths", None)
        if earlier:
            written(earlier, lib, failed=failed)

    around(kind, "__init__", before)
    around(kind, "close", lambda args, kwargs: None, closed)
