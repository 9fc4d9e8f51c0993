"""Linear and affine maps with true adjoints: what the solvers and the planner speak about."""

from preimage.inverse.linear.affine import AffineComposition, AffineMap, BatchNorm
from preimage.inverse.linear.base import Affine, LinearMap, Shape
from preimage.inverse.linear.composition import Composition
from preimage.inverse.linear.convolution import Convolution
from preimage.inverse.linear.dense import Dense
from preimage.inverse.linear.folding import fold, fold_affine, register_fold, snapshot
from preimage.inverse.linear.identity import Identity
from preimage.inverse.linear.pad import CircularPad, Pad, ReflectPad, ReplicatePad
from preimage.inverse.linear.pool import AdaptiveAveragePool, AveragePool
from preimage.inverse.linear.reshape import Permute, Reshape
from preimage.inverse.linear.scale import Scale
from preimage.inverse.linear.selection import Selection
from preimage.inverse.linear.transposed import TransposedConvolution

__all__ = [
    "AdaptiveAveragePool",
    "Affine",
    "AffineComposition",
    "AffineMap",
    "AveragePool",
    "BatchNorm",
    "CircularPad",
    "Composition",
    "Convolution",
    "Dense",
    "Identity",
    "LinearMap",
    "Pad",
    "Permute",
    "ReflectPad",
    "ReplicatePad",
    "Reshape",
    "Scale",
    "Selection",
    "Shape",
    "TransposedConvolution",
    "fold",
    "fold_affine",
    "register_fold",
    "snapshot",
]
