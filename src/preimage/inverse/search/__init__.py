"""Finding the regions through which a known value can be taken one step back."""

from preimage.inverse.search.affine import affine_regions
from preimage.inverse.search.enclosing import enclosing, whole
from preimage.inverse.search.finders import candidates
from preimage.inverse.search.modules import module_exits
from preimage.inverse.search.parts import assembled, gathered, selected_from

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
