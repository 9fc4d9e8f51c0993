"""Flows: densities that can be evaluated, drawn from and trained. One line a name, in alphabetical order."""

from preimage.flows.bases import Base as Base
from preimage.flows.bases import ClassConditionalNormal as ClassConditionalNormal
from preimage.flows.bases import ConditionalLocationScale as ConditionalLocationScale
from preimage.flows.bases import FullRankNormal as FullRankNormal
from preimage.flows.bases import Joint as Joint
from preimage.flows.bases import LocationScale as LocationScale
from preimage.flows.bases import Logistic as Logistic
from preimage.flows.bases import Mixture as Mixture
from preimage.flows.bases import Normal as Normal
from preimage.flows.bases import StudentT as StudentT
from preimage.flows.bases import TruncatedNormal as TruncatedNormal
from preimage.flows.bases import Uniform as Uniform
from preimage.flows.bases import mixture_of_normals as mixture_of_normals
from preimage.flows.distribution import FlowDistribution as FlowDistribution
from preimage.flows.flow import Flow as Flow
