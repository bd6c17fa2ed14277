"""Which file looks at which library: module name -> "file:function", called with the module once it has been imported.

A file here is imported only when its library is; to add a framework, add a file and a line. A name that begins with a
dot is a file of `capture` itself.
"""

from __future__ import annotations

MODULES: dict[str, str] = {}
