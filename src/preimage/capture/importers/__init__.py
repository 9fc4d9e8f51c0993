"""Networks of other libraries as ordinary PyTorch modules."""

from preimage.capture.importers.keras import from_keras
from preimage.capture.importers.onnx import from_onnx

__all__ = ["from_keras", "from_onnx"]
