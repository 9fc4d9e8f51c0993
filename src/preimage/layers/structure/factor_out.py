"""Multi-scale architectures: part of the values leaves after every stage."""

from __future__ import annotations

from collections.abc import Sequence

from preimage.bijection import Bijection, Chain
from preimage.checks import as_tuple
from preimage.layers.structure.parallel import Parallel


def factor_out(stages: Sequence[Bijection], splits: Sequence[Bijection]) -> Chain:
    r"""Stages with a split between each two: the first part goes on, the others are finished latents.

    .. math:: (h_i, z_i) = \text{split}_i(\text{stage}_i(h_{i-1})), \qquad z_L = \text{stage}_L(h_{L-1})

    The result maps x to :math:`(z_L, z_{L-1}, \dots, z_1)`, the deepest latent first; its log_det is the sum
    over the stages. Which prior each latent gets is up to the caller.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, section 3.6, https://arxiv.org/abs/1605.08803

    Args:
        stages: L bijections, each fitting the first part of the split before it.
        splits: L - 1 maps of one tensor to several, such as :class:`~preimage.layers.Split` or
            :class:`~preimage.layers.Subsample`.

    Returns:
        A chain with one input and as many outputs as there are latents.

    Raises:
        ValueError: the numbers of stages and splits do not fit, or a split gives one tensor only.

    Cost: that of the stages; later ones see less.

    Example:
        >>> import torch
        >>> from preimage.layers import Affine, Split
        >>> net = factor_out([Affine(4), Affine(2)], [Split([2, 2])])
        >>> [latent.shape[1] for latent in net(torch.zeros(1, 4))]
        [2, 2]
    """
    if len(splits) != len(stages) - 1:
        raise ValueError(
            f"factor_out: got {len(stages)} stages and {len(splits)} splits, wanted one split between each"
            " two stages"
        )
    layers: list[Bijection] = [stages[0]]
    done = 0  # latents that are finished
    for stage, split in zip(stages[1:], splits, strict=True):
        leaving = len(as_tuple(split.codomain)) - 1
        if leaving < 1:
            raise ValueError(f"factor_out: {type(split).__name__} gives one tensor, wanted two or more")
        layers.append(_beside(split, done))
        done += leaving
        layers.append(_beside(stage, done))
    return Chain(*layers)


def _beside(layer: Bijection, done: int) -> Bijection:
    """The layer on the first part, all finished latents left alone."""
    return Parallel(layer, *[Chain() for _ in range(done)]) if done else layer
