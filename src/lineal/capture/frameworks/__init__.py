"""Which file looks at which library: module name -> "file:function", called with the module once it has been imported.

A file here is imported only when its library is; to add a framework, add a file and a line. A name that begins with a
dot is a file of `capture` itself.
"""

from __future__ import annotations

MODULES: dict[str, str] = {
    "argparse": ".params:argparse",
    "click.core": ".params:click",
    "typer._click.core": ".params:click",
    "random": ".seeds:standard",
    "numpy.random": ".seeds:numpy",
    "sklearn.base": "sklearn:base",
    "sklearn.metrics._classification": "sklearn:metrics",
    "sklearn.metrics._ranking": "sklearn:metrics",
    "sklearn.metrics._regression": "sklearn:metrics",
    "sklearn.metrics._scorer": "sklearn:scorers",
    "sklearn.metrics.cluster._bicluster": "sklearn:metrics",
    "sklearn.metrics.cluster._supervised": "sklearn:metrics",
    "sklearn.metrics.cluster._unsupervised": "sklearn:metrics",
    "sklearn.model_selection": "sklearn:model_selection",
    "xgboost": "xgboost:hook",
    "lightgbm": "lightgbm:hook",
    "torch": "torch:hook",
    "torch.jit": "torch:jit",
    "joblib": "joblib:hook",
    "pickle": "pickle:hook",
    "cloudpickle": "pickle:hook",
    "dill": "pickle:hook",
    "skops.io": "pickle:hook",
    "keras": "saving:keras",
    "keras.utils": ".seeds:keras",
    "tensorflow": ".seeds:tensorflow",
    "mlflow.data.dataset": "mlflow:dataset",
    "mlflow.tracking.request_header.registry": "mlflow:headers",
    "onnx": "saving:onnx",
    "catboost": "saving:catboost",
    "transformers.modeling_utils": "saving:transformers",
    "safetensors.torch": "saving:safetensors",
    "safetensors.numpy": "saving:safetensors",
    "safetensors.flax": "saving:safetensors",
}
