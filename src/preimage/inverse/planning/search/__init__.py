"""Finding the regions through which a known value can be taken one step back."""

from preimage.inverse.planning.search.affine import affine_regions
from preimage.inverse.planning.search.enclosing import enclosing, whole
from preimage.inverse.planning.search.finders import candidates
from preimage.inverse.planning.search.modules import module_exits
from preimage.inverse.planning.search.parts import assembled, gathered, selected_from

__all__ = [
    "affine_regions",
    "assembled",
    "candidates",
    "enclosing",
    "gathered",
    "module_exits",
    "selected_from",
    "whole",
]
