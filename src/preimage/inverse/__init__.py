"""Any network backwards: plan, Inverse, ledger and report; rules, solvers and calibration inside."""

from preimage.inverse.bars import ProgressBar
from preimage.inverse.calibration import Calibration
from preimage.inverse.inverse import Inverse
from preimage.inverse.invert import invert
from preimage.inverse.moore_penrose import MoorePenrose, pseudo_inverse
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.plan import Plan, plan
from preimage.inverse.registry import UNKNOWN, Site, Solved, register_inverse
from preimage.inverse.reporting.ledger import Ledger, Row
from preimage.inverse.reporting.report import Report, RoundTrips
from preimage.inverse.saving.files import load_inverse
from preimage.inverse.traced import Traced

__all__ = [
    "UNKNOWN",
    "Calibration",
    "Guarantee",
    "Inverse",
    "Ledger",
    "MoorePenrose",
    "Plan",
    "ProgressBar",
    "Report",
    "RoundTrips",
    "Row",
    "Site",
    "Solved",
    "Traced",
    "invert",
    "load_inverse",
    "plan",
    "pseudo_inverse",
    "register_inverse",
]
