"""A small residual network that corrects a closed-form estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.inverse.calibrate.grid import as_map
from preimage.nets.zero_last_layer import zero_last_layer

COARSEST = 8
"""Most positions along an axis that are worked on as one."""


@final
class Corrector(nn.Module):
    r"""What to add to an estimate :math:`\hat x` of x, seen from features y: zero before training.

    Features and the estimate, folded to the resolution of the features where that is coarser, are laid side
    by side, and residual blocks :math:`h + K_2 \phi(K_1 \phi(h))` lead to the correction.

    Reference: He, Zhang, Ren, Sun (2016), Identity mappings in deep residual networks,
    https://arxiv.org/abs/1603.05027

    Args:
        input_shape: event shape of x, ``(C, H, W)``, ``(C, L)`` or ``(F,)``.
        tap_shape: event shape of y.
        width: channels inside; :func:`suitable_width` by default.
        blocks: residual blocks.

    Returns:
        The correction ``(N, *input_shape)``.

    Cost: ``18 width^2`` multiplications a block and position.

    Example:
        >>> corrector = Corrector((3, 16, 16), (8, 4, 4), width=4)
        >>> corrector(torch.zeros(2, 8, 4, 4), torch.zeros(2, 3, 16, 16)).abs().max().item()
        0.0
    """

    y_mean: Tensor
    y_scale: Tensor
    x_mean: Tensor
    x_scale: Tensor

    def __init__(
        self, input_shape: Sequence[int], tap_shape: Sequence[int], width: int | None = None, blocks: int = 2
    ) -> None:
        super().__init__()
        self.input_shape = tuple(input_shape)
        related = len(input_shape) == len(tap_shape) <= 3
        self.x_map = as_map(input_shape)
        self.y_map = as_map(tap_shape if related else (math.prod(tap_shape),))
        self.fold = tuple(_fold(x, y) for x, y in zip(self.x_map[1:], self.y_map[1:], strict=True))
        inner = self.x_map[0] * math.prod(self.fold)
        width = suitable_width(input_shape, tap_shape) if width is None else width
        self.from_features = nn.Conv2d(self.y_map[0], width, 1)
        self.from_estimate = nn.Conv2d(inner, width, 1)
        spans = self._spans()
        self.blocks = nn.ModuleList(_Block(width, spans) for _ in range(blocks))
        self.last = zero_last_layer(nn.Conv2d(width, inner, 1))
        for name in ("y", "x"):
            self.register_buffer(f"{name}_mean", torch.zeros(()))
            self.register_buffer(f"{name}_scale", torch.ones(()))

    @torch.no_grad()
    def standardise(self, y: Tensor, x: Tensor) -> None:
        """Take over the scales of features and inputs from data."""
        for name, values in (("y", y), ("x", x)):
            scale = values.std().clamp_min(torch.finfo(values.dtype).eps)
            setattr(self, f"{name}_mean", values.mean())
            setattr(self, f"{name}_scale", scale)

    def forward(self, y: Tensor, estimate: Tensor) -> Tensor:
        """The correction of an estimate ``(N, *input)`` from features ``(N, *tap)``."""
        folded = self._folded((estimate - self.x_mean) / self.x_scale)  # (N, C r s, H / r, W / s)
        features = self.from_features(((y - self.y_mean) / self.y_scale).reshape(-1, *self.y_map))
        hidden = functional.interpolate(features, size=folded.shape[2:]) + self.from_estimate(folded)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self._unfolded(self.last(hidden)) * self.x_scale

    def _spans(self) -> tuple[int, int]:
        """Kernel sizes: 3 along an axis with several positions, else 1."""
        sizes = [-(-size // fold) for size, fold in zip(self.x_map[1:], self.fold, strict=True)]
        return 3 if sizes[0] > 1 else 1, 3 if sizes[1] > 1 else 1

    def _folded(self, x: Tensor) -> Tensor:
        x = x.reshape(-1, *self.x_map)
        (r, s), (_, height, width) = self.fold, self.x_map
        x = functional.pad(x, (0, -width % s, 0, -height % r))
        n, c, h, w = x.shape
        return x.view(n, c, h // r, r, w // s, s).permute(0, 1, 3, 5, 2, 4).reshape(n, -1, h // r, w // s)

    def _unfolded(self, z: Tensor) -> Tensor:
        (r, s), (c, height, width) = self.fold, self.x_map
        n, _, h, w = z.shape
        x = z.view(n, c, r, s, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c, h * r, w * s)
        return x[:, :, :height, :width].reshape(n, *self.input_shape)


@final
class _Block(nn.Module):
    """Two convolutions with rectifiers before them."""

    def __init__(self, width: int, spans: tuple[int, int]) -> None:
        super().__init__()
        padding = (spans[0] // 2, spans[1] // 2)
        self.first = nn.Conv2d(width, width, spans, padding=padding)
        self.second = nn.Conv2d(width, width, spans, padding=padding)

    def forward(self, hidden: Tensor) -> Tensor:
        inner = self.first(functional.silu(hidden))
        return cast(Tensor, self.second(functional.silu(inner)))


def suitable_width(input_shape: Sequence[int], tap_shape: Sequence[int]) -> int:
    """Channels of a corrector: as many as features at a position, from 32 to 128.

    Example:
        >>> suitable_width((3, 32, 32), (512, 2, 2))
        128
    """
    related = len(input_shape) == len(tap_shape) <= 3
    return min(128, max(32, tap_shape[0] if related else math.prod(tap_shape)))


def _fold(x: int, y: int) -> int:
    return max(1, min(COARSEST, x // max(1, y)))
