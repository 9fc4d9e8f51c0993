"""An ordinary inverse is certified, a wrong one is not."""

from __future__ import annotations

from preimage.certify import certify
from preimage.testing.case import Case, convert
from preimage.testing.law import law, require


@law("certificate")
def certificate(case: Case) -> None:
    """The inverse of an ordinary value is certified, and the same answer moved by 10 % is not."""
    y = case.y
    x, evidence = case.layer.certified_inverse(y, case.context, on_error="warn")
    require(evidence.ok, f"an ordinary inverse is not certified: {evidence}")
    wrong = certify(case.layer, convert(x, lambda tensor: tensor * 0.9), y, case.context)
    require(not wrong.converged.any(), "an answer that is 10 % off is certified")
