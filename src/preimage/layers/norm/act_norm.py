"""Scale and shift that start from the statistics of the first batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from preimage.checks import values_are_visible
from preimage.domains import Reals
from preimage.errors import NonFiniteError, NotInvertibleError
from preimage.functional.event import align_event
from preimage.functional.statistics.moments import feature_moments, may_have_rows
from preimage.layers.elementwise.elementwise import Elementwise
from preimage.layers.elementwise.positive_scale import ExpScale, PositiveScale


class ActNorm(Elementwise):
    r"""Shift, then scale, :math:`y = s(r)\,(x + b)`, so that the first batch has mean 0 and deviation 1.

    One b and one r per feature. The first forward pass in training mode sets them, :math:`b = -\mu` and
    :math:`s = 1/\sigma` over batch, positions and all processes; from then on they are ordinary parameters. A
    constant feature is only shifted. The inverse never sets them: before the first batch it is the identity
    without gradients and in evaluation mode, and is refused where it would be trained. That the layer is
    ready is saved with it.
    log_det is :math:`\sum \log s` over the event.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.1, https://arxiv.org/abs/1807.03039

    Args:
        features: number C of features or channels.
        scale: how s depends on r; :class:`~preimage.layers.ExpScale` by default.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.
        NonFiniteError: the first batch holds NaN or infinity.
        NotInvertibleError: the inverse is asked for before the first batch, in training mode and with
            gradients.

    Cost: O(numel(x)); two more passes over the first batch.

    Example:
        >>> layer = ActNorm(2)
        >>> y = layer(torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
        >>> y.detach().round(decimals=4)
        tensor([[-1., -1.],
                [ 1.,  1.]])
    """

    initialised: Tensor

    def __init__(self, features: int, scale: PositiveScale | None = None) -> None:
        super().__init__()
        self.domain = self.codomain = Reals(features, ...)
        self.scale = ExpScale() if scale is None else scale
        self.shift = nn.Parameter(torch.zeros(features))
        self.raw_scale = nn.Parameter(self.scale.raw(torch.ones(features)))
        self.register_buffer("initialised", torch.tensor(False))
        self._ready = False  # the buffer as a plain bool, on which compiled code may branch

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and scale; the first batch in training mode sets both."""
        if self.training and not self._ready and may_have_rows(x):
            self.initialise(x)
        log_scale = align_event(self.scale.log_scale(self.raw_scale), x)
        return (x + align_event(self.shift, x)) * log_scale.exp(), log_scale

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Divide and shift back."""
        if self.training and not self._ready and torch.is_grad_enabled():
            raise NotInvertibleError(
                "ActNorm.inverse: the layer waits for its first batch, which will change it; run forward on a"
                " batch of data first, or call .eval() to use it as the identity"
            )
        log_scale = align_event(self.scale.log_scale(self.raw_scale), y)
        return y / log_scale.exp() - align_event(self.shift, y), -log_scale

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set shift and scale by a batch, whether or not they were set before.

        Args:
            x: data ``(N, C, ...)``, N >= 1.

        Raises:
            NonFiniteError: a mean or variance is not finite.
        """
        mean, variance, _ = feature_moments(x)
        finite = mean.isfinite() & variance.isfinite()
        if values_are_visible() and not finite.all():
            raise NonFiniteError(
                f"ActNorm: {int((~finite).sum())} of {len(finite)} features of the first batch hold NaN,"
                " infinity, or numbers whose squares overflow; clean or scale the data"
            )
        deviation = variance.sqrt()
        varies = finite & (deviation > 10 * torch.finfo(x.dtype).eps * mean.abs())
        scale = torch.where(varies, 1 / torch.where(varies, deviation, 1.0), 1.0)
        self.shift.copy_(torch.where(finite, -mean, 0.0))
        self.raw_scale.copy_(self.scale.raw(scale))
        self.settle()

    def settle(self) -> None:
        """Take the parameters as they are for the start, for training that never shows the layer data."""
        self.initialised.fill_(True)
        self._ready = True

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._ready = not self.initialised.is_meta and bool(self.initialised)
