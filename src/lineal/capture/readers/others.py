"""Libraries of which a few functions in C or C++ read or write files: one line each."""

from __future__ import annotations

from ..calls import reads, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# module -> (function, or class and method; position of the path; its name)
_READ = {
    "faiss": (("read_index", 0, "fname"),),
    "netCDF4": (),
    "pyogrio": (("read_dataframe", 0, "path_or_buffer"), ("read_arrow", 0, "path_or_buffer")),
    "rasterio": (),
    "sentencepiece": (("SentencePieceProcessor.Load", 1, "model_file"),),
    "soundfile": (("read", 0, "file"),),
    "torchvision.io": (("read_image", 0, "path"), ("read_video", 0, "filename"), ("read_file", 0, "path")),
    "xarray": (
        ("open_dataset", 0, "filename_or_obj"),
        ("open_dataarray", 0, "filename_or_obj"),
        ("open_mfdataset", 0, "paths"),
        ("open_zarr", 0, "store"),
    ),
}
_WRITTEN = {
    "faiss": (("write_index", 1, "fname"),),
    "pyogrio": (("write_dataframe", 1, "path"),),
    "soundfile": (("write", 0, "file"),),
    "torchvision.io": (
        ("write_jpeg", 1, "filename"),
        ("write_png", 1, "filename"),
        ("write_file", 0, "filename"),
    ),
    "xarray": (
        ("Dataset.to_netcdf", 1, "path"),
        ("DataArray.to_netcdf", 1, "path"),
        ("Dataset.to_zarr", 1, "store"),
    ),
}


def patch(module: Any) -> None:
    """Record the functions listed for the module."""
    for table, hook in ((_READ, reads), (_WRITTEN, writes)):
        for name, at, key in table.get(module.__name__, ()):
            kind, _, function = name.rpartition(".")
            owner = getattr(module, kind) if kind else module
            hook(owner, (function,), module.__name__ + ("." + kind if kind else ""), at, key)
