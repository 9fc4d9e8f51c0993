"""What regularised continuous flows add up along their paths."""

from __future__ import annotations

import abc

from torch import Tensor, nn

from preimage.layers.continuous.trace import Products
from preimage.layers.continuous.velocity import PotentialVelocity


class Penalty(nn.Module, abc.ABC):
    """A quantity that is integrated along every path and recorded, to be added to a loss.

    Example:
        >>> isinstance(KineticEnergy(), Penalty)
        True
    """

    name: str
    """Under which name the integral is recorded."""

    @abc.abstractmethod
    def rate(self, time: Tensor, x: Tensor, products: Products) -> Tensor:
        """The quantity per unit of time ``(N,)``.

        Args:
            time: ``()``.
            x: where the paths are, ``(N, D)``.
            products: velocity, divergence and norm of the Jacobian there.
        """


class KineticEnergy(Penalty):
    r""":math:`\int \|v\|^2 dt`, recorded as ``"kinetic energy"``: paths become short and straight.

    Reference: Finlay, Jacobsen, Nurbekyan, Oberman (2020), How to train your neural ODE (RNODE),
    https://arxiv.org/abs/2002.02798

    Cost: none beyond the velocity.

    Example:
        >>> KineticEnergy().name
        'kinetic energy'
    """

    name = "kinetic energy"

    def rate(self, time: Tensor, x: Tensor, products: Products) -> Tensor:
        """The squared speed."""
        return products.velocity.square().sum(1)


class JacobianNorm(Penalty):
    r""":math:`\int \|J_v\|_F^2 dt`, recorded as ``"jacobian norm"``: neighbours move alike.

    Exact with :class:`~preimage.layers.ExactTrace`, estimated without bias by the probes of
    :class:`~preimage.layers.HutchinsonTrace`.

    Reference: Finlay, Jacobsen, Nurbekyan, Oberman (2020), How to train your neural ODE (RNODE),
    https://arxiv.org/abs/2002.02798

    Cost: none beyond the divergence.

    Example:
        >>> JacobianNorm().name
        'jacobian norm'
    """

    name = "jacobian norm"

    def rate(self, time: Tensor, x: Tensor, products: Products) -> Tensor:
        """The squared Frobenius norm."""
        return products.square


class HamiltonJacobi(Penalty):
    r""":math:`\int |\partial_t \Phi - \tfrac12 \|\nabla \Phi\|^2| dt`, recorded as ``"hamilton-jacobi"``.

    Zero for the potential of an optimal transport.

    Reference: Onken, Wu Fung, Li, Ruthotto (2021), OT-Flow, equation 8, https://arxiv.org/abs/2006.00104

    Args:
        velocity: the velocity of the flow, which holds the potential.

    Cost: one gradient of the potential.

    Example:
        >>> HamiltonJacobi(PotentialVelocity(2, 4)).name
        'hamilton-jacobi'
    """

    name = "hamilton-jacobi"

    def __init__(self, velocity: PotentialVelocity) -> None:
        super().__init__()
        self.velocity = velocity

    def rate(self, time: Tensor, x: Tensor, products: Products) -> Tensor:
        """How much the equation is missed by."""
        gradient = self.velocity.gradient(time, x)  # (N, D + 1)
        return (gradient[:, -1] - gradient[:, :-1].square().sum(1) / 2).abs()
