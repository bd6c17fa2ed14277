"""pandas: what its readers and writers are given, also what goes through PyArrow, PyTables or to another host."""

from __future__ import annotations

from ..calls import argument, around, reads, writes
from ..places import opened, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_READERS = {
    "filepath_or_buffer": ("read_csv", "read_table", "read_fwf", "read_pickle", "read_sas", "read_stata"),
    "path_or_buf": ("read_json", "read_hdf"),
    "io": ("read_excel", "read_html"),
    "path_or_buffer": ("read_xml",),
    "path": ("read_parquet", "read_feather", "read_orc", "read_spss"),
}
_WRITERS = {
    "to_csv": "path_or_buf",
    "to_json": "path_or_buf",
    "to_html": "buf",
    "to_latex": "buf",
    "to_markdown": "buf",
    "to_excel": "excel_writer",
    "to_feather": "path",
    "to_orc": "path",
    "to_parquet": "path",
    "to_pickle": "path",
    "to_stata": "path",
    "to_xml": "path_or_buffer",
}


def patch(pandas: Any) -> None:
    """Record `pandas.read_*`, `DataFrame.to_*`, `Series.to_*` and `HDFStore`."""
    for key, names in _READERS.items():
        reads(pandas, names, "pandas", 0, key)
    for kind in (pandas.DataFrame, pandas.Series):
        for name, key in _WRITERS.items():
            writes(kind, (name,), "pandas." + kind.__name__, 1, key, _appends)
        # A table in an HDF5 file beside others, which stay.
        writes(kind, ("to_hdf",), "pandas." + kind.__name__, 1, "path_or_buf", _keeps_hdf)
    around(pandas.HDFStore, "__init__", _store)


def _appends(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return str(kwargs.get("mode", "w")).startswith("a")


def _keeps_hdf(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return str(kwargs.get("mode", "a")) in {"a", "r+"}


def _store(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    path = argument(args, kwargs, 1, "path")
    if argument(args, kwargs, 2, "mode") == "r":
        read(path, "pandas.HDFStore")
    else:
        opened(path, "pandas.HDFStore")
