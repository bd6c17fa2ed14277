"""Writes the OpenAPI document of this checkout's operations, from which the page's types are made: `tools/openapi.py FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lineal.doors.native import openapi
from lineal.doors.native.app import PREFIX
from lineal.service import operations


def main() -> int:
    """Write the file named on the command line; the exit code."""
    document = openapi.document(operations.table(), PREFIX)
    Path(sys.argv[1]).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
