"""Preimages on demand: solve, least norm, in a box, nearest, most probable, null space, samples, classes."""

from preimage.inverse.preimages.attainability import Attainable
from preimage.inverse.preimages.class_preimage import Recipe
from preimage.inverse.preimages.null_space import Basis, Moved, NullSpace
from preimage.inverse.preimages.priors.gaussian import Gaussian
from preimage.inverse.preimages.priors.norm_statistics import NormStatistics
from preimage.inverse.preimages.priors.objective import Distance, Objective, Together
from preimage.inverse.preimages.priors.total_variation import TotalVariation
from preimage.inverse.preimages.targets import (
    LogitsUpToConstant,
    Probabilities,
    SomeOutputs,
    SomeProbabilities,
    Target,
)

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
