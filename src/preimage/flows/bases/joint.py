"""Several named latents, each with its own distribution."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.flows.bases.base import Base


class Joint(Base):
    r"""Independent latents with names, :math:`\log p(z_1, z_2, \dots) = \sum_k \log p_k(z_k)`.

    What a multi-scale flow ends in: its latents are a named tuple, in the order of the arguments.

    Args:
        bases: the distribution of each latent, by name; two or more, each of one tensor.

    Raises:
        ValueError: fewer than two bases.

    Cost: that of the bases.

    Example:
        >>> import torch
        >>> from preimage.flows import Normal
        >>> base = Joint(deep=Normal(8), fine=Normal(2, 4, 4))
        >>> base.named(base.draw(5)).fine.shape
        torch.Size([5, 2, 4, 4])
    """

    def __init__(self, **bases: Base) -> None:
        super().__init__(())
        if len(bases) < 2:
            raise ValueError(f"Joint: got {len(bases)} bases, wanted two or more; use the one alone")
        self.bases = nn.ModuleDict(bases)
        self.domain = tuple(cast(Any, base.domain) for base in bases.values())
        conditional = [base.context_domain for base in bases.values() if base.context_domain is not None]
        self.context_domain = conditional[0] if conditional else None
        self.names = tuple(bases)

    def _members(self) -> list[Base]:
        return cast("list[Base]", list(self.bases.values()))

    @property
    def reparametrised(self) -> bool:
        """Whether the draws of all members are differentiable."""
        return all(base.reparametrised for base in self._members())

    def log_prob(self, z: Any, context: Context = None) -> Tensor:
        """The sum over the latents ``(N,)``."""
        pairs = zip(self._members(), z, strict=True)
        each = [b.log_prob(part, context if b.context_domain else None) for b, part in pairs]
        return torch.stack(each).sum(0)

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Any:
        """A tuple of draws."""
        return tuple(b.draw(rows, context if b.context_domain else None, generator) for b in self._members())

    def tempered(self, temperature: float) -> Base:
        """Every latent tempered."""
        return self._changed(lambda base: base.tempered(temperature))

    def truncated(self, bound: float) -> Base:
        """Every latent truncated."""
        return self._changed(lambda base: base.truncated(bound))

    def _changed(self, change: Callable[[Base], Base]) -> Joint:
        pairs = zip(self.names, self._members(), strict=True)
        return Joint(**{name: change(base) for name, base in pairs})

    def named(self, z: Any) -> Any:
        """The latents as a named tuple."""
        return collections.namedtuple("Latents", self.names)(*z)
