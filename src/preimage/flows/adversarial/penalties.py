"""Penalties that keep the slopes of a critic bounded, without which the game is not stable."""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import Tensor

from preimage.checks import as_tuple, unpack
from preimage.flows.adversarial.critics import Scores
from preimage.functional.event import align_event, sum_event


class Penalty(abc.ABC):
    """What is added to the losses of a critic.

    Args:
        weight: positive factor.

    Raises:
        ValueError: the weight is not positive.

    Example:
        >>> ZeroCentred(1.0).losses(lambda x: 3 * x[:, 0], torch.zeros(2, 2), torch.zeros(2, 2)).tolist()
        [4.5, 4.5]
    """

    def __init__(self, weight: float) -> None:
        if not 0 < weight < float("inf"):
            raise ValueError(
                f"{type(self).__name__}: weight is {weight}, wanted a positive number, such as 1.0"
            )
        self.weight = weight

    @abc.abstractmethod
    def losses(self, critic: Scores, real: Any, made: Any) -> Tensor:
        """The penalty of every row.

        Args:
            critic: from values to scores ``(N,)``.
            real: values that the flow should match ``(N, ...)``, or a tuple of such.
            made: values of the flow.

        Returns:
            Tensor ``(N,)``, differentiable in the weights of the critic.
        """


class NoPenalty(Penalty):
    """Nothing, for critics whose slopes are bounded by their weights.

    Example:
        >>> NoPenalty().losses(lambda x: x[:, 0], torch.zeros(2, 1), torch.zeros(2, 1))
        tensor([0., 0.])
    """

    def __init__(self) -> None:
        super().__init__(1.0)

    def losses(self, critic: Scores, real: Any, made: Any) -> Tensor:
        """Zeros."""
        first = as_tuple(real)[0]
        return first.new_zeros(len(first))


class ZeroCentred(Penalty):
    r"""Squared slopes at what is real, :math:`\tfrac{\gamma}{2} \|\nabla D(x)\|^2`, called R1.

    Reference: Mescheder, Geiger, Nowozin (2018), Which training methods for GANs do actually converge?,
    https://arxiv.org/abs/1801.04406

    Args:
        weight: gamma.

    Cost: one second derivative of the critic.

    Example:
        >>> ZeroCentred(2.0).losses(lambda x: x[:, 0], torch.zeros(1, 2), torch.zeros(1, 2)).tolist()
        [1.0]
    """

    def losses(self, critic: Scores, real: Any, made: Any) -> Tensor:
        """At the real values."""
        return 0.5 * self.weight * squared_slopes(critic, real)


class BothZeroCentred(Penalty):
    r"""Squared slopes at what is real and at what is made, :math:`\tfrac{\gamma}{2} (\|\nabla D(x)\|^2 +
    \|\nabla D(\hat x)\|^2)`.

    Reference: Roth, Lucchi, Nowozin, Hofmann (2017), https://arxiv.org/abs/1705.09367; Huang et al. (2024),
    https://arxiv.org/abs/2501.05441

    Args:
        weight: gamma.

    Cost: two second derivatives of the critic.

    Example:
        >>> BothZeroCentred(1.0).losses(lambda x: x[:, 0], torch.zeros(1, 2), torch.zeros(1, 2)).tolist()
        [1.0]
    """

    def losses(self, critic: Scores, real: Any, made: Any) -> Tensor:
        """At both."""
        return 0.5 * self.weight * (squared_slopes(critic, real) + squared_slopes(critic, made))


class UnitSlope(Penalty):
    r"""Distance of the slopes from 1 between pairs, :math:`\lambda (\|\nabla D(\tilde x)\| - 1)^2`.

    :math:`\tilde x` lies at a random place on the line from a real to a made value. The usual one for
    :class:`Wasserstein`.

    Reference: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville (2017), https://arxiv.org/abs/1704.00028

    Args:
        weight: lambda; 10 in the paper.

    Cost: one second derivative of the critic.

    Example:
        >>> UnitSlope(10.0).losses(lambda x: x[:, 0], torch.zeros(1, 2), torch.ones(1, 2)).tolist()
        [0.0]
    """

    def losses(self, critic: Scores, real: Any, made: Any) -> Tensor:
        """At random places between."""
        first = as_tuple(real)[0]
        share = torch.rand(len(first), dtype=first.dtype, device=first.device)
        pairs = zip(as_tuple(real), as_tuple(made), strict=True)
        between = unpack(torch.lerp(a, b, _rows(share, a)) for a, b in pairs)
        slopes = (squared_slopes(critic, between) + 1e-12).sqrt()
        return self.weight * (slopes - 1).square()


def squared_slopes(critic: Scores, values: Any) -> Tensor:
    """The squared norm of the gradient of every score by its own row ``(N,)``."""
    with torch.enable_grad():
        leaves = tuple(part.detach().requires_grad_() for part in as_tuple(values))
        total = critic(unpack(leaves)).sum()
        slopes = torch.autograd.grad(total, leaves, create_graph=True)
    return torch.stack([sum_event(slope.square()) for slope in slopes]).sum(0)


def _rows(share: Tensor, x: Tensor) -> Tensor:
    """One number a row, seen by every element."""
    return align_event(share, x[None])[0]
