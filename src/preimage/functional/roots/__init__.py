"""Where functions take given values: single numbers, and systems with one equation for every unknown.

Single numbers: :func:`newton_root` from a good start, :func:`monotone_root` for increasing functions inside
of a bracket, :func:`certain_root` where no answer is better than a wrong one. Systems: :func:`newton_system`
with the whole Jacobian, :func:`anderson` with products alone, :func:`refine` for a last, differentiable step.
"""

from preimage.functional.roots.anderson import anderson as anderson
from preimage.functional.roots.certain import certain_root as certain_root
from preimage.functional.roots.found import Root as Root
from preimage.functional.roots.monotone import bracket as bracket
from preimage.functional.roots.monotone import monotone_root as monotone_root
from preimage.functional.roots.newton import WithSlope as WithSlope
from preimage.functional.roots.newton import newton_root as newton_root
from preimage.functional.roots.slope import with_slope as with_slope
from preimage.functional.roots.system import newton_system as newton_system
from preimage.functional.roots.system import refine as refine
