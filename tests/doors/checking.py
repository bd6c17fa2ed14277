"""Runs every function `check_*` of a file and prints what came of each; started in the environment of the client that it checks."""

from __future__ import annotations

import importlib.util
import json
import sys
import traceback
from pathlib import Path


def main(path: Path) -> None:
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, str] = {}
    for name, function in list(vars(module).items()):
        if name.startswith("check_"):
            try:
                function()
                found[name] = ""
            except BaseException:
                found[name] = traceback.format_exc()
    print("RESULTS " + json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
