"""Mean pooling, and up-sampling as its inverse on one side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from preimage.domains import Reals
from preimage.functional.event import sum_event
from preimage.functional.signals.phases import gather_phases
from preimage.layers.structure.multiples import Multiples
from preimage.layers.structure.recording import open_recordings
from preimage.layers.surjection.one_sided import OneSided, Side


class MeanPool(OneSided):
    r"""Mean over blocks; the inverse repeats every value over its block.

    .. math:: f(x)_{c, h, w} = \frac{1}{f_1 f_2} \sum_{i, j} x_{c,\, f_1 h + i,\, f_2 w + j}, \qquad
              g(y)_{c,\, f_1 h + i,\, f_2 w + j} = y_{c, h, w}

    The approximately invertible up-sampling. It keeps one law: pooling what was up-sampled gives it back,
    :math:`f(g(y)) = y`, and g is the pseudo-inverse of f, so g(y) is the smallest preimage. The other round
    trip loses the detail within each block; :meth:`reconstruction_loss` says how much. Without loss:
    :class:`~preimage.layers.Squeeze`, :class:`~preimage.layers.Haar`.

    Reference: Odena, Dumoulin, Olah (2016), Deconvolution and checkerboard artifacts,
    https://doi.org/10.23915/distill.00003

    Args:
        factors: one factor per dimension of space: ``(2,)`` for signals, ``(2, 3)`` for pictures; a number f
            stands for ``(f, f)``.
        name: where given, every pass records its reconstruction loss under this name in the open
            :class:`~preimage.layers.Recording`.

    Returns:
        forward: ``(N, C, H / f_1, W / f_2)``; inverse: ``(N, C, f_1 H, f_2 W)``.

    Raises:
        ValueError: a factor is less than 1.
        ShapeError: a size is not a multiple of its factor.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> pool = MeanPool((2,))
        >>> pool.inverse(torch.tensor([[[1.0, 3.0]]]))
        tensor([[[1., 1., 3., 3.]]])
        >>> pool.reconstruction_loss(torch.tensor([[[0.0, 2.0, 3.0, 3.0]]]))
        tensor([0.5000])
    """

    def __init__(self, factors: int | Sequence[int], name: str | None = None) -> None:
        super().__init__()
        self.factors = (factors, factors) if isinstance(factors, int) else tuple(factors)
        if not self.factors or min(self.factors) < 1:
            raise ValueError(f"MeanPool: factors are {self.factors}, wanted positive numbers, such as (2, 2)")
        self.name = name
        self.domain = Multiples(None, *self.factors)
        self.codomain = Reals(*[None] * (1 + len(self.factors)))

    @property
    def side(self) -> Side:
        """f(g(y)) = y."""
        return "right"

    def forward_values(self, x: Tensor) -> Tensor:
        """The mean of every block."""
        pooled = gather_phases(x, self.factors).mean(2)
        for recording in open_recordings() if self.name else ():
            loss = self._loss(x, pooled)
            recording.forward.losses.setdefault(str(self.name), []).append(loss)
        return pooled

    def inverse_values(self, y: Tensor) -> Tensor:
        """Every value repeated over its block."""
        for dim, factor in enumerate(self.factors, start=2):
            y = y.repeat_interleave(factor, dim=dim)
        return y

    def condition(self) -> float:
        """All singular values are equal."""
        return 1.0

    def reconstruction_loss(self, x: Tensor) -> Tensor:
        r"""What pooling loses, :math:`\frac{1}{D} |x - g(f(x))|^2`.

        Args:
            x: tensor ``(N, C, H, W)``.

        Returns:
            One mean squared error per row, ``(N,)``; differentiable.
        """
        return self._loss(x, self.forward(x))

    def _loss(self, x: Tensor, pooled: Tensor) -> Tensor:
        return sum_event((x - self.inverse_values(pooled)).square()) / math.prod(x.shape[1:])

    def extra_repr(self) -> str:
        """The factors."""
        return f"{self.factors}"
