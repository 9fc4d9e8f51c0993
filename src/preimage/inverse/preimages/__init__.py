"""Preimages on demand: solve, least norm, in a box, nearest, most probable, null space, samples, classes."""

from preimage.inverse.preimages.attainability import Attainable
from preimage.inverse.preimages.class_preimage import Recipe
from preimage.inverse.preimages.gaussian import Gaussian
from preimage.inverse.preimages.norm_statistics import NormStatistics
from preimage.inverse.preimages.null_space import Basis, Moved, NullSpace
from preimage.inverse.preimages.objective import Distance, Objective, Together
from preimage.inverse.preimages.targets import (
    LogitsUpToConstant,
    Probabilities,
    SomeOutputs,
    SomeProbabilities,
    Target,
)
from preimage.inverse.preimages.total_variation import TotalVariation

__all__ = [
    "Attainable",
    "Basis",
    "Distance",
    "Gaussian",
    "LogitsUpToConstant",
    "Moved",
    "NormStatistics",
    "NullSpace",
    "Objective",
    "Probabilities",
    "Recipe",
    "SomeOutputs",
    "SomeProbabilities",
    "Target",
    "Together",
    "TotalVariation",
]
