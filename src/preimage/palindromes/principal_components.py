"""Start the dense layers of an encoder where its palindrome is a principal component analysis."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.errors import DomainError, ShapeError

EDGE = 8.0
"""Bias of hidden layers in standard deviations: so far right of 0, rectifiers are linear."""


@torch.no_grad()
def start_at_principal_components(
    encoder: nn.Sequential, x: Tensor, edge: float = EDGE, beyond: float = 1.0
) -> None:
    r"""Set the dense layers of an encoder so that its palindrome projects on principal components.

    Layer l becomes :math:`R_l` times the leading components, :math:`R_l` a random rotation, plus one bias for
    all units that puts them right of the kink of a rectifier, by ``edge`` standard deviations: training
    starts at the linear optimum and bends it from there. A palindrome subtracts its biases again, so that the
    components are those about the origin; with ``layers.Bias`` of minus the mean as the first layer they are
    those about the mean.

    Reference: Baldi, Hornik (1989), Neural networks and principal component analysis,
    https://doi.org/10.1016/0893-6080(89)90014-2

    Args:
        encoder: dense layers of shrinking size with rectifiers between; layers before the first dense one are
            applied to x.
        x: training inputs ``(N, *event)``, more of them than components.
        edge: larger is closer to linear; around 2, training bends more easily.
        beyond: scale at which the first layer passes on the components that the code has no room for. They
            come back as zeros, so they make up nearly all of what tells the hidden states of both halves
            apart; 0.1 leaves a tenth of that, and neither code nor reconstruction change. Above 0, at most 1.

    Raises:
        DomainError: ``beyond`` is not above 0 and at most 1.
        ShapeError: the first dense layer does not read what comes, layers grow, or inputs are too few.

    Cost: one singular value decomposition of x.

    Example:
        >>> from preimage.palindromes import palindrome
        >>> encoder = nn.Sequential(nn.Linear(6, 4), nn.LeakyReLU(0.3), nn.Linear(4, 2))
        >>> x = torch.randn(100, 6) * torch.arange(6)
        >>> start_at_principal_components(encoder, x, edge=20)
        >>> v = torch.linalg.svd(x, full_matrices=False)[2][:2].mT
        >>> torch.allclose(palindrome(encoder, x)(x), x @ v @ v.mT, atol=1e-2)
        True
    """
    if not 0 < beyond <= 1:
        raise DomainError(f"got beyond={beyond}; above 0 and at most 1 was wanted, such as 0.1")
    dense = [module for module in encoder.modules() if isinstance(module, nn.Linear)]
    x = _before(encoder, x, dense[:1])
    _check(dense, x)
    _, singular, directions = torch.linalg.svd(x.double(), full_matrices=False)
    spread = (singular / len(x) ** 0.5).to(x)  # root mean square along each direction
    kept = torch.arange(len(spread), device=x.device) < dense[-1].out_features
    scale = torch.where(kept, 1.0, beyond).to(x)  # (K,)
    spread = scale * spread
    axes = scale[:, None] * directions.to(x)  # (K, D): components in the frame of the next layer's input
    shift = x.new_zeros(x.shape[1])  # of that frame
    for layer in dense:
        rotation = _rotation(layer.out_features, x)
        largest = (rotation.square() @ spread[: layer.out_features].square()).sqrt().max()
        layer.weight.copy_(rotation @ axes[: layer.out_features])
        layer.bias.copy_(edge * largest - layer.weight @ shift)
        axes, shift = rotation.mT, (edge * largest).expand(layer.out_features)


def _rotation(size: int, like: Tensor) -> Tensor:
    """Random orthogonal, its first column constant: equal biases of all units keep to the components."""
    columns = torch.randn(size, size, dtype=torch.float64)
    columns[:, 0] = 1.0
    return torch.linalg.qr(columns)[0].to(like)


def _before(encoder: nn.Sequential, x: Tensor, first: list[nn.Linear]) -> Tensor:
    """What the first dense layer reads, in evaluation mode."""
    training = encoder.training
    encoder.eval()
    try:
        for module in encoder:
            if module in first:
                break
            x = module(x)
    finally:
        encoder.train(training)
    return x


def _check(dense: list[nn.Linear], x: Tensor) -> None:
    sizes = [x.shape[-1], *(layer.out_features for layer in dense)]
    if not dense or x.dim() != 2 or dense[0].in_features != sizes[0] or sorted(sizes, reverse=True) != sizes:
        raise ShapeError(
            f"start_at_principal_components: inputs are {tuple(x.shape)} and the dense layers lead to"
            f" {sizes[1:]} numbers; wanted layers that begin there and do not grow"
        )
    if len(x) <= sizes[1] or any(layer.bias is None for layer in dense):
        raise ShapeError(
            f"start_at_principal_components: {len(x)} inputs for {sizes[1]} components; wanted more inputs"
            " than components, and layers with a bias"
        )
