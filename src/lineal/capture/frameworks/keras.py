"""Keras: what is trained and how, the logs of each epoch, and models saved; through a callback of its own kind."""

from __future__ import annotations

from . import models, seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


def hook(module: ModuleType) -> None:
    """After `keras`."""
    kind = next((c for c in module.Model.__mro__ if "save" in vars(c)), module.Model)
    models.saved_by(kind, "save", "keras.Model.save", (1, "filepath"))
    if "save_weights" in vars(kind):
        models.saved_by(kind, "save_weights", "keras.Model.save_weights", (1, "filepath"))
    if hasattr(module, "saving"):
        models.saved_by(module.saving, "save_model", "keras.saving.save_model", (1, "filepath"), (0, "model"))


def callbacks(module: ModuleType) -> None:
    """After `keras.src.callbacks.callback_list`, whose list every training and evaluation makes."""
    callback = _callback(module.Callback)

    def made(_result: Any, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        mine = callback()
        mine.set_model(args[0].model)
        mine.set_params(args[0].params)
        args[0].callbacks.append(mine)

    seam.after(module.CallbackList, "__init__", made)


def _callback(base: Any) -> Any:
    class Lineal(base):  # type: ignore[misc]
        """Reports; it looks at no batch, which would cost the training its speed."""

        fitting = False

        def on_train_begin(self, logs: Any = None) -> None:
            self.fitting = True
            seam.safely(_began, self.model, self.params)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seam.safely(seam.metrics, logs or {}, epoch)

        def on_train_end(self, logs: Any = None) -> None:
            self.fitting = False

        def on_test_end(self, logs: Any = None) -> None:
            if not self.fitting:
                seam.safely(seam.metrics, logs or {}, None, "evaluate_")

    return Lineal


def _began(model: Any, params: Any) -> None:
    name = type(model).__name__ + "."
    seam.params({k: v for k, v in (params or {}).items() if k in ("epochs", "steps")}, "keras", name)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        seam.params(optimizer.get_config(), "keras", name + "optimizer.")
    loss = getattr(model, "loss", None)
    if loss is not None:
        seam.params({"loss": loss if isinstance(loss, str) else getattr(loss, "name", loss)}, "keras", name)
    seam.params({"parameters": model.count_params()}, "keras", name)
