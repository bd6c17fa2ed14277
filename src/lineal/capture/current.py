"""The journal of this process: whoever has something to record asks for it here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from ..journal.append import Journal

_journal: Optional[Journal] = None


def journal() -> Optional[Journal]:
    """The journal of this process; None when it is not recorded."""
    return _journal


def record_in(found: Journal) -> None:
    """From now on this process is recorded in `found`."""
    global _journal
    _journal = found
