"""Latents of which some elements depend on the class and the others do not."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.checks import Context
from preimage.errors import ShapeError
from preimage.flows.bases.class_conditional.contract import ClassConditional
from preimage.flows.bases.location_scale import LocationScale


class PartlyClassConditional(ClassConditional):
    r"""Chosen elements follow their class, the rest is the same for all classes.

    .. math:: p(z \mid c) = p_A(z_A \mid c)\, p_B(z_B)

    What the classes have in common then has its place in B, and the evidence for a class depends on A alone.

    Reference: Ardizzone, Mackowiak, Rother, Köthe (2020), https://arxiv.org/abs/2001.06448

    Args:
        specific: bool tensor ``event``, True for the elements of A; both kinds must occur.
        own: class-conditional base of A, one-dimensional.
        shared: base of B, one-dimensional, such as ``Normal(n)`` or ``Normal(n, learn=True)``.

    Raises:
        ShapeError: the bases do not fit the number of elements.

    Cost: that of both bases.

    Example:
        >>> import torch
        >>> from preimage.flows import Normal, UnitClassConditionalNormal
        >>> specific = torch.tensor([True, False, False])
        >>> base = PartlyClassConditional(specific, UnitClassConditionalNormal(1, classes=2), Normal(2))
        >>> base.class_log_prob(torch.zeros(4, 3)).shape
        torch.Size([4, 2])
    """

    def __init__(self, specific: Tensor, own: ClassConditional, shared: LocationScale) -> None:
        super().__init__(tuple(specific.shape))
        for word, base, mask in (("own", own, specific), ("shared", shared, ~specific)):
            wanted, came = (int(mask.sum()),), getattr(base.domain, "fixed", None)
            if came != wanted:
                raise ShapeError(
                    f"PartlyClassConditional: {word} has event shape {came}, wanted {wanted}: one number for"
                    " every element of its part"
                )
        self.own, self.shared, self.classes = own, shared, own.classes
        self.register_buffer("specific", specific.flatten().clone())
        self.specific: Tensor
        self.event_shape = tuple(specific.shape)

    def class_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of every row under every class, ``(N, K)``."""
        flat = z.flatten(1)  # (N, D)
        alike = self.shared.log_prob(flat[:, ~self.specific])
        return self.own.class_log_prob(flat[:, self.specific]) + alike[:, None]

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """Both parts, put together ``(N, *event)``."""
        own = self.own.draw(rows, context, generator)
        return self._together(own, self.shared.draw(rows, None, generator))

    def class_centres(self) -> Tensor:
        """The centres of A beside the location of B, ``(K, *event)``."""
        own = self.own.class_centres()
        location, _ = self.shared.location_and_log_scale(None)
        return self._together(own, location.expand(len(own), -1))

    @property
    def reparametrised(self) -> bool:
        """Whether the draws of both parts are differentiable."""
        return self.own.reparametrised and self.shared.reparametrised

    def _together(self, own: Tensor, shared: Tensor) -> Tensor:
        order = torch.cat([self.specific.nonzero(), (~self.specific).nonzero()])[:, 0].argsort()
        return torch.cat([own, shared.to(own.dtype)], dim=1)[:, order].reshape(len(own), *self.event_shape)
