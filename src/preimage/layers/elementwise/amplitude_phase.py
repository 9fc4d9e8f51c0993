"""Polar coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.functional.event import sum_event
from preimage.layers.elementwise.polar_domains import AmplitudesAndPhases, NonzeroPairs


class AmplitudePhase(Bijection):
    r"""Polar coordinates of pairs of channels, :math:`(a, b) \mapsto (r, \varphi)`.

    .. math:: r = \sqrt{a^2 + b^2}, \qquad \varphi = \operatorname{atan2}(b, a) \in [-\pi, \pi]

    log_det is :math:`-\sum \log r`. The first half of the channels holds a and r, the second half b and
    :math:`\varphi`: real and imaginary parts of a spectrum, say.

    Two traps. The phase wraps around: a and b may change a little and :math:`\varphi` jump from :math:`\pi`
    to :math:`-\pi`, so networks behind this layer do better with its cosine and sine; the inverse refuses
    phases beyond :math:`\pm\pi`, because they would come back as other phases. And r = 0 has no phase: pairs
    with an amplitude below ``sqrt(tiny)`` (1.1e-19 in float32, 1.5e-154 in float64) are refused.

    Reference: change of variables as in Papamakarios, Nalisnick, Rezende, Mohamed, Lakshminarayanan (2021),
    section 2.1, https://arxiv.org/abs/1912.02762

    Returns:
        y of the shape of x ``(N, 2 C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: the number of channels is odd.
        DomainError: a pair is zero; on the way back, an amplitude is not positive or a phase beyond pi.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> y, log_det = AmplitudePhase().forward_and_log_det(torch.tensor([[0.0, 2.0]]))
        >>> y, log_det
        (tensor([[2.0000, 1.5708]]), tensor([-0.6931]))
    """

    def __init__(self) -> None:
        super().__init__()
        self.domain, self.codomain = NonzeroPairs(), AmplitudesAndPhases()

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Cartesian to polar."""
        a, b = x.chunk(2, dim=1)  # (N, C, ...)
        amplitude, phase = torch.hypot(a, b), torch.atan2(b, a)
        return torch.cat([amplitude, phase], dim=1), -sum_event(amplitude.log())

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Polar to Cartesian."""
        amplitude, phase = y.chunk(2, dim=1)  # (N, C, ...)
        x = torch.cat([amplitude * phase.cos(), amplitude * phase.sin()], dim=1)
        return x, sum_event(amplitude.log())
