"""What a file is, told from its name and from who touched it. A guess of last resort: a framework's word goes first."""

from __future__ import annotations

import os
import re

_MODELS = frozenset(
    ".pt .pth .onnx .safetensors .joblib .skops .ubj .keras .tflite .gguf .ckpt .mar .cbm .pkl .pickle .bst".split()
)
_REPORTS = frozenset(".png .jpg .jpeg .svg .pdf .html .htm .md .gif .webp .ipynb".split())
_CONFIGS = frozenset(".yaml .yml .toml .ini .cfg".split())
_CONFIG_WORDS = ("config", "param", "setting", "hparam", "arguments", "options")
_CONFIG_FOLDERS = ("conf", "config", "configs", "settings", "params", "experiments")
_LOADS = (
    "joblib.load",
    "torch.load",
    "torch.jit.load",
    "load_model",
    "onnx.load",
    "safe_open",
    "load_file",
    "hf_hub_download",
)
_CACHE = re.compile(rb"/(datasets|models|spaces)--[^/]+/(refs|\.no_exist|\.locks)/")


def extension(path: bytes) -> str:
    """The lower-case ending of the file's name, with its dot."""
    name = path[path.rfind(b"/") + 1 :]
    at = name.rfind(b".")
    return os.fsdecode(name[at:]).lower() if at > 0 and name[:at].strip(b".") else ""


def is_fetched(path: bytes) -> bool:
    """Whether a file in a hub's cache is a copy of a remote one, under its own name, rather than what the cache is kept by."""
    return b"/snapshots/" in path


def keeps_cache(path: bytes) -> bool:
    """Whether a file only says that a folder is a cache, or where others are in a hub's."""
    return path.endswith(b"/CACHEDIR.TAG") or (b"--" in path and _CACHE.search(path) is not None)


def kind_of(path: bytes, *, written: bool) -> str:
    """The artifact kind (ARCHITECTURE.md section 2) that the name suggests: a picture or page that a run wrote is a report."""
    return "report" if written and extension(path) in _REPORTS else "dataset"


def is_config(path: bytes) -> bool:
    """Whether a file that is read is a configuration: by its ending, or for JSON by its name or its folder's."""
    ending = extension(path)
    if ending in _CONFIGS:
        return True
    if ending != ".json":
        return False
    name = os.path.basename(os.fsdecode(path)).lower()
    folder = os.path.basename(os.path.dirname(os.fsdecode(path))).lower()
    return any(word in name for word in _CONFIG_WORDS) or folder in _CONFIG_FOLDERS


def role_of(path: bytes, libs: list[str]) -> str:
    """What a file that was read was to the run: `model`, `config`, `notebook` or `input`."""
    if is_config(path):
        return "config"
    if extension(path) == ".ipynb":
        return "notebook"
    if extension(path) in _MODELS and (
        not libs or any(lib.endswith(load) for lib in libs for load in _LOADS)
    ):
        return "model"
    return "input"
