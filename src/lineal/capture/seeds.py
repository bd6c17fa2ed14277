"""Seeds, when they are set through the usual calls."""

from __future__ import annotations

import sys

from . import report, wrapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


def standard(module: ModuleType) -> None:
    """After `random`."""
    _observe(module, "seed", "random")


def numpy(module: ModuleType) -> None:
    """After `numpy.random`."""
    _observe(module, "seed", "numpy")
    _observe(module, "default_rng", "numpy.default_rng", own_calls_only=True)


def torch(module: ModuleType) -> None:
    """After `torch`."""
    _observe(module, "manual_seed", "torch")


def tensorflow(module: ModuleType) -> None:
    """After `tensorflow`."""
    _observe(module.random, "set_seed", "tensorflow")


def keras(module: ModuleType) -> None:
    """After `keras.utils`."""
    _observe(module, "set_random_seed", "keras")


def _observe(module: ModuleType, name: str, lib: str, *, own_calls_only: bool = False) -> None:
    def asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if own_calls_only and "-packages" in sys._getframe(3).f_code.co_filename:
            return
        values = [*args, *kwargs.values()]
        if values and values[0] is not None:
            report.seed(lib, values[0])

    wrapping.in_module(module, name, None, asked=asked)
