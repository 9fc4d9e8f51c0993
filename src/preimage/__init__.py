"""preimage runs neural networks backwards.

Every public name is listed twice below: once for type checkers and readers, once for the interpreter, which
loads a name's module when the name is first used. So ``import preimage`` costs nothing, and neither does
``preimage --help``.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from preimage import classify as classify
    from preimage import decoders as decoders
    from preimage import eeg as eeg
    from preimage import flows as flows
    from preimage import layers as layers
    from preimage import reversible as reversible
    from preimage import training as training
    from preimage.bijection import Bijection as Bijection
    from preimage.bijection import Chain as Chain
    from preimage.bijection import Inverted as Inverted
    from preimage.capture.importers import from_keras as from_keras
    from preimage.capture.importers import from_onnx as from_onnx
    from preimage.certificate import Certificate as Certificate
    from preimage.inverse import UNKNOWN as UNKNOWN
    from preimage.inverse import Calibration as Calibration
    from preimage.inverse import Guarantee as Guarantee
    from preimage.inverse import Inverse as Inverse
    from preimage.inverse import Ledger as Ledger
    from preimage.inverse import ProgressBar as ProgressBar
    from preimage.inverse import Report as Report
    from preimage.inverse import Site as Site
    from preimage.inverse import Solved as Solved
    from preimage.inverse import Traced as Traced
    from preimage.inverse import invert as invert
    from preimage.inverse import load_inverse as load_inverse
    from preimage.inverse import pseudo_inverse as pseudo_inverse
    from preimage.inverse import register_inverse as register_inverse
    from preimage.palindromes import palindrome as palindrome

__version__ = "0.1.0"

_HOMES = {
    "Bijection": "bijection",
    "Chain": "bijection",
    "Inverted": "bijection",
    "from_keras": "capture.importers",
    "from_onnx": "capture.importers",
    "Certificate": "certificate",
    "UNKNOWN": "inverse",
    "Calibration": "inverse",
    "Guarantee": "inverse",
    "Inverse": "inverse",
    "Ledger": "inverse",
    "ProgressBar": "inverse",
    "Report": "inverse",
    "Site": "inverse",
    "Solved": "inverse",
    "Traced": "inverse",
    "invert": "inverse",
    "load_inverse": "inverse",
    "pseudo_inverse": "inverse",
    "register_inverse": "inverse",
    "palindrome": "palindromes",
}
"""Public name -> the room that defines it."""


def __getattr__(name: str) -> Any:
    """Load a public name, or a room such as ``preimage.layers``, at its first use."""
    if name in _HOMES:
        value = getattr(import_module(f"preimage.{_HOMES[name]}"), name)
    elif not name.startswith("_") and find_spec(f"preimage.{name}") is not None:
        value = import_module(f"preimage.{name}")
    else:
        raise AttributeError(f"module 'preimage' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    rooms = {"classify", "decoders", "eeg", "flows", "layers", "reversible", "training"}
    return sorted({*globals(), *_HOMES, *rooms})
