"""Which part of a file a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re

_BYTES = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)


def wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one behind the last, or None for the whole file.

    What is no single range of bytes is ignored, as the standard has it.
    Raises ValueError: the file has no such part.
    """
    found = _BYTES.fullmatch(header.strip()) if header else None
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
        if int(found[2]) == 0:
            raise ValueError(header)
    else:
        start = int(found[1])
        end = min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size:
        raise ValueError(header)
    return start, end
