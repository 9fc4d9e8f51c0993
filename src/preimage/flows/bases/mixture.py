"""Mixtures of base distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.errors import ShapeError
from preimage.flows.bases.base import Base
from preimage.flows.bases.location_scale import Normal


class Mixture(Base):
    r"""A mixture with learnt weights, :math:`p(z) = \sum_k w_k p_k(z)`.

    Draws are not differentiable in the weights, so ``rsample`` of a flow refuses a mixture.

    Reference: McLachlan, Peel (2000), Finite mixture models, https://doi.org/10.1002/0471721182

    Args:
        components: bases of one event shape, two or more.
        log_weights: start of the logits of the weights ``(K,)``; equal by default.

    Raises:
        ValueError: fewer than two components.
        ShapeError: their event shapes differ.

    Cost: that of all components for a density, and for a draw.

    Example:
        >>> import torch
        >>> from preimage.flows import Normal
        >>> Mixture([Normal(2), Normal(2).tempered(3.0)]).draw(4).shape
        torch.Size([4, 2])
    """

    def __init__(self, components: Sequence[Base], log_weights: Tensor | None = None) -> None:
        if len(components) < 2:
            raise ValueError(f"Mixture: got {len(components)} components, wanted two or more")
        shapes = {cast("tuple[int, ...]", getattr(base.domain, "fixed", None)) for base in components}
        if len(shapes) > 1 or None in shapes:
            raise ShapeError(
                f"Mixture: components have event shapes {sorted(map(str, shapes))}, wanted one for all"
            )
        super().__init__(shapes.pop())
        self.components = nn.ModuleList(components)
        conditional = [base.context_domain for base in components if base.context_domain is not None]
        self.context_domain = conditional[0] if conditional else None
        start = torch.zeros(len(components)) if log_weights is None else log_weights.clone()
        self.logits = nn.Parameter(start)

    def _members(self) -> list[Base]:
        return cast("list[Base]", list(self.components))

    def component_log_prob(self, z: Tensor, context: Context = None) -> Tensor:
        """The joint log-density of every row with every component, ``(N, K)``."""
        each = [base.log_prob(z, context if base.context_domain else None) for base in self._members()]
        return torch.stack(each, dim=1) + self.logits.log_softmax(0)

    def log_prob(self, z: Tensor, context: Context = None) -> Tensor:
        """The log-density of every row ``(N,)``."""
        return self.component_log_prob(z, context).logsumexp(dim=1)

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """A draw of every component for every row, of which the weights choose one."""
        weights = self.logits.detach().softmax(0).expand(rows, -1)
        chosen = torch.multinomial(weights, 1, generator=generator)[:, 0]
        draws = [b.draw(rows, context if b.context_domain else None, generator) for b in self._members()]
        return torch.stack(draws)[chosen, torch.arange(rows, device=chosen.device)]

    @property
    def reparametrised(self) -> bool:
        """No: the choice of a component is not differentiable."""
        return False

    def tempered(self, temperature: float) -> Base:
        """Every component tempered; the weights stay."""
        return Mixture([base.tempered(temperature) for base in self._members()], self.logits.detach())


def mixture_of_normals(features: int, components: int, *, spread: float = 1.0) -> Mixture:
    """A mixture of learnt diagonal normal distributions whose means start at random places.

    Args:
        features: number of elements of a latent.
        components: number of components, two or more.
        spread: standard deviation of the means at the start.

    Returns:
        The mixture.

    Example:
        >>> len(mixture_of_normals(2, 8).components)
        8
    """
    members = [Normal(features, learn=True) for _ in range(components)]
    for member in members:
        nn.init.normal_(cast(nn.Parameter, member.location), std=spread)
    return Mixture(members)
