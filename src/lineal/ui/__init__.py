"""The web page as it was built from `ui/`; nothing of it is committed, a wheel brings it along."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
