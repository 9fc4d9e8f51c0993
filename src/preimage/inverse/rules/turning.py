"""Activations that fall before they rise: SiLU, GELU, Mish, hard swish.

Two preimages below zero, none far below.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from preimage.functional.increasing import invert_increasing
from preimage.functional.lambert_w import lambert_w
from preimage.inverse.guarantee import Guarantee
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.range import within

Turning = Callable[[Site, Tensor], Tensor]

SILU_LOWEST = -0.27846454276107376
HARD_SWISH_LOWEST = -0.375


def _upper(site: Site, y: Tensor, lowest: float, inverse: Turning) -> Solved:
    """The preimage on the rising branch; the other one exists wherever y < 0, so those are not certain."""
    possible = y.clamp_min(lowest)
    x = inverse(site, possible)
    doubtful = (y < 0).double().mean().item() if y.numel() else 0.0
    return within(
        x, y < lowest - 4 * torch.finfo(y.dtype).eps, y - possible, site.operation, exact=1 - doubtful
    )


@register_inverse("silu", guarantee=Guarantee.RIGHT)
def silu(site: Site, y: Tensor) -> Solved:
    """x = y + W_0(y e^-y), the preimage of y = x sigmoid(x) with x >= -1.2785."""
    return _upper(site, y, SILU_LOWEST, lambda _, y: y + _w0_of_exponential(y))


def _w0_of_exponential(y: Tensor) -> Tensor:
    """W_0(y e^-y), which vanishes in the limit of large y."""
    return lambert_w(y * torch.exp(-y), 0)


@register_inverse("hardswish", guarantee=Guarantee.RIGHT)
def hard_swish(site: Site, y: Tensor) -> Solved:
    """x = (sqrt(9 + 24 y) - 3) / 2 below 3 and x = y above."""
    return _upper(site, y, HARD_SWISH_LOWEST, lambda _, y: torch.where(y > 3, y, _hard_swish_root(y)))


def _hard_swish_root(y: Tensor) -> Tensor:
    return ((9 + 24 * y).clamp_min(0).sqrt() - 3) / 2


def _numerical(start: float) -> Turning:
    """Inverse by safeguarded Newton steps on the branch right of the turning point."""

    def inverse(site: Site, y: Tensor) -> Tensor:
        def function(x: Tensor) -> Tensor:
            return site.node.target(x, *site.operands[1:], **site.options)

        return invert_increasing(function, y, torch.full_like(y, start), y.clamp_min(0) + 4.0)

    return inverse


GELU_TURN, GELU_LOWEST = -0.7517915246935645, -0.1699712074799114
GELU_TANH_TURN, GELU_TANH_LOWEST = -0.7524614220710748, -0.1700405012843448
MISH_TURN, MISH_LOWEST = -1.1924312145154952, -0.3088434130172504


@register_inverse("gelu", guarantee=Guarantee.RIGHT)
def gelu(site: Site, y: Tensor) -> Solved:
    """The preimage of y = x Phi(x) with x >= -0.7518; no elementary form exists."""
    approximate = site.options.get("approximate", "none") == "tanh"
    turn, lowest = (GELU_TANH_TURN, GELU_TANH_LOWEST) if approximate else (GELU_TURN, GELU_LOWEST)
    return _upper(site, y, lowest, _numerical(turn))


@register_inverse("mish", guarantee=Guarantee.RIGHT)
def mish(site: Site, y: Tensor) -> Solved:
    """The preimage of y = x tanh(softplus(x)) with x >= -1.1924; no elementary form exists."""
    return _upper(site, y, MISH_LOWEST, _numerical(MISH_TURN))
