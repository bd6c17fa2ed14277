"""Delivery: drains the journals of every process, fingerprints files, and hands events over to the store.

It runs beside the program that is recorded, never inside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineal.deliver.delivery import SyncReport, check_journal, sync

__all__ = ["SyncReport", "check_journal", "sync"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from lineal.deliver import delivery

        return getattr(delivery, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
