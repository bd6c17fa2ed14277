"""hydra and OmegaConf: the configuration a task is given; each task of a multirun is a run of its own."""

from __future__ import annotations

import functools

from . import seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_MOST = 2000  # values of one configuration


def hook(module: ModuleType) -> None:
    """After `hydra.core.utils`, by whose `run_job` every task is run."""
    seam.around(module, "run_job", _running)


def omegaconf(module: ModuleType) -> None:
    """After `omegaconf.omegaconf`: what a program takes from its command line without hydra."""

    def told(result: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        seam.params(flat(_plain(result)), "omegaconf")

    cli = vars(module.OmegaConf).get("from_cli")
    if isinstance(cli, staticmethod):
        module.OmegaConf.from_cli = staticmethod(seam.wrapping.observing(cli.__func__, told))  # type: ignore[attr-defined]


def _running(original: Any) -> Any:
    @functools.wraps(original)
    def run_job(*args: Any, **kwargs: Any) -> Any:
        child: Any = seam.safely(_given, seam.argument(args, kwargs, 1, "config"))
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            if child is not None:
                child.end("failed", error=error)
            raise
        if child is not None:
            failed = "FAILED" in str(getattr(result, "status", ""))
            child.end("failed" if failed else "finished")
        return result

    return run_job


def _given(config: Any) -> Any:
    """Report what a task is given; the run it is, where there are several."""
    child = None
    values = _plain(config)
    own = values.pop("hydra", None) or {}
    job = own.get("job") or {}
    if "MULTIRUN" in str(own.get("mode", "")):
        child = seam.Child("job", str(job.get("name") or "job"), str(job.get("override_dirname") or ""))
        child.enter()
    seam.params(flat(values), "hydra")
    return child


def _plain(config: Any) -> Any:
    """The configuration as dictionaries, its references followed where they can be."""
    from omegaconf import OmegaConf  # type: ignore[import-not-found,unused-ignore]

    try:
        hydra = OmegaConf.select(config, "hydra")
        values = {
            key: OmegaConf.to_container(config, resolve=False).get(key) for key in config if key != "hydra"
        }
        for key in values:
            found = OmegaConf.select(config, key)
            values[key] = OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
        if hydra is not None:
            values["hydra"] = {
                "mode": str(OmegaConf.select(hydra, "mode")),
                "job": {
                    "name": OmegaConf.select(hydra, "job.name"),
                    "override_dirname": OmegaConf.select(hydra, "job.override_dirname"),
                },
            }
        return values
    except Exception:
        return OmegaConf.to_container(config, resolve=False)


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one with dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items() if isinstance(values, dict) else ():
        name = prefix + str(key)
        if isinstance(value, dict) and value:
            found.update(flat(value, name + "."))
        elif len(found) < _MOST:
            found[name] = value
    return found
