"""Which file hooks the readers and writers of which library: module name -> "file:function", called with the module.

A file here is imported only when its library is; to add a library, add a file and a line. What a library does through
Python's own `open` is seen anyway; what it does below, in C, C++ or Rust, is seen only by these hooks.
"""

from __future__ import annotations

MODULES: dict[str, str] = {
    "PIL.Image": "images:pillow",
    "aiobotocore.client": "boto:awaited",
    "botocore.client": "boto:patch",
    "catboost": "boosting:catboost",
    "cv2": "images:opencv",
    "deltalake": "tables:deltalake",
    "duckdb": "duckdb:patch",
    "faiss": "others:patch",
    "fsspec.asyn": "fsspec:mirrored",
    "fsspec.spec": "fsspec:patch",
    "h5py": "hdf5:h5py",
    "huggingface_hub.file_download": "hub:patch",
    "joblib": "joblib:patch",
    "lance": "tables:lance",
    "lightgbm": "boosting:lightgbm",
    "netCDF4": "others:patch",
    "numpy": "numpy:patch",
    "obstore": "obstore:patch",
    "onnx": "onnx:onnx",
    "onnxruntime": "onnx:onnxruntime",
    "pandas": "pandas:patch",
    "polars": "polars:patch",
    "pyarrow": "arrow:core",
    "pyarrow.csv": "arrow:csv",
    "pyarrow.dataset": "arrow:dataset",
    "pyarrow.feather": "arrow:feather",
    "pyarrow.ipc": "arrow:ipc",
    "pyarrow.json": "arrow:json",
    "pyarrow.orc": "arrow:orc",
    "pyarrow.parquet": "arrow:parquet",
    "pyogrio": "others:patch",
    "pyiceberg.table": "tables:iceberg",
    "rasterio": "others:patch",
    "safetensors": "safetensors:patch",
    "sentencepiece": "others:patch",
    "soundfile": "others:patch",
    "tables": "hdf5:pytables",
    "torch": "torch:patch",
    "torch.export": "torch:export",
    "torch.onnx": "torch:onnx",
    "torchvision.io": "others:patch",
    "xarray": "others:patch",
    "xgboost": "boosting:xgboost",
}
