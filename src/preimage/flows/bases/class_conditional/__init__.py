"""Latents that depend on a class. One line a name, in alphabetical order."""

from preimage.flows.bases.class_conditional.contract import ClassConditional as ClassConditional
from preimage.flows.bases.class_conditional.gated import (
    GatedClassConditionalNormal as GatedClassConditionalNormal,
)
from preimage.flows.bases.class_conditional.hierarchical import (
    HierarchicalClassConditional as HierarchicalClassConditional,
)
from preimage.flows.bases.class_conditional.joint import ClassConditionalJoint as ClassConditionalJoint
from preimage.flows.bases.class_conditional.means import equidistant_means as equidistant_means
from preimage.flows.bases.class_conditional.means import random_means as random_means
from preimage.flows.bases.class_conditional.mixture import ClassConditionalMixture as ClassConditionalMixture
from preimage.flows.bases.class_conditional.mixture import ClassMixture as ClassMixture
from preimage.flows.bases.class_conditional.mixture import ClassWeightedMixture as ClassWeightedMixture
from preimage.flows.bases.class_conditional.normal import ClassConditionalNormal as ClassConditionalNormal
from preimage.flows.bases.class_conditional.normal import (
    FixedClassConditionalNormal as FixedClassConditionalNormal,
)
from preimage.flows.bases.class_conditional.normal import (
    UnitClassConditionalNormal as UnitClassConditionalNormal,
)
from preimage.flows.bases.class_conditional.partial import PartlyClassConditional as PartlyClassConditional
