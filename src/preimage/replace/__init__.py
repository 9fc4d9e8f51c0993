"""Learned replacements for layers without an inverse. One line a name, in alphabetical order."""

from preimage.replace.add import AddReplacement as AddReplacement
from preimage.replace.add import AverageReplacement as AverageReplacement
from preimage.replace.amortised import AmortisedInverse as AmortisedInverse
from preimage.replace.amortised import fit_decoders as fit_decoders
from preimage.replace.average_pool import AveragePoolReplacement as AveragePoolReplacement
from preimage.replace.chain import ReplacedInverse as ReplacedInverse
from preimage.replace.comparison import Comparison as Comparison
from preimage.replace.conversion import Conversion as Conversion
from preimage.replace.conversion import conversion as conversion
from preimage.replace.corrector import Corrector as Corrector
from preimage.replace.fit import fit_replacements as fit_replacements
from preimage.replace.frozen import fingerprint as fingerprint
from preimage.replace.frozen import frozen as frozen
from preimage.replace.max_pool import MaxPoolReplacement as MaxPoolReplacement
from preimage.replace.maximum import MaximumReplacement as MaximumReplacement
from preimage.replace.merge import MergeReplacement as MergeReplacement
from preimage.replace.multiply import MultiplyReplacement as MultiplyReplacement
from preimage.replace.noise import CentredNoise as CentredNoise
from preimage.replace.noise import CovariantNoise as CovariantNoise
from preimage.replace.noise import IndependentNoise as IndependentNoise
from preimage.replace.norm import norm_replacement as norm_replacement
from preimage.replace.pool import PoolReplacement as PoolReplacement
from preimage.replace.reconstitution import NoiseReconstitution as NoiseReconstitution
