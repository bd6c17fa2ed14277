"""`python -m lineal`: the same as the command `lineal`."""

from __future__ import annotations

import sys

from lineal.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
