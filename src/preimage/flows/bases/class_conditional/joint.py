"""Several named latents, some or all of which depend on the class."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from preimage.checks import Context
from preimage.errors import ContextError
from preimage.flows.bases.base import Base
from preimage.flows.bases.class_conditional.contract import ClassConditional
from preimage.flows.bases.joint import Joint
from preimage.flows.bases.location_scale import LocationScale


class ClassConditionalJoint(Joint, ClassConditional):
    r"""Independent latents with names, :math:`\log p(z \mid c) = \sum_k \log p_k(z_k \mid c)`.

    For multi-scale flows: the class may shape the deepest latent alone, or all of them.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, section 3.6, https://arxiv.org/abs/1605.08803

    Args:
        bases: the distribution of each latent, by name; two or more, at least one of them class-conditional,
            the others location-scale bases such as ``Normal``.

    Raises:
        ValueError: fewer than two bases.
        ContextError: no base has classes, or their numbers differ.

    Cost: that of the bases.

    Example:
        >>> import torch
        >>> from preimage.flows import Normal, UnitClassConditionalNormal
        >>> base = ClassConditionalJoint(deep=UnitClassConditionalNormal(3, classes=2), fine=Normal(4, 2))
        >>> base.class_log_prob((torch.zeros(5, 3), torch.zeros(5, 4, 2))).shape
        torch.Size([5, 2])
    """

    def __init__(self, **bases: Base) -> None:
        super().__init__(**bases)
        numbers = {base.classes for base in bases.values() if isinstance(base, ClassConditional)}
        if len(numbers) != 1:
            raise ContextError(
                f"ClassConditionalJoint: the bases have {sorted(numbers) or 'no'} classes, wanted one number"
                " for all that depend on the class; use Joint where none does"
            )
        self.classes = numbers.pop()

    def log_prob(self, z: Any, context: Context = None) -> Tensor:
        """The sum over the latents ``(N,)``."""
        return Joint.log_prob(self, z, self.labels(context))

    def class_log_prob(self, z: Any) -> Tensor:
        """The log-density of every row under every class, ``(N, K)``."""
        pairs = zip(self._members(), z, strict=True)
        return torch.stack([_table(base, part, self.classes) for base, part in pairs]).sum(0)

    def class_centres(self) -> Any:
        """The centres of every latent, a tuple of ``(K, *event)``."""
        return tuple(_centres(base, self.classes) for base in self._members())


def _table(base: Base, z: Any, classes: int) -> Tensor:
    if isinstance(base, ClassConditional):
        return base.class_log_prob(z)
    return base.log_prob(z)[:, None].expand(-1, classes)


def _centres(base: Base, classes: int) -> Tensor:
    if isinstance(base, ClassConditional):
        return base.class_centres()
    location, _ = cast(LocationScale, base).location_and_log_scale(None)
    return location.expand(classes, *location.shape)
