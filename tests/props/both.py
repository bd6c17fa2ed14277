"""A store of each engine for all examples of a property, given back at exit."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from lineal.store.open import Store, open_store
from tests.store import postgres_server


def open_both() -> tuple[Store, ...]:
    """An empty store in a SQLite file, and one in PostgreSQL where that is installed."""
    folder = tempfile.mkdtemp(prefix="lineal-props-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    places = [str(Path(folder, "lineal.db"))]
    if not postgres_server.absent():
        places.append(postgres_server.server().schema())
    opened = tuple(open_store(place) for place in places)
    for store in opened:
        atexit.register(store.close)
    return opened
