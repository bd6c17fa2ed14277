"""Hugging Face transformers: training arguments, what the Trainer logs, which checkpoint became the model; models saved."""

from __future__ import annotations

import os

from . import models, seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# Recorded whether or not they differ from what the library takes by itself.
_ALWAYS = (
    "learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps",
    "weight_decay", "warmup_ratio", "warmup_steps", "lr_scheduler_type", "optim", "seed", "data_seed", "fp16", "bf16",
)  # fmt: skip
_EMPTY = ("None", "[]", "{}", "")
_PLACES = (
    "accelerator_config",
    "debug",
    "disable_tqdm",
    "output_dir",
    "logging_dir",
    "run_name",
    "report_to",
    "hub_token",
    "push_to_hub_token",
    "mp_parameters",
)


def modelling(module: ModuleType) -> None:
    """After `transformers.modeling_utils`."""
    models.saved_by(
        module.PreTrainedModel, "save_pretrained", "transformers.save_pretrained", (1, "save_directory")
    )


def trainer(module: ModuleType) -> None:
    """After `transformers.trainer`."""
    callback = _callback(module.TrainerCallback)

    def made(_result: Any, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        args[0].add_callback(callback())

    seam.after(module.Trainer, "__init__", made)


def _callback(base: Any) -> Any:
    class Lineal(base):  # type: ignore[misc]
        """Reports; changes nothing in the control of the training."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            _safely(_began, state, args, kwargs.get("model"))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            _safely(_logged, state, logs or {})

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            _safely(_saved, state, args, kwargs.get("model"))

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            _safely(_ended, state, args, kwargs.get("model"))

    return Lineal


def _safely(ours: Any, state: Any, *args: Any) -> None:
    if state.is_world_process_zero:
        seam.safely(ours, state, *args)


def _began(state: Any, args: Any, model: Any) -> None:
    said = args.to_sanitized_dict()
    usual = {key: field.default for key, field in type(args).__dataclass_fields__.items()}
    values = {
        key: value
        for key, value in said.items()
        if key not in _PLACES
        and str(value) not in _EMPTY
        and (key in _ALWAYS or (key in usual and str(value) != str(usual[key]) and not callable(usual[key])))
    }
    seam.params(values, "transformers", "Trainer.")
    config = getattr(model, "config", None)
    if config is not None and hasattr(config, "to_diff_dict"):
        seam.params(config.to_diff_dict(), "transformers", type(model).__name__ + ".")


def _logged(state: Any, logs: Any) -> None:
    seam.metrics({key: value for key, value in logs.items() if key != "epoch"}, state.global_step)


def _saved(state: Any, args: Any, model: Any) -> None:
    folder = os.path.join(args.output_dir, "checkpoint-%d" % state.global_step)
    about = {"epoch": state.epoch, "step": state.global_step}
    if model is not None and os.path.isdir(folder):
        kind = type(model).__module__ + "." + type(model).__qualname__
        seam.model(folder, framework="transformers", kind=kind, lib="transformers.Trainer", checkpoint=about)


def _ended(state: Any, args: Any, model: Any) -> None:
    if state.best_model_checkpoint:
        if args.load_best_model_at_end and model is not None:
            seam.loaded(model, state.best_model_checkpoint, "transformers.Trainer")
        monitor = getattr(args, "metric_for_best_model", "") or ""
        seam.checkpoints(state.best_model_checkpoint, "", monitor, state.best_metric)
