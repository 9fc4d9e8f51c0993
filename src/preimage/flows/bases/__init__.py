"""Base distributions: where the latents of a flow are distributed. One line a name, in alphabetical order."""

from preimage.flows.bases.base import Base as Base
from preimage.flows.bases.class_conditional import ClassConditional as ClassConditional
from preimage.flows.bases.class_conditional import ClassConditionalJoint as ClassConditionalJoint
from preimage.flows.bases.class_conditional import ClassConditionalMixture as ClassConditionalMixture
from preimage.flows.bases.class_conditional import ClassConditionalNormal as ClassConditionalNormal
from preimage.flows.bases.class_conditional import ClassMixture as ClassMixture
from preimage.flows.bases.class_conditional import ClassWeightedMixture as ClassWeightedMixture
from preimage.flows.bases.class_conditional import FixedClassConditionalNormal as FixedClassConditionalNormal
from preimage.flows.bases.class_conditional import GatedClassConditionalNormal as GatedClassConditionalNormal
from preimage.flows.bases.class_conditional import (
    HierarchicalClassConditional as HierarchicalClassConditional,
)
from preimage.flows.bases.class_conditional import PartlyClassConditional as PartlyClassConditional
from preimage.flows.bases.class_conditional import UnitClassConditionalNormal as UnitClassConditionalNormal
from preimage.flows.bases.class_conditional import equidistant_means as equidistant_means
from preimage.flows.bases.class_conditional import random_means as random_means
from preimage.flows.bases.full_rank import FullRankNormal as FullRankNormal
from preimage.flows.bases.joint import Joint as Joint
from preimage.flows.bases.location_scale import ConditionalLocationScale as ConditionalLocationScale
from preimage.flows.bases.location_scale import LocationScale as LocationScale
from preimage.flows.bases.location_scale import Logistic as Logistic
from preimage.flows.bases.location_scale import Normal as Normal
from preimage.flows.bases.location_scale import StudentT as StudentT
from preimage.flows.bases.mixture import Mixture as Mixture
from preimage.flows.bases.mixture import mixture_of_normals as mixture_of_normals
from preimage.flows.bases.truncated import TruncatedNormal as TruncatedNormal
from preimage.flows.bases.uniform import Uniform as Uniform
