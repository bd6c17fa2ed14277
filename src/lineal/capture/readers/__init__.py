"""Which file hooks the readers and writers of which library: module name -> "file:function".

A file here is imported only when its library is; to add a library, add a file and a line.
"""

from __future__ import annotations

MODULES: dict[str, str] = {}
