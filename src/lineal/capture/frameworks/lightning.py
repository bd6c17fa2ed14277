"""Lightning: hyperparameters, what is logged, and which checkpoint became the model; through a callback of its own kind."""

from __future__ import annotations

from . import seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_SETTINGS = (
    "max_epochs",
    "max_steps",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "precision",
    "num_devices",
)


def hook(module: ModuleType) -> None:
    """After `lightning.pytorch.trainer.trainer` or `pytorch_lightning.trainer.trainer`."""
    callback = _callback(module)

    def made(_result: Any, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        trainer = args[0]
        if not any(isinstance(item, callback) for item in trainer.callbacks):
            trainer.callbacks.append(callback())

    seam.after(module.Trainer, "__init__", made)
    seam.after(module.Trainer, "save_checkpoint", _saved)
    for name in ("fit", "validate", "test", "predict"):
        seam.after(module.Trainer, name, _restored)


def loading(module: ModuleType) -> None:
    """After `lightning.pytorch.core.module` or its older sibling, whose `load_from_checkpoint` calls this."""

    def told(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        path = seam.argument(args, kwargs, 1, "checkpoint_path")
        seam.loaded(result, path, "lightning.load_from_checkpoint")

    seam.after(module, "_load_from_checkpoint", told)


def _restored(_result: Any, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    """The trainer was told, or chose, to begin with a checkpoint (`ckpt_path=`)."""
    trainer = args[0]
    if trainer.is_global_zero and trainer.ckpt_path:
        seam.loaded(trainer.lightning_module, trainer.ckpt_path, "lightning.Trainer")


def _callback(module: ModuleType) -> Any:
    package: Any = __import__(module.__name__.partition(".trainer")[0] + ".callbacks", fromlist=["Callback"])
    base: Any = package.Callback

    class Lineal(base):  # type: ignore[misc]
        """Reports; changes nothing, and has no state that a checkpoint would keep."""

        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            _safely(_began, trainer, pl_module)

        def on_train_batch_end(self, trainer: Any, *_args: Any, **_kwargs: Any) -> None:
            every = trainer.log_every_n_steps
            if every and trainer.global_step % every == 0:
                _safely(_logged, trainer)

        def on_train_epoch_end(self, trainer: Any, *_args: Any) -> None:
            _safely(_logged, trainer)

        def on_validation_end(self, trainer: Any, *_args: Any) -> None:
            if not trainer.sanity_checking:
                _safely(_logged, trainer)

        def on_test_end(self, trainer: Any, *_args: Any) -> None:
            _safely(_logged, trainer)

        def on_fit_end(self, trainer: Any, *_args: Any) -> None:
            _safely(_logged, trainer)
            _safely(_ended, trainer)

    return Lineal


def _safely(ours: Any, trainer: Any, *args: Any) -> None:
    if trainer.is_global_zero:
        seam.safely(ours, trainer, *args)


def _began(trainer: Any, model: Any) -> None:
    name = type(model).__name__
    seam.params(dict(getattr(model, "hparams", None) or {}), "lightning", name + ".")
    data = getattr(trainer, "datamodule", None)
    seam.params(dict(getattr(data, "hparams", None) or {}), "lightning", type(data).__name__ + ".")
    settings = {key: getattr(trainer, key, None) for key in _SETTINGS}
    seam.params({k: v for k, v in settings.items() if v is not None}, "lightning", "Trainer.")


def _logged(trainer: Any) -> None:
    """What was logged last. What did not change since is not told again, so epochs' figures stay one point an epoch."""
    known = trainer.__dict__.setdefault("_lineal_told", {})
    found = {**trainer.logged_metrics, **trainer.callback_metrics}
    for key, value in found.items():
        number = seam.number(value)
        twofold = (
            key + "_step" in found or key + "_epoch" in found
        )  # it stands for the one and then for the other
        if key == "epoch" or twofold or number is None or known.get(key) == number:
            continue
        known[key] = number
        seam.metric(key, number, trainer.global_step)


def _saved(_result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    trainer = args[0]
    if not trainer.is_global_zero:
        return
    kind = type(trainer.lightning_module)
    metrics = {k: seam.number(v) for k, v in trainer.callback_metrics.items()}
    seam.model(
        seam.argument(args, kwargs, 1, "filepath"),
        framework="lightning",
        kind=kind.__module__ + "." + kind.__qualname__,
        lib="lightning.Trainer.save_checkpoint",
        origin=seam.origin(trainer.lightning_module),
        checkpoint={"epoch": trainer.current_epoch, "step": trainer.global_step, "metrics": metrics},
    )


def _ended(trainer: Any) -> None:
    for item in trainer.checkpoint_callbacks:
        best = getattr(item, "best_model_path", "")
        if best:
            seam.checkpoints(best, item.last_model_path, item.monitor or "", item.best_model_score)
