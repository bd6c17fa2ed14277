"""Makes the module of ML Metadata's messages, src/lineal/doors/mlmd/mlmd_pb2.py, from mlmd.proto beside it.

`.venv/bin/python tools/mlmd_messages.py` fetches the compiler into an environment that is thrown away; `--check` only says whether
the module fits. A compiler of protobuf 6 is used on purpose: its modules work with the libraries 6 and 7.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "src" / "lineal" / "doors" / "mlmd"
COMPILER = "grpcio-tools==1.76.0"


def made() -> str:
    """The text of the module as the compiler makes it now."""
    with tempfile.TemporaryDirectory() as folder:
        uv = Path(sys.executable).parent / "uv"
        tool = [str(uv), "tool", "run", "--from", COMPILER, "python", "-m", "grpc_tools.protoc"]
        subprocess.run([*tool, f"-I{FOLDER}", f"--python_out={folder}", "mlmd.proto"], check=True)
        return Path(folder, "mlmd_pb2.py").read_text()


def main() -> int:
    """Write the module, or with `--check` compare it; the exit code."""
    target = FOLDER / "mlmd_pb2.py"
    text = made()
    if "--check" in sys.argv[1:]:
        return 0 if target.read_text() == text else 1
    target.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
