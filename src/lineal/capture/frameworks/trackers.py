"""Other trackers in the same program: what it tells them it tells us too, and they lose nothing.

Their own files are read besides where they are text or event files; these hooks make their figures live.
"""

from __future__ import annotations

from . import seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_logging = seam.Depth()


def wandb(module: ModuleType) -> None:
    """After `wandb.sdk.wandb_run`: `Run.log`, and the configuration as it is when a run ends."""
    seam.before(module.Run, "log", _logged, depth=_logging)
    # Also a `with` block, and a run that is never finished but ends with the program.
    for name in ("finish", "_finish", "_atexit_cleanup"):
        seam.before(module.Run, name, _wandb_config)


def _logged(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    data = seam.argument(args, kwargs, 1, "data")
    if isinstance(data, dict):
        seam.metrics(_flat(data), seam.argument(args, kwargs, 2, "step"))


def _wandb_config(args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    seam.params(_flat(dict(args[0].config)), "wandb")


def trackio(module: ModuleType) -> None:
    """After `trackio.run`."""
    seam.before(module.Run, "log", _trackio, depth=_logging)
    seam.after(module.Run, "__init__", _trackio_config)


def _trackio(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    data = seam.argument(args, kwargs, 1, "metrics")
    if isinstance(data, dict):
        seam.metrics(_flat(data), seam.argument(args, kwargs, 2, "step"))


def _trackio_config(_result: Any, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    config = getattr(args[0], "config", None)
    if isinstance(config, dict):
        seam.params({k: v for k, v in _flat(config).items() if not k.startswith("_")}, "trackio")


def aim(module: ModuleType) -> None:
    """After `aim.sdk.run`: `Run.track`, and `run["hparams"] = {...}`."""
    for kind in ("Run", "BasicRun"):
        owner = getattr(module, kind, None)
        if owner is not None:
            seam.before(owner, "track", _tracked, depth=_logging)
            seam.before(owner, "__setitem__", _aim_param)


def _tracked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    value = seam.argument(args, kwargs, 1, "value")
    name = seam.argument(args, kwargs, 2, "name")
    subset = (kwargs.get("context") or {}).get("subset") if isinstance(kwargs.get("context"), dict) else None
    prefix = str(subset) + "/" if subset else ""
    values = value if isinstance(value, dict) else {str(name): value}
    seam.metrics(values, seam.argument(args, kwargs, 3, "step"), prefix)


def _aim_param(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    key, value = args[1], args[2]
    if isinstance(key, str) and not key.startswith("__"):
        seam.params(_flat({key: value}), "aim")


def _flat(values: Any, prefix: str = "", depth: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in list(values.items())[:2000]:
        name = prefix + str(key)
        if isinstance(value, dict) and depth < 5:
            found.update(_flat(value, name + ".", depth + 1))
        else:
            found[name] = value
    return found
