"""What is a model: told from its class's name and ancestors, so that no framework needs to be imported for the question."""

from __future__ import annotations

from .. import report, wrapping
from . import origins, schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

saving = (
    wrapping.Depth()
)  # shared, so that a function that saves through another one is the one that is told about

# (package of an ancestor, the ancestor's name) -> framework
_ANCESTORS = {
    ("xgboost", "Booster"): "xgboost",
    ("xgboost", "XGBModel"): "xgboost",
    ("lightgbm", "Booster"): "lightgbm",
    ("lightgbm", "LGBMModel"): "lightgbm",
    ("catboost", "_CatBoostBase"): "catboost",
    ("transformers", "PreTrainedModel"): "transformers",
    ("torch", "Module"): "torch",
    ("torch", "ExportedProgram"): "torch",
    ("keras", "Model"): "keras",
    ("tensorflow", "Model"): "keras",
    ("tf_keras", "Model"): "keras",
    ("onnx", "ModelProto"): "onnx",
    ("statsmodels", "Results"): "statsmodels",
    ("statsmodels", "ResultsWrapper"): "statsmodels",
    ("sklearn", "BaseEstimator"): "sklearn",
    ("spacy", "Language"): "spacy",
    ("gensim", "SaveLoad"): "gensim",
    ("prophet", "Prophet"): "prophet",
}
_WEIGHTS = ("state_dict", "model_state_dict", "model", "weights", "net")


def framework_of(value: Any) -> tuple[str, str] | None:
    """(framework, full name of the class) of a model, also one level deep in a dict, list or tuple; None when there is none."""
    found = _framework(value)
    if found is not None:
        return found
    inner: Iterable[Any] = ()
    if isinstance(value, dict):
        inner = [item for _, item in zip(range(100), value.values())]
    elif isinstance(value, (list, tuple)):
        inner = value[:100]
    for item in inner:
        found = _framework(item)
        if found is not None:
            return found
    return None


def _framework(value: Any) -> tuple[str, str] | None:
    kind = value if isinstance(value, type) else type(value)
    if kind.__module__ == "builtins":
        return None
    for ancestor in kind.__mro__:
        framework = _ANCESTORS.get((ancestor.__module__.partition(".")[0], ancestor.__name__))
        if framework is not None:
            return framework, f"{kind.__module__}.{kind.__qualname__}"
    if callable(getattr(kind, "fit", None)) and callable(getattr(kind, "predict", None)):
        package = kind.__module__.partition(".")[0]
        return "python" if package == "__main__" else package, f"{kind.__module__}.{kind.__qualname__}"
    return None


def weights(value: Any) -> tuple[str, str] | None:
    """(framework, what it is) of a dict of tensors, or of a checkpoint that holds one; None when `value` is none."""
    if not isinstance(value, dict) or not value:
        return None
    if all(_is_tensor(item) for item in value.values()):
        return "torch", "state_dict"
    for name in _WEIGHTS:
        if name in value and weights(value[name]) is not None:
            return "torch", "checkpoint"
    return None


def _is_tensor(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "dtype")


def argument(args: tuple[Any, ...], kwargs: dict[str, Any], at: int, *names: str) -> Any:
    """The argument at position `at`, or given under one of `names`; None when it is missing."""
    if len(args) > at:
        return args[at]
    return next((kwargs[name] for name in names if name in kwargs), None)


def saved_by(
    owner: Any, name: str, lib: str, path: tuple[int, str], value: tuple[int, str] = (0, "self")
) -> None:
    """Observe a function or method that writes the model at argument `value` to the path at argument `path`."""

    def told(_result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        saved = argument(args, kwargs, *value)
        found = framework_of(saved)
        if found is not None:
            about: dict[str, Any] = {"inputs": schema.of(saved), "origin": origins.of(saved)}
            report.model(argument(args, kwargs, *path), *found, lib, **about)

    observe = wrapping.in_class if isinstance(owner, type) else wrapping.in_module
    observe(owner, name, told, depth=saving)
