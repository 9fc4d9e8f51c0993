"""Latents that depend on a class. One line a name, in alphabetical order."""

from preimage.flows.bases.class_conditional.contract import ClassConditional as ClassConditional
from preimage.flows.bases.class_conditional.means import equidistant_means as equidistant_means
from preimage.flows.bases.class_conditional.means import random_means as random_means
from preimage.flows.bases.class_conditional.normal import ClassConditionalNormal as ClassConditionalNormal
from preimage.flows.bases.class_conditional.normal import (
    FixedClassConditionalNormal as FixedClassConditionalNormal,
)
from preimage.flows.bases.class_conditional.normal import (
    UnitClassConditionalNormal as UnitClassConditionalNormal,
)
