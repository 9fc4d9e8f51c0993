"""Bijections, one idea a file. One line a name, in alphabetical order."""

from preimage.layers.additive_map import AdditiveMap as AdditiveMap
from preimage.layers.affine import Affine as Affine
from preimage.layers.affine_map import AffineMap as AffineMap
from preimage.layers.bias import Bias as Bias
from preimage.layers.coupling import Coupling as Coupling
from preimage.layers.diagonal import Diagonal as Diagonal
from preimage.layers.element_map import ElementMap as ElementMap
from preimage.layers.elementwise import Elementwise as Elementwise
from preimage.layers.from_transform import FromTransform as FromTransform
from preimage.layers.leaky_relu import LeakyReLU as LeakyReLU
from preimage.layers.one_sided import OneSided as OneSided
from preimage.layers.partition import ChannelPartition as ChannelPartition
from preimage.layers.partition import MaskPartition as MaskPartition
from preimage.layers.partition import Partition as Partition
from preimage.layers.partition import SlicePartition as SlicePartition
from preimage.layers.permutation import Permutation as Permutation
