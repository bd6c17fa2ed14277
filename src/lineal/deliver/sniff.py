"""What a written file is, told from its first bytes: models that no hook saw being saved.

Nothing is ever unpickled or run: of a pickle only the names of the classes it would make are read. What is found is
recorded with `by: bytes`, since the bytes say what the file is, not who wrote it.
"""

from __future__ import annotations

import json
import os
import pickletools
import re
import zipfile
import zlib
from typing import Any

HEAD = 1 << 16  # bytes read of a file's beginning
MOST_OPS = 4000  # instructions of a pickle that are looked at
SMALLEST = 32  # bytes; nothing shorter is a model

# package of the class that a pickle makes first -> framework
_PACKAGES = {
    "sklearn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost", "torch": "torch",
    "statsmodels": "statsmodels", "keras": "keras", "imblearn": "sklearn", "skorch": "torch", "spacy": "spacy",
    "gensim": "gensim", "prophet": "prophet", "pyod": "pyod", "hmmlearn": "hmmlearn", "lifelines": "lifelines",
    "surprise": "surprise", "implicit": "implicit", "sktime": "sktime", "ngboost": "ngboost", "pygam": "pygam",
}  # fmt: skip
_NO_MODELS = re.compile(
    r"sklearn\.(utils|metrics|datasets|model_selection\._split)\b|torch\._utils|torch\.serialization"
)
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
}


def model_in(path: bytes, size: int | None) -> dict[str, Any] | None:
    """`{"framework", "class", "by": "bytes"}` of the model that the file at `path` holds; None when its bytes do not say so."""
    if size is None or size < SMALLEST:
        return None
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
        for look in (_safetensors, _gguf, _zipped, _pickled, _text, _onnx, _hdf5):
            found = look(path, head, size)
            if found is not None:
                return {**found, "by": "bytes"}
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile, zlib.error):
        return None
    return None


def _said(framework: str, kind: str) -> dict[str, Any]:
    return {"framework": framework, "class": kind}


def _safetensors(_path: bytes, head: bytes, size: int) -> dict[str, Any] | None:
    """`<u64 length><JSON>`; the JSON names tensors with dtype, shape and offsets."""
    length = int.from_bytes(head[:8], "little")
    if not 2 <= length <= min(size - 8, 100 << 20) or head[8:9] != b"{":
        return None
    if b'"data_offsets"' not in head[8:] or not re.search(rb'"dtype"\s*:\s*"[A-Z0-9_]+"', head):
        return None
    told = re.search(rb'"format"\s*:\s*"(pt|tf|flax|np|mlx)"', head)
    names = {b"pt": "torch", b"tf": "tensorflow", b"flax": "flax", b"np": "numpy", b"mlx": "mlx"}
    return _said(names[told[1]] if told else "safetensors", "safetensors")


def _gguf(_path: bytes, head: bytes, _size: int) -> dict[str, Any] | None:
    return _said("gguf", "gguf") if head[:4] == b"GGUF" else None


def _zipped(path: bytes, head: bytes, _size: int) -> dict[str, Any] | None:
    """PyTorch, Keras and skops write archives; each is known by the members it must have."""
    if head[:4] != b"PK\x03\x04":
        return None
    with zipfile.ZipFile(os.fsdecode(path)) as archive:
        names = archive.namelist()[:10_000]
        if (
            "metadata.json" in names
            and "config.json" in names
            and any(n.startswith("model.weights") for n in names)
        ):
            config = json.loads(archive.read("config.json")[: 1 << 20])
            return _said("keras", f"{config.get('module') or 'keras'}.{config.get('class_name') or 'Model'}")
        if "schema.json" in names:
            kept = archive.read("schema.json")[: 1 << 20].decode("utf-8", "replace")
            top = re.search(r'"__class__":\s*"(\w+)",\s*"__module__":\s*"([\w.]+)"', kept)
            return _said("sklearn", f"{top[2]}.{top[1]}") if top else None
        inner = next((n for n in names if n.count("/") == 1 and n.endswith("/data.pkl")), None)
        if inner is None:
            return None
        with archive.open(inner) as file:
            globals_ = _globals(file.read(HEAD))
        if any("/code/" in name for name in names):
            return _said("torch", "torch.jit.ScriptModule")
        return _torch(globals_)


def _torch(made: list[str]) -> dict[str, Any] | None:
    """By the classes that the pickle inside makes, in order: a module, or its weights; a lone tensor is no model."""
    module = next((name for name in made if name.startswith("torch.nn.modules.")), None)
    if module is not None:
        plain = made[0].startswith(("collections.", "torch._", "builtins.", "__builtin__."))
        return _said("torch", module if plain else made[0])
    weights = made[:1] == ["collections.OrderedDict"] and any("_rebuild" in name for name in made)
    return _said("torch", "state_dict") if weights else None


def _pickled(_path: bytes, head: bytes, _size: int) -> dict[str, Any] | None:
    """A pickle, perhaps one of joblib's, perhaps compressed with zlib or gzip."""
    if head[:2] == b"\x1f\x8b" or head[:1] == b"\x78":
        head = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(head, HEAD)
    if head[:1] != b"\x80" or head[1:2] not in b"\x02\x03\x04\x05":
        return None
    for name in _globals(head):
        if _NO_MODELS.match(name):
            return None
        framework = _PACKAGES.get(name.partition(".")[0])
        if framework is not None:
            return _said(framework, name)
        if not name.startswith(("builtins.", "collections.", "copyreg.", "copy_reg.", "joblib.", "numpy.")):
            return None  # something else, which may have a model somewhere within
    return None


def _globals(data: bytes) -> list[str]:
    """The full names of the classes and functions in the first instructions of a pickle, in order."""
    found: list[str] = []
    texts: list[str] = []
    try:
        for number, (op, value, _) in enumerate(pickletools.genops(data)):
            if number >= MOST_OPS:
                break
            if op.name in ("GLOBAL", "INST"):
                found.append(str(value).replace(" ", "."))
            elif op.name == "STACK_GLOBAL" and len(texts) >= 2:
                found.append(f"{texts[-2]}.{texts[-1]}")
            elif isinstance(value, str) and "UNICODE" in op.name:
                texts.append(value)
    except (ValueError, IndexError, KeyError, OverflowError):
        pass  # what was read is a piece of the file, or no pickle after all
    return found


def _text(_path: bytes, head: bytes, _size: int) -> dict[str, Any] | None:
    """LightGBM's text and XGBoost's JSON and binary JSON begin with their own words."""
    if head.startswith(b"tree\nversion=v"):
        return _said("lightgbm", "lightgbm.basic.Booster")
    if head.startswith(b"CBM1"):
        return _said("catboost", "catboost.core.CatBoost")
    start = head[:200]
    if start.startswith((b'{"learner"', b'{"Config"', b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner")):
        return _said("xgboost", "xgboost.core.Booster")
    return None


def _onnx(path: bytes, head: bytes, _size: int) -> dict[str, Any] | None:
    """A protocol buffer says nothing of itself, so the name must end in `.onnx`, and its first field be one of a model's."""
    fits = path.lower().endswith(b".onnx") and head[0] >> 3 in range(1, 9) and head[0] & 7 in (0, 2)
    return _said("onnx", "onnx.ModelProto") if fits else None


def _hdf5(path: bytes, head: bytes, _size: int) -> dict[str, Any] | None:
    if head[:8] == b"\x89HDF\r\n\x1a\n" and (b"model_config" in head or b"keras_version" in head):
        return _said("keras", "keras.Model")
    return None
