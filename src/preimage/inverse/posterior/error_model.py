"""How an estimate errs: a likely size for each number, and the distribution of errors relative to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.errors import DomainError
from preimage.inverse.posterior.activity import COLUMNS, Activity
from preimage.inverse.posterior.quantiles import LEVELS, interpolate, middles

FINEST = 16
"""Most places along an axis of a block for which the usual error is kept apart."""

MOST = 0.999
"""Highest level of an interval: beyond it, a few hundred pictures say nothing."""


@final
class ErrorModel(nn.Module):
    r"""The distribution of ``x - x_hat``, for an estimate x_hat of x made from features y.

    A number of channel c at place p errs by :math:`s_c(p) q`, with the likely size
    :math:`s_c(p) = \exp(z(p)^\top w) \, b_c(p)^v`: b is the usual error at this place of the block that a
    position of the tap decodes, z the :class:`Activity` there, so that edges get wider intervals than sky.
    The quantiles of :math:`|q|` are those measured on inputs that the estimate had not seen.

    Instances come from :class:`ErrorFit` or, saved, from :meth:`from_state`.

    Reference: J. Lei, M. G'Sell, A. Rinaldo, R. Tibshirani and L. Wasserman (2018),
    https://arxiv.org/abs/1604.04173, section 5.2, for intervals of locally varying width; R. Dunn, L.
    Wasserman and A. Ramdas (2022), https://arxiv.org/abs/1809.07441, for pooling within groups.

    Args:
        input_shape, tap_shape: event shapes, without the batch.

    Cost: that of :class:`Activity`.
    """

    coefficients: Tensor  # (COLUMNS + 2,): of the activity, of a constant and of the usual error
    usual: Tensor  # (C, b_h, b_w), mean absolute error within a block
    scores: Tensor  # (G, LEVELS), quantiles of |q|; G is the number of channels or 1
    seen: Tensor  # inputs and sources that were calibrated on
    between: Tensor  # (), standard deviation between sources of what a 90 % interval holds; NaN if unknown
    shapes: Tensor

    def __init__(self, input_shape: Sequence[int], tap_shape: Sequence[int]) -> None:
        super().__init__()
        self.input_shape, self.tap_shape = tuple(input_shape), tuple(tap_shape)
        self.activity = Activity(input_shape, tap_shape)
        self.grid = self.activity.grid
        channels, high, wide = self.grid.block
        groups = channels if self.grid.input_map[1] * self.grid.input_map[2] > 1 else 1
        self.register_buffer("coefficients", torch.zeros(COLUMNS + 2))
        self.register_buffer("usual", torch.ones(channels, min(high, FINEST), min(wide, FINEST)))
        self.register_buffer("scores", torch.zeros(groups, LEVELS))
        self.register_buffer("seen", torch.zeros(2, dtype=torch.long))
        self.register_buffer("between", torch.tensor(math.nan))
        self.register_buffer("shapes", _shapes(self.input_shape, self.tap_shape))
        self.register_load_state_dict_pre_hook(_completed)

    @property
    def inputs(self) -> int:
        """How many inputs it was calibrated on."""
        return int(self.seen[0])

    @property
    def sources(self) -> int:
        """How many independent sources they came from."""
        return int(self.seen[1])

    @property
    def uncertainty(self) -> float:
        """Standard error of the share of numbers that 90 % intervals hold, over all inputs of this kind.

        One calibration is a draw as well: with N sources it is off by the deviation between sources over
        the root of N. NaN for models of earlier versions.
        """
        return float(self.between) / math.sqrt(max(1, self.sources))

    def forward(self, estimate: Tensor, y: Tensor) -> Tensor:
        """The likely size of the error of every number, ``(N, *input)``."""
        activity = self.activity(estimate, y)
        w = self.coefficients.to(activity)
        exponent = torch.einsum("nkhw,k->nhw", activity, w[:-2])[:, None] + w[-2]
        return torch.exp(exponent + w[-1] * self.usual_logarithm(activity)).reshape(estimate.shape)

    def usual_logarithm(self, like: Tensor) -> Tensor:
        """The logarithm of the usual error at every place, ``(1, C, H, W)``."""
        channels, high, wide = self.grid.block
        usual = self.usual.to(like)[None]
        if usual.shape[2:] != (high, wide):
            usual = functional.interpolate(usual, (high, wide), mode="bilinear", align_corners=False)
        blocks = usual.log().view(1, 1, 1, channels, high, wide)
        return self.grid.assemble(blocks.expand(-1, *self.grid.positions, -1, -1, -1))

    def quantile(self, level: Tensor) -> Tensor:
        """The size of a relative error that is exceeded with probability ``1 - level``.

        Args:
            level: probabilities ``(N, C, H, W)``, or anything that broadcasts to it with C in place.
        """
        table = self.scores.to(level)
        knots = middles().to(level)
        if len(table) == 1:
            return interpolate(level, knots, table[0])
        parts = [interpolate(part, knots, row) for part, row in zip(level.unbind(1), table, strict=True)]
        return torch.stack(parts, 1)

    def width(self, level: float, like: Tensor) -> Tensor:
        """The half width of an interval in units of the likely size, ``(1, C, 1, 1)`` or ``(1, 1, 1, 1)``.

        Raises:
            DomainError: for a level that is not above 0 or lies beyond what the calibration can tell.
        """
        if not 0.0 < level <= MOST:
            raise DomainError(f"got level={level}; a probability above 0 and up to {MOST} was wanted")
        table = self.scores.to(like)
        return self.quantile(like.new_full((1, len(table), 1, 1), level))

    @property
    def deviation(self) -> Tensor:
        """Root mean square of the relative error, ``(1, C, 1, 1)`` or ``(1, 1, 1, 1)``."""
        return self.scores.square().mean(1).sqrt()[None, :, None, None]

    @staticmethod
    def from_state(state: Mapping[str, Tensor]) -> ErrorModel:
        """Rebuild a model from its ``state_dict``, which holds its shapes as well."""
        values = [int(v) for v in state["shapes"]]
        axes = values[0]
        model = ErrorModel(values[1 : 1 + axes], values[1 + axes :])
        model.to(state["scores"].dtype).load_state_dict(dict(state))
        return model


def _shapes(input_shape: tuple[int, ...], tap_shape: tuple[int, ...]) -> Tensor:
    return torch.tensor([len(input_shape), *input_shape, *tap_shape])


def _completed(_: nn.Module, state: dict[str, Tensor], prefix: str, *_rest: Any) -> None:
    """Files of earlier versions do not say how sources differ."""
    state.setdefault(f"{prefix}between", torch.tensor(math.nan))
