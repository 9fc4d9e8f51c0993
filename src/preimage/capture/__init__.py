"""From an nn.Module to a small graph of operations that shares its parameters."""

from preimage.capture.export import capture
from preimage.capture.graph import Graph, Node, Reference
from preimage.capture.interpret import evaluate

__all__ = ["Graph", "Node", "Reference", "capture", "evaluate"]
