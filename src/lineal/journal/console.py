"""The copy of what a process printed, beside its journal: `<journal>.out` holds the first bytes, `<journal>.tail` the last.

The tail is `HEAD` (bytes printed in all, bytes left out between beginning and end) and text. Both are redacted already.
"""

from __future__ import annotations

from _struct import Struct

KEPT = 1 << 20  # bytes of the beginning, and of the end
HEAD = Struct("<QQ")
