"""Images: Pillow through Python's files, OpenCV in C++."""

from __future__ import annotations

from ..calls import reads, writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def pillow(image: Any) -> None:
    """Record `Image.open` and `Image.save`."""
    reads(image, ("open",), "PIL.Image", 0, "fp")
    writes(image.Image, ("save",), "PIL.Image.Image", 1, "fp")


def opencv(cv2: Any) -> None:
    """Record images, videos and networks."""
    reads(cv2, ("imread", "imreadmulti", "imcount"), "cv2", 0, "filename")
    writes(cv2, ("imwrite", "imwritemulti"), "cv2", 0, "filename")
    reads(cv2, ("VideoCapture",), "cv2", 0, "filename")
    networks = getattr(cv2, "dnn", None)
    if networks is not None:
        for name in (
            "readNet",
            "readNetFromONNX",
            "readNetFromCaffe",
            "readNetFromTensorflow",
            "readNetFromDarknet",
        ):
            reads(networks, (name,), "cv2.dnn", 0, "model")
            reads(networks, (name,), "cv2.dnn", 1, "config")
