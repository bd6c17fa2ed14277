"""From which checkpoint a model's weights were loaded, so that what is saved of it later points there."""

from __future__ import annotations

import os
from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 100
_loaded: list[tuple[Any, str, str]] = []  # a reference to the model, the checkpoint, who said so


def loaded(model: Any, checkpoint: Any, lib: str) -> None:
    """The weights of `model` now are those of the file or folder `checkpoint`, says `lib`."""
    if not isinstance(checkpoint, (str, bytes, os.PathLike)) or "://" in str(checkpoint):
        return
    path = os.path.abspath(os.fsdecode(os.fspath(checkpoint)))
    _loaded[:] = [entry for entry in _loaded if entry[0]() not in (None, model)][-_MOST + 1 :]
    _loaded.append((ref(model), path, lib))


def of(value: Any) -> dict[str, str] | None:
    """`checkpoint` and `lib` of a model, a part of one, or a dict of its weights; None when it was loaded from nowhere."""
    if not _loaded:
        return None
    own = None
    for reference, path, lib in reversed(_loaded):
        model = reference()
        if model is None:
            continue
        own = own or _first(value)
        if model is value or (own is not None and own == _first(model)):
            return {"checkpoint": path, "lib": lib}
    return None


def _first(value: Any, depth: int = 0) -> Any:
    """Where the first tensor of a module or of a dict of weights lies in memory."""
    if isinstance(value, dict):
        for item in list(value.values())[:100]:
            found = _first(item, depth + 1) if depth < 3 else None
            if found is not None:
                return found
        return None
    tensors = getattr(value, "parameters", None)
    tensor = next(iter(tensors()), None) if callable(tensors) else value
    where = getattr(tensor, "data_ptr", None)
    return where() if where is not None else None
