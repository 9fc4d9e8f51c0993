"""A flow with a fixed context, as ``torch.distributions`` wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from preimage.checks import as_tuple, unpack
from preimage.errors import ShapeError

if TYPE_CHECKING:
    from preimage.flows.flow import Flow


class FlowDistribution(Distribution):
    """A flow as a ``torch.distributions.Distribution``, for the context that it was made with.

    Args:
        flow: a flow of one tensor.
        context: conditioning values ``(B, ...)``, which become the batch shape ``(B,)``; none for batch shape
            ``()``.

    Raises:
        ShapeError: the data of the flow have several tensors or no fixed event shape.

    Cost: that of the flow.

    Example:
        >>> import torch
        >>> from preimage.flows import Flow, Normal
        >>> from preimage.layers import Affine
        >>> distribution = Flow(Affine(2), Normal(2)).distribution()
        >>> distribution.log_prob(distribution.sample((3, 4))).shape
        torch.Size([3, 4])
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}  # pyright: ignore[reportIncompatibleMethodOverride]

    def __init__(self, flow: Flow, context: Any = None) -> None:
        self.flow, self.context = flow, context
        batch = torch.Size() if context is None else torch.Size(as_tuple(context)[0].shape[:1])
        super().__init__(batch, self._event(), validate_args=False)

    def _event(self) -> torch.Size:
        with torch.no_grad():
            probe = self.flow.sample(1, None if self.context is None else _first_row(self.context))
        if isinstance(probe, tuple):
            raise ShapeError(f"FlowDistribution: data are {len(probe)} tensors, wanted one; use the flow")
        return probe.shape[1 if self.context is None else 2 :]

    @property
    def has_rsample(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether samples are differentiable."""
        return self.flow.base.reparametrised

    @property
    def support(self) -> constraints.Constraint:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Where the data live."""
        domain: Any = self.flow.bijection.domain
        return constraints.independent(domain.constraint, len(self.event_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The log-density of values ``(*sample, *batch, *event)``, of shape ``(*sample, *batch)``."""
        value = value.expand(torch.broadcast_shapes(value.shape, self.batch_shape + self.event_shape))
        lead = value.shape[: value.dim() - len(self.event_shape)]
        context = None if self.context is None else _spread(self.context, lead)
        return self.flow.log_prob(value.reshape(lead.numel(), *self.event_shape), context).reshape(lead)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable samples ``(*sample, *batch, *event)``."""
        shape = torch.Size(sample_shape)
        return self._shaped(self.flow.rsample(shape.numel(), self.context), shape)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples ``(*sample, *batch, *event)``."""
        shape = torch.Size(sample_shape)
        return self._shaped(self.flow.sample(shape.numel(), self.context), shape)

    def _shaped(self, drawn: Tensor, shape: torch.Size) -> Tensor:
        return drawn.reshape(shape + self.batch_shape + self.event_shape)

    def expand(self, batch_shape: Any, _instance: Any = None) -> FlowDistribution:
        """The same distribution; only its own batch shape is available."""
        if torch.Size(batch_shape) != self.batch_shape:
            raise ShapeError(
                f"FlowDistribution.expand: batch shape is {tuple(self.batch_shape)}, wanted"
                f" {tuple(batch_shape)}; give the flow a context with that many rows"
            )
        return self


def _first_row(context: Any) -> Any:
    return unpack(c[:1] for c in as_tuple(context))


def _spread(context: Any, lead: torch.Size) -> Any:
    """The context for every sample, in the order of the folded values."""
    samples = lead[:-1]
    return unpack(c.expand(*samples, *c.shape).reshape(lead.numel(), *c.shape[1:]) for c in as_tuple(context))
