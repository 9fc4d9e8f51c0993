"""preimage runs neural networks backwards."""

__version__ = "0.1.0"
