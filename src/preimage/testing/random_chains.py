"""Random deep chains of the library's layers, to try how honest certificates are."""

from __future__ import annotations

from collections.abc import Callable

import torch

from preimage import layers
from preimage.bijection import Bijection, Chain
from preimage.nets import MLP

Maker = Callable[[int], Bijection]


def _coupling(element_map: Callable[[], layers.ElementMap]) -> Maker:
    def make(features: int) -> Bijection:
        keep = int(torch.randint(1, features, ()))
        outputs = (features - keep) * element_map().count
        first = bool(torch.rand(()) < 0.5)
        return layers.Coupling(
            layers.SlicePartition(features, keep, first=first), MLP(keep, outputs, (16,)), element_map()
        )

    return make


MIXING: tuple[Maker, ...] = (
    layers.Affine,
    layers.Bias,
    layers.Diagonal,
    layers.Permutation.shuffle,
    layers.LULinear,
    layers.Orthogonal,
    layers.SVDLinear,
    layers.Dense,
    _coupling(layers.AffineMap),
    _coupling(layers.AdditiveMap),
)
"""Makers of maps of real vectors to real vectors that mix the features."""

SINGLE: tuple[Maker, ...] = (
    layers.Baird,
    lambda _: layers.LeakyReLU(0.2),
    lambda _: layers.MonotonicPReLU(),
    lambda _: layers.Asinh(),
    lambda _: layers.Sinh(),
    lambda _: layers.SignedTanh(),
    lambda _: layers.ELU(),
    lambda _: layers.SELU(),
    lambda _: layers.Softplus(),
    lambda _: layers.Softsign(),
    lambda _: layers.Tanh(),
    lambda _: Chain(layers.Sigmoid(), layers.Logit()),
)
"""Makers of maps of single numbers whose forward direction takes all real numbers."""


def random_chain(features: int, depth: int, *, perturb: float = 0.3, weights: float = 1.0) -> Chain:
    """A chain of randomly chosen layers with randomly moved parameters.

    Args:
        features: size of the vectors ``(N, features)``, at least 2.
        depth: number of layers.
        perturb: standard deviation of what is added to every parameter.
        weights: factor on every parameter afterwards.

    Returns:
        The chain; random numbers come from the global generator.

    Example:
        >>> len(random_chain(4, 6))
        6
    """
    makers = (*MIXING, *MIXING, *SINGLE)
    picks = torch.randint(len(makers), (depth,)).tolist()
    chain = Chain(*[makers[pick](features) for pick in picks])
    with torch.no_grad():
        for parameter in chain.parameters():
            parameter.add_(perturb * torch.randn_like(parameter)).mul_(weights)
    return chain
