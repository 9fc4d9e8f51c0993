"""preimage runs neural networks backwards."""

from preimage import layers as layers
from preimage import reversible as reversible
from preimage.bijection import Bijection as Bijection
from preimage.bijection import Chain as Chain
from preimage.bijection import Inverted as Inverted
from preimage.certificate import Certificate as Certificate
from preimage.inverse import UNKNOWN as UNKNOWN
from preimage.inverse import Calibration as Calibration
from preimage.inverse import Guarantee as Guarantee
from preimage.inverse import Inverse as Inverse
from preimage.inverse import Ledger as Ledger
from preimage.inverse import Report as Report
from preimage.inverse import Site as Site
from preimage.inverse import Solved as Solved
from preimage.inverse import Traced as Traced
from preimage.inverse import invert as invert
from preimage.inverse import register_inverse as register_inverse

__version__ = "0.1.0"
