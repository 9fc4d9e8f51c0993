"""Bijections as ``torch.distributions`` transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.distributions import Transform, constraints

from preimage.checks import Context, Domains, as_tuple, reference_tensor, unpack
from preimage.domains import Domain
from preimage.errors import NotSupportedError

if TYPE_CHECKING:
    from preimage.bijection import Bijection


class BijectionTransform(Transform):
    """A bijection in the clothes of ``torch.distributions``; an adapter, so the two class trees stay apart.

    Batch and sample dimensions of any number are folded into the one batch dimension of the bijection, and a
    context is repeated over sample dimensions. Each ``log_prob`` evaluates the bijection once: the log_det
    that comes with a value is kept until the next call, and only used for the very same tensors.

    Args:
        bijection: a map of one tensor.
        context: conditioning values for the whole batch ``(N, ...)``, where the bijection takes some.
        event_dim: number of event dimensions; by default as many as the domain's pattern names, at least 1.

    Raises:
        TypeError: the bijection takes several tensors.

    Example:
        >>> import torch
        >>> from torch.distributions import Independent, Normal, TransformedDistribution
        >>> from preimage.layers import Affine
        >>> base = Independent(Normal(torch.zeros(2), 1.0), 1)
        >>> flow = TransformedDistribution(base, [Affine(2).as_transform().inv])
        >>> flow.log_prob(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    bijective = True

    def __init__(self, bijection: Bijection, context: Context = None, event_dim: int | None = None) -> None:
        super().__init__()
        self._domain = _single(bijection.domain)
        self._codomain = _single(bijection.codomain)
        self.bijection, self.context = bijection, context
        self.in_dim = max(1, len(self._domain.fixed)) if event_dim is None else event_dim
        named = len(self._codomain.fixed)
        self.out_dim = max(self.in_dim, named) if self._codomain.open_ended else named
        self._last: tuple[Tensor, Tensor, Tensor] | None = None

    @property
    def domain(self) -> constraints.Constraint:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The data side, with the event dimensions."""
        return constraints.independent(self._domain.constraint, self.in_dim)

    @property
    def codomain(self) -> constraints.Constraint:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The latent side, with the event dimensions."""
        return constraints.independent(self._codomain.constraint, self.out_dim)

    @property
    def sign(self) -> int:
        """Unknown: a map of several numbers has no sign."""
        raise NotSupportedError(
            f"{type(self.bijection).__name__}.as_transform().sign: a bijection of several numbers is neither"
            " increasing nor decreasing; ask for log_prob instead of cdf"
        )

    def _call(self, x: Tensor) -> Tensor:
        y, log_det = _batched(self.bijection.forward_and_log_det, x, self.in_dim, self.context)
        self._last = (x, y, log_det)
        return y

    def _inverse(self, y: Tensor) -> Tensor:
        x, log_det = _batched(self.bijection.inverse_and_log_det, y, self.out_dim, self.context)
        self._last = (x, y, -log_det)
        return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log abs det dy/dx, of the batch shape of x."""
        if self._last is None or self._last[0] is not x or self._last[1] is not y:
            self._call(x)
        _, _, log_det = self._last  # pyright: ignore[reportGeneralTypeIssues]
        self._last = None
        return log_det

    def forward_shape(self, shape: torch.Size) -> torch.Size:
        """The shape of y for x of this shape."""
        return _mapped_shape(self.bijection.forward_and_log_det, shape, self.in_dim, self)

    def inverse_shape(self, shape: torch.Size) -> torch.Size:
        """The shape of x for y of this shape."""
        return _mapped_shape(self.bijection.inverse_and_log_det, shape, self.out_dim, self)


def _single(domain: Domains) -> Domain:
    if isinstance(domain, tuple):
        raise TypeError(f"torch.distributions maps one tensor, but this bijection takes {len(domain)}")
    return domain


def _batched(run: Any, value: Tensor, event_dim: int, context: Context) -> tuple[Tensor, Tensor]:
    """Fold sample and batch dimensions into one, run, and unfold."""
    batch = value.shape[: value.dim() - event_dim]
    folded = value.reshape(batch.numel(), *value.shape[value.dim() - event_dim :])
    answer, log_det = run(folded, _fold_context(context, batch))
    return answer.reshape(*batch, *answer.shape[1:]), log_det.reshape(batch)


def _fold_context(context: Context, batch: torch.Size) -> Context:
    if context is None:
        return None
    tensors = context if isinstance(context, tuple) else (context,)
    samples = batch[:-1]
    return unpack(c.expand(*samples, *c.shape).reshape(batch.numel(), *c.shape[1:]) for c in tensors)


def _mapped_shape(run: Any, shape: torch.Size, event_dim: int, transform: BijectionTransform) -> torch.Size:
    """The shape after a map, found by running it on an empty batch."""
    batch, event = shape[: len(shape) - event_dim], shape[len(shape) - event_dim :]
    reference = reference_tensor(transform.bijection)
    empty = torch.empty(0, *event) if reference is None else reference.new_empty(0, *event)
    tensors = None if transform.context is None else as_tuple(transform.context)
    context = None if tensors is None else unpack(c[:0] for c in tensors)
    return torch.Size((*batch, *run(empty, context)[0].shape[1:]))
