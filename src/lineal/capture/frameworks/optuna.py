"""Optuna: each trial of a study is a run of its own, with what is reported while its objective works."""

from __future__ import annotations

from . import seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_STATES = {"COMPLETE": "finished", "PRUNED": "finished", "FAIL": "failed"}
_open: dict[tuple[int, int], seam.Child] = {}


def study(module: ModuleType) -> None:
    """After `optuna.study.study`."""
    seam.after(module.Study, "ask", _asked)
    seam.after(module.Study, "optimize", _optimized)


def tell(module: ModuleType) -> None:
    """After `optuna.study._tell`, through which every trial ends."""
    seam.after(module, "_tell_with_warning", _told)


def _asked(result: Any, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    name = args[0].study_name
    child = seam.Child("trial", "trial of " + name, "trial %d" % result.number, "study " + name)
    _open[id(args[0]), result.number] = child
    child.enter()


def _told(_result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    study = seam.argument(args, kwargs, 0, "study")
    trial = seam.argument(args, kwargs, 1, "trial")
    number = trial if isinstance(trial, int) else trial.number
    child = _open.pop((id(study), number), None)
    if child is None:
        return
    child.leave()
    storage = study._storage
    found = storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study._study_id, number))
    child.params(found.params, "optuna")
    for step, value in found.intermediate_values.items():
        child.metrics({"intermediate": value}, step)
    values = found.values or []
    unnamed = ["value"] if len(values) < 2 else ["value_%d" % n for n in range(len(values))]
    names = getattr(study, "metric_names", None) or unnamed
    child.metrics(dict(zip(names, values)), 0)
    state = found.state.name
    if state == "PRUNED":
        child.tag("pruned", "true")
    child.end(_STATES.get(state, "finished"))


def _optimized(_result: Any, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    """What the study came to."""
    study = args[0]
    if len(study.directions) != 1:
        return
    try:
        best = study.best_trial
    except ValueError:  # no trial was completed
        return
    seam.params(best.params, "optuna", "best.")
    seam.metric("best_value", best.value)
