"""preimage runs neural networks backwards."""

from preimage import reversible as reversible
from preimage.bijection import Bijection as Bijection
from preimage.bijection import Chain as Chain
from preimage.bijection import Inverted as Inverted

__version__ = "0.1.0"
