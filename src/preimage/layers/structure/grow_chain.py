"""Another layer in a chain that is trained already, without changing what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from preimage.bijection import Bijection, Chain
from preimage.checks import Context, as_tuple
from preimage.errors import NotInvertibleError


@torch.no_grad()
def grow_chain(
    chain: Chain,
    place: int | Sequence[int],
    layer: Bijection,
    example: Any,
    context: Context = None,
    *,
    tolerance: float = 1e-6,
) -> Chain:
    r"""A chain with one more layer, which must start as the identity: a step of an architecture search.

    .. math:: f_L \circ \dots \circ f_k \circ g \circ f_{k - 1} \circ \dots \circ f_1 = f
        \quad\text{while } g = \mathrm{id}

    Training goes on where it was, with more parameters. The layers are shared with the old chain, which
    stays as it is.

    Reference: Wei, Wang, Rui, Chen (2016), Network morphism, https://arxiv.org/abs/1603.01670

    Args:
        chain: the chain.
        place: number of the layer before which the new one is put, up to ``len(chain)``; several numbers
            lead into chains inside: ``(1, 4)`` is before layer 4 of the chain that is layer 1.
        layer: the new one, such as :class:`~preimage.eeg.AdditiveBlock`, or a coupling whose conditioner
            starts with zero.
        example: data ``(N, *event)`` on which old and new chain are compared, in evaluation mode.
        context: its context, where the chain takes one.
        tolerance: largest difference of the latents, relative to their size, and of the log_dets per number.

    Returns:
        The new chain.

    Raises:
        IndexError: there is no such place.
        NotInvertibleError: the layer is not the identity at this place.

    Cost: one run of both chains.

    Example:
        >>> from preimage.layers import Affine, LeakyReLU
        >>> chain = Chain(LeakyReLU(0.5), LeakyReLU(0.5))
        >>> len(grow_chain(chain, 1, Affine(3), torch.randn(4, 3)))
        3
    """
    path = (place,) if isinstance(place, int) else tuple(place)
    grown = _with_layer(chain, path, layer)
    modes = [(module, module.training) for part in (chain, layer) for module in part.modules()]
    training = chain.training
    try:
        before, after = (part.eval().forward_and_log_det(example, context) for part in (chain, grown))
    finally:
        grown.train(training)
        for module, mode in modes:
            module.training = mode
    _check_same(before, after, tolerance)
    return grown


def _with_layer(chain: Bijection, path: tuple[int, ...], layer: Bijection) -> Chain:
    if not isinstance(chain, Chain) or not path or not 0 <= path[0] <= len(chain):
        size = f"a chain of {len(chain)} layers" if isinstance(chain, Chain) else type(chain).__name__
        raise IndexError(
            f"grow_chain: place {path} leads into {size}; wanted a number from 0 to the number of its"
            " layers, one for every chain on the way"
        )
    members = list(chain)
    if len(path) == 1:
        members.insert(path[0], layer)
    else:
        if path[0] == len(members):
            raise IndexError(f"grow_chain: place {path} leads behind the last of {len(members)} layers")
        members[path[0]] = _with_layer(members[path[0]], path[1:], layer)
    return Chain(*members, memory=chain.memory)


def _check_same(before: tuple[Any, Tensor], after: tuple[Any, Tensor], tolerance: float) -> None:
    pairs = list(zip(as_tuple(before[0]), as_tuple(after[0]), strict=True))
    numbers = max(1, sum(old[0].numel() for old, _ in pairs))
    size = max(1.0, *(float(old.abs().max()) for old, _ in pairs))
    apart = max(float((new - old).abs().max()) for old, new in pairs) / size
    volume = float((after[1] - before[1]).abs().max()) / numbers
    if not (apart <= tolerance and volume <= tolerance):
        raise NotInvertibleError(
            f"grow_chain: the new layer changes the latents by {apart:.1e} and log_det by {volume:.1e} a"
            f" number, wanted at most {tolerance:.1e}; use a layer that starts as the identity, such as an"
            " Affine, an LULinear, or a coupling whose conditioner starts with zero"
        )
