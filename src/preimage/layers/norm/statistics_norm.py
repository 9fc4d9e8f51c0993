"""Base class of normalisations that hand out the statistics they remove."""

from __future__ import annotations

import abc
from typing import ClassVar

import torch
from torch import Tensor

from preimage.checks import values_are_visible
from preimage.errors import NotInvertibleError, ShapeError
from preimage.layers.surjection.one_sided import OneSided, Side


class StatisticsNorm(OneSided, abc.ABC):
    r"""Normalise groups of values and hand out what was removed, :math:`x \mapsto (y, t)`.

    y alone has lost a mean and a scale per group. With the statistics t as a second tensor ``(N, G, S)``,
    side information, the map is undone exactly. It has more outputs than inputs, so it is a left inverse: the
    outputs lie on a surface, and a y that is not normalised belongs to no x, which the certificate shows.

    Subclasses write ``group``, ``ungroup``, ``measure`` and ``affine``, and set ``weight`` and ``bias``.

    Example:
        >>> from preimage.layers import LayerNorm
        >>> y, statistics = LayerNorm(4)(torch.randn(2, 4))
        >>> y.shape, statistics.shape
        (torch.Size([2, 4]), torch.Size([2, 1, 2]))
    """

    side: ClassVar[Side] = "left"  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    weight: Tensor | None
    bias: Tensor | None

    @abc.abstractmethod
    def group(self, x: Tensor) -> Tensor:
        """x as groups that are normalised together, ``(N, G, M)``."""

    @abc.abstractmethod
    def measure(self, groups: Tensor) -> Tensor:
        """The statistics ``(N, G, S)`` of groups ``(N, G, M)``."""

    @abc.abstractmethod
    def centre_and_scale(self, statistics: Tensor) -> tuple[Tensor | float, Tensor]:
        """What is subtracted and divided by, each ``(N, G, 1)`` or a number."""

    @abc.abstractmethod
    def align(self, parameter: Tensor, x: Tensor) -> Tensor:
        """A parameter in a shape that broadcasts to x."""

    def forward_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise, then scale and shift; and the statistics."""
        groups = self.group(x)
        statistics = self.measure(groups)
        centre, scale = self.centre_and_scale(statistics)
        y = ((groups - centre) / scale).reshape(x.shape)
        y = y if self.weight is None else y * self.align(self.weight, y)
        return (y if self.bias is None else y + self.align(self.bias, y)), statistics

    def inverse_values(self, y: tuple[Tensor, Tensor]) -> Tensor:
        """Undo shift and scale, then put the statistics back."""
        values, statistics = y
        self._check_weight()
        values = values if self.bias is None else values - self.align(self.bias, values)
        values = values if self.weight is None else values / self.align(self.weight, values)
        groups = self.group(values)
        if statistics.shape[1] != groups.shape[1]:
            raise ShapeError(
                f"{type(self).__name__}.inverse: the statistics have shape {tuple(statistics.shape)}, wanted"
                f" {(*groups.shape[:2], statistics.shape[2])}, as forward returned them"
            )
        centre, scale = self.centre_and_scale(statistics)
        return (groups * scale + centre).reshape(values.shape)

    def _check_weight(self) -> None:
        if self.weight is None or not values_are_visible():
            return
        lost = self.weight == 0
        if lost.any():
            raise NotInvertibleError(
                f"{type(self).__name__}.inverse: {int(lost.sum())} of {lost.numel()} weights are 0, these"
                " features are lost; set the weights to a small number"
            )


def mean_and_deviation(groups: Tensor, eps: float) -> Tensor:
    """Mean and square root of variance + eps of every group.

    Args:
        groups: ``(N, G, M)``.
        eps: added to the variance.

    Returns:
        Tensor ``(N, G, 2)``.

    Example:
        >>> mean_and_deviation(torch.tensor([[[1.0, 3.0]]]), 0.0)
        tensor([[[2., 1.]]])
    """
    mean = groups.mean(-1, keepdim=True)
    variance = (groups - mean).square().mean(-1, keepdim=True)
    return torch.cat([mean, (variance + eps).sqrt()], dim=-1)
