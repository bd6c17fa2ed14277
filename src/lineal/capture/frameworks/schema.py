"""What a model takes: the names and types of its features, where its framework keeps them or a fit showed them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    Inputs = list[list[str]]

_MOST = 2000  # features of one model
_FRAMES = 1000  # different tables whose types are remembered
_types: dict[tuple[str, ...], list[str]] = {}
_ONNX = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "float64",
}


def remember(table: Any) -> None:
    """Keep the types of a table that something is being fitted on, by the names of its columns."""
    names = getattr(table, "columns", None)
    types = getattr(table, "dtypes", None)
    if names is None or types is None or len(names) > _MOST or len(_types) >= _FRAMES:
        return
    _types[tuple([str(name) for name in names])] = [str(kind) for kind in list(types)]


def of(value: Any) -> Optional[Inputs]:
    """[name, type] of every feature of a fitted model, the type empty where it is not known; None when nothing is known."""
    for look in (_named, _onnx, _keras, _numbered):
        try:
            found = look(value)
        except Exception:
            found = None
        if found and len(found) <= _MOST:
            return found
    return None


def _named(value: Any) -> Optional[Inputs]:
    steps = getattr(value, "steps", None)  # of a pipeline, the first that knows them
    parts = (
        [value, *[step[1] for step in steps if isinstance(step, tuple)]]
        if isinstance(steps, list)
        else [value]
    )
    for part in parts:
        for name in (
            "feature_names_in_",
            "feature_names_",
            "feature_names",
            "feature_name_",
            "feature_name",
            "exog_names",
        ):
            known = getattr(part, name, None)
            if name == "exog_names" and known is None:
                known = getattr(getattr(part, "model", None), name, None)
            if callable(known):
                known = known()
            if known is not None and not isinstance(known, (str, bytes)) and len(known):
                names = [str(item) for item in known]
                kinds = _types.get(tuple(names)) or getattr(part, "feature_types", None) or [""] * len(names)
                return [[a, str(b)] for a, b in zip(names, kinds)]
    return None


def _numbered(value: Any) -> Optional[Inputs]:
    """Features without names: `#1` and so on."""
    count = getattr(value, "n_features_in_", None)
    return None if not isinstance(count, int) else [["#%d" % (n + 1), ""] for n in range(count)]


def _onnx(value: Any) -> Optional[Inputs]:
    graph = getattr(value, "graph", None)
    if graph is None or not hasattr(value, "ir_version"):
        return None
    weights = {item.name for item in graph.initializer}
    found = []
    for item in graph.input:
        if item.name not in weights:
            tensor = item.type.tensor_type
            sizes = [str(d.dim_value or d.dim_param or "?") for d in tensor.shape.dim]
            found.append(
                [
                    item.name,
                    _ONNX.get(tensor.elem_type, "type %d" % tensor.elem_type) + "[" + ",".join(sizes) + "]",
                ]
            )
    return found


def _keras(value: Any) -> Optional[Inputs]:
    if not any(kind.__module__.startswith(("keras.", "tf_keras.")) for kind in type(value).__mro__):
        return None
    return [
        [str(item.name), "%s[%s]" % (item.dtype, ",".join("?" if n is None else str(n) for n in item.shape))]
        for item in value.inputs
    ]
