"""safetensors: read in Rust, and written there under a temporary name that is then renamed."""

from __future__ import annotations

from ..calls import given, stand_in, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch(safetensors: Any) -> None:
    """Record `safe_open` and `serialize_file`, through which the functions for every framework go."""
    stand_in(safetensors, "safe_open", given(0, "filename", "safetensors.safe_open"))
    writes(safetensors, ("serialize_file",), "safetensors", 1, "filename")
