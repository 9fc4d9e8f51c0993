"""Weights whose layer stretches no vector by more than a chosen factor."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from preimage.weights.norm_operator import NormOperator, iterate, norm_operator


class PowerIteration(nn.Module, abc.ABC):
    r"""A weight divided by a multiple of its norm :math:`\sigma = u^T W v`, which power iteration follows.

    The singular vectors start exact. Every use of the weight in training mode takes some steps of power
    iteration from where the last ones ended; in evaluation mode nothing changes.

    Args:
        operator: what the norm is a norm of.
        weight: the weight at the start.
        level: the norm that is wanted, positive.
        steps: power iterations at every use in training mode.
    """

    u: Tensor
    v: Tensor

    def __init__(self, operator: NormOperator, weight: Tensor, level: float, steps: int) -> None:
        super().__init__()
        if not (0 < level < math.inf and steps >= 0):
            raise ValueError(f"spectral norm: level {level} and steps {steps}, wanted both positive")
        self.operator, self.level, self.steps = operator, level, steps
        u, v = iterate(operator, weight.detach(), operator.start(weight))
        self.register_buffer("u", u)
        self.register_buffer("v", v)

    @abc.abstractmethod
    def factor(self, sigma: Tensor) -> Tensor:
        """What the weight is multiplied by, given its norm."""

    def forward(self, raw: Tensor) -> Tensor:
        """The weight of a parameter."""
        if self.training:
            self._follow(raw)
        u, v = self.u.clone(), self.v.clone()  # the next step must not change what this one's gradient needs
        sigma = (u * self.operator.apply(raw, v)).sum()
        return raw * self.factor(sigma)

    @torch.no_grad()
    def _follow(self, raw: Tensor) -> None:
        for _ in range(self.steps):
            u, v = iterate(self.operator, raw, self.v)
            self.u.copy_(u)
            self.v.copy_(v)


class SpectralNorm(PowerIteration):
    """The parametrisation of :func:`spectral_norm`."""

    def factor(self, sigma: Tensor) -> Tensor:
        """The wanted norm over the present one."""
        return self.level / sigma

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Any multiple of the weight serves; the weight itself."""
        return weight


class SpectralBound(PowerIteration):
    """The parametrisation of :func:`spectral_bound`."""

    def factor(self, sigma: Tensor) -> Tensor:
        """As above where the norm is too large, 1 elsewhere."""
        return self.level / sigma.clamp_min(self.level)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The weight itself."""
        return weight


def spectral_norm(
    module: nn.Module, norm: float = 1.0, size: Sequence[int] | None = None, steps: int = 1
) -> nn.Module:
    r"""Fix the norm of a layer, :math:`W \to c\,W/\sigma(W)`.

    The norm is that of the linear map: of the matrix, or of the whole convolution on pictures of the given
    size. It starts exact (singular value decomposition, or 200 power iterations) and is followed by warm
    power iterations in training mode. Their value is a lower bound of the true norm; with steps of ordinary
    size it stays within 1e-3. :func:`~preimage.weights.operator_norm` measures how close it is.

    Reference: Miyato, Kataoka, Koyama, Yoshida (2018), https://arxiv.org/abs/1802.05957; for convolutions as
    maps: Gouk, Frank, Pfahringer, Cree (2021), https://arxiv.org/abs/1804.04368

    Args:
        module: a linear layer or a convolution, changed in place.
        norm: the norm c.
        size: for convolutions, the sizes of space, such as ``(32, 32)``.
        steps: power iterations at every use of the weight in training mode.

    Returns:
        The layer.

    Raises:
        TypeError: another kind of layer.
        ValueError: a convolution without size, or a norm that is not positive.

    Cost: two products with the weight at every use in training mode, one in evaluation mode.

    Example:
        >>> from preimage.weights import operator_norm
        >>> layer = spectral_norm(nn.Linear(5, 3), norm=0.5)
        >>> round(operator_norm(layer).item(), 6)
        0.5
    """
    operator = norm_operator(module, size)
    parametrisation = SpectralNorm(operator, module.weight, norm, steps)  # pyright: ignore[reportArgumentType]
    return parametrize.register_parametrization(module, "weight", parametrisation)


def spectral_bound(
    module: nn.Module, bound: float = 1.0, size: Sequence[int] | None = None, steps: int = 1
) -> nn.Module:
    r"""Bound the norm of a layer, :math:`W \to W \min(1, c/\sigma(W))`.

    As :func:`spectral_norm`, but weights of a smaller norm stay as they are. With c < 1, :math:`x + g(x)`
    with g made of such layers and of activations of slope at most 1 is a bijection.

    Reference: Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019), https://arxiv.org/abs/1811.00995

    Args:
        module: a linear layer or a convolution, changed in place.
        bound: the largest norm c.
        size: for convolutions, the sizes of space, such as ``(32, 32)``.
        steps: power iterations at every use of the weight in training mode.

    Returns:
        The layer.

    Raises:
        TypeError: another kind of layer.
        ValueError: a convolution without size, or a bound that is not positive.

    Cost: two products with the weight at every use in training mode, one in evaluation mode.

    Example:
        >>> from preimage.weights import operator_norm
        >>> layer = spectral_bound(nn.Conv2d(2, 2, 3, padding=1), bound=0.01, size=(4, 4))
        >>> round(operator_norm(layer, size=(4, 4)).item(), 5)
        0.01
    """
    operator = norm_operator(module, size)
    parametrisation = SpectralBound(operator, module.weight, bound, steps)  # pyright: ignore[reportArgumentType]
    return parametrize.register_parametrization(module, "weight", parametrisation)
