"""The contract that every invertible layer keeps, chains of layers, and views with the directions swapped."""

from preimage.bijection.chain import Chain
from preimage.bijection.contract import Bijection, Inverted
from preimage.bijection.step import MEMORY, AutogradRunner, ChainRunner, Direction, Rebuild, Step

__all__ = [
    "MEMORY",
    "AutogradRunner",
    "Bijection",
    "Chain",
    "ChainRunner",
    "Direction",
    "Inverted",
    "Rebuild",
    "Step",
]
