"""jsonargparse: the namespace of the outermost parsing, with what its configuration files say."""

from __future__ import annotations

from .. import params
from . import seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_HIDDEN = ("config", "__path__", "print_config", "help")


def hook(module: ModuleType) -> None:
    """After `jsonargparse._core` (or `jsonargparse.core` of old)."""
    for name in ("parse_args", "parse_object", "parse_path", "parse_string", "parse_env"):
        seam.after(module.ArgumentParser, name, _parsed, depth=params.parsing)


def _parsed(result: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    values = {
        key: value
        for key, value in vars(result.as_flat()).items()
        if not str(key).rpartition(".")[2].startswith(_HIDDEN) and not params.is_code(value)
    }
    seam.params(values, "jsonargparse")
