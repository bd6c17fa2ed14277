"""Models written by `dump` of pickle and of those that follow it (cloudpickle, dill, skops), and what `dumps` of them gave."""

from __future__ import annotations

from ..current import journal
from . import models, schema, seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_LARGEST = 1 << 28  # bytes of a pickled model that are hashed
_MOST = 50  # models of one process
_hashed = 0


def hook(module: ModuleType) -> None:
    """After `pickle`, `cloudpickle`, `dill` or `skops.io`: `dump(obj, file)`, where the file has a name or is one."""
    models.saved_by(module, "dump", module.__name__ + ".dump", (1, "file"), (0, "obj"))

    def dumped(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _dumped(result, seam.argument(args, kwargs, 0, "obj"), module.__name__ + ".dumps")

    seam.after(module, "dumps", dumped, depth=models.saving)


def _dumped(data: Any, value: Any, lib: str) -> None:
    """Tell the digest of what may become a file: who then finds such a file knows what is in it."""
    global _hashed
    if _hashed >= _MOST or isinstance(value, (dict, list, tuple)) or len(data) > _LARGEST or seam.in_pool():
        return
    found = models.framework_of(value)
    here = journal()
    if found is None or here is None:
        return
    from hashlib import sha256

    _hashed += 1
    about = {"framework": found[0], "class": found[1], "inputs": schema.of(value)}
    here.json("dumped", sha256=sha256(data).hexdigest(), lib=lib, **about)
