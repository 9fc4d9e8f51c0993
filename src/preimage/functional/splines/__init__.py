"""Monotone curves in bins: stateless, branch-free, every formula a sum of positive terms where one exists."""

from preimage.functional.splines.cubic import Cubic as Cubic
from preimage.functional.splines.curve import Curve as Curve
from preimage.functional.splines.knots import Knots as Knots
from preimage.functional.splines.linear import Linear as Linear
from preimage.functional.splines.quadratic import Quadratic as Quadratic
from preimage.functional.splines.rational_quadratic import RationalQuadratic as RationalQuadratic
from preimage.functional.splines.spline import spline as spline
from preimage.functional.splines.spline import spline_inverse as spline_inverse
