"""The calibrated decoder: the best affine estimate of the input from a tap, applied as one convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.errors import ShapeError
from preimage.inverse.calibrate.basis import BlockBasis
from preimage.inverse.calibrate.grid import Grid
from preimage.inverse.calibrate.metric import Spectrum
from preimage.inverse.calibrate.windows import Windows
from preimage.inverse.posterior.error_model import ErrorModel

ERRORS = "errors."
"""How the tensors of the error model begin in a decoder's state."""


@final
class Decoder(nn.Module):
    """The linear minimum-mean-square-error estimate of an input from its features, one block a position.

    ``x_hat = mu_x + C_xy (C_yy + ridge)^-1 (y - mu_y)``, y the window of features around a position and x
    the block of the input that this position owns, in a cosine basis whose lowest frequencies are kept.
    Instances come from :meth:`DecoderFit.solve` or, saved, from :meth:`from_state`.

    Reference: S. M. Kay, Fundamentals of Statistical Signal Processing: Estimation Theory, 1993, chapter 12.

    Args:
        input_shape, tap_shape: event shapes, without the batch.
        windows: what is seen of the tap at a position.
        kept: cosine frequencies kept of a block, along height and width.

    Cost: one convolution with ``C k^2 T`` weights a position, and one small matrix product a block.

    Example:
        >>> from preimage.inverse.calibrate import DecoderFit
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = torch.randn(64, 3, 8, 8, generator=generator)
        >>> fit = DecoderFit((3, 8, 8), (12, 4, 4))
        >>> fit.update(x, torch.nn.functional.pixel_unshuffle(x, 2), torch.arange(64) % 8)
        >>> decoder = fit.solve()
        >>> bool((decoder(torch.nn.functional.pixel_unshuffle(x, 2)) - x).abs().max() < 1e-2)
        True
    """

    weight: Tensor  # (T, C, k, k)
    averages: Tensor  # (T, S C)
    offset: Tensor  # (T,)
    error_covariance: Tensor  # (T, T), in the coefficients of the block basis
    ridges: Tensor  # (T,)
    blueprint: Tensor

    def __init__(
        self, input_shape: Sequence[int], tap_shape: Sequence[int], windows: Windows, kept: tuple[int, int]
    ) -> None:
        super().__init__()
        self.input_shape, self.tap_shape = tuple(input_shape), tuple(tap_shape)
        self.grid, self.windows = Grid.between(input_shape, tap_shape), windows
        self.basis = BlockBasis(self.grid.block, kept)
        self.metric = Spectrum(input_shape, *_flat_spectrum(self.grid))
        self.errors: ErrorModel | None = None  # how it errs, where that was measured
        targets, channels = self.basis.size, self.grid.tap_map[0]
        self.register_buffer("weight", torch.zeros(targets, channels, *windows.kernel))
        self.register_buffer("averages", torch.zeros(targets, channels * windows.scales))
        self.register_buffer("offset", torch.zeros(targets))
        self.register_buffer("error_covariance", torch.zeros(targets, targets))
        self.register_buffer("ridges", torch.zeros(targets, dtype=torch.float64))
        self.register_buffer("blueprint", self._blueprint(kept))

    def forward(self, y: Tensor) -> Tensor:
        """The estimate ``(N, *input)`` for features ``(N, *tap)``."""
        return self._synthesise(self._product(y) + self.offset.to(y.dtype), len(y))

    def linear(self, y: Tensor) -> Tensor:
        """The linear part alone: the correction ``(N, *input)`` for a feature error ``(N, *tap)``."""
        return self._synthesise(self._product(y), len(y))

    def load_estimate(self, offset: Tensor, weight: Tensor) -> None:
        """Take over ``x = offset + B^T y`` with B ``(D, T)`` in the order of :class:`Windows`."""
        split = self.weight[0].numel()
        self.offset.copy_(offset)
        self.weight.copy_(weight[:split].T.reshape(self.weight.shape))
        self.averages.copy_(weight[split:].T)

    @staticmethod
    def from_state(state: Mapping[str, Tensor]) -> Decoder:
        """Rebuild a decoder from its ``state_dict``, which holds its shapes as well."""
        parts = _read_blueprint(state["blueprint"])
        (size, whole), input_shape, tap_shape, boxes, kept = parts
        tap_map = Grid.between(input_shape, tap_shape).tap_map
        decoder = Decoder(
            input_shape, tap_shape, Windows(tap_map, size, boxes, bool(whole)), (kept[0], kept[1])
        )
        if any(name.startswith(ERRORS) for name in state):
            decoder.errors = ErrorModel(input_shape, tap_shape)
        decoder.to(state["weight"].dtype).load_state_dict(dict(state))
        return decoder

    def _blueprint(self, kept: tuple[int, int]) -> Tensor:
        w = self.windows
        parts = ((w.size, int(w.whole)), self.input_shape, self.tap_shape, w.boxes, kept)
        return torch.tensor([v for part in parts for v in (len(part), *part)])

    def _product(self, y: Tensor) -> Tensor:  # (N, T, h, w)
        if tuple(y.shape[1:]) != self.tap_shape:
            raise ShapeError(f"the decoder reads features (N, {self.tap_shape}); got {tuple(y.shape)}")
        y = y.reshape(-1, *self.grid.tap_map)
        z = functional.conv2d(self.windows.padded(y, self.windows.size), self.weight.to(y.dtype))
        if self.windows.scales:
            surroundings = torch.cat(self.windows.averages(y), 1)  # (N, S C, h, w)
            z = z + functional.conv2d(surroundings, self.averages.to(y.dtype)[:, :, None, None])
        return z.permute(0, 2, 3, 1)  # (N, h, w, T)

    def _synthesise(self, z: Tensor, count: int) -> Tensor:
        return self.grid.assemble(self.basis.synthesise(z)).reshape(count, *self.input_shape)


def _flat_spectrum(grid: Grid) -> tuple[Tensor, Tensor]:
    return torch.eye(grid.input_map[0]), torch.ones(grid.input_map)


def _read_blueprint(blueprint: Tensor) -> list[tuple[int, ...]]:
    values, parts = [int(v) for v in blueprint], []
    while values:
        parts.append(tuple(values[1 : 1 + values[0]]))
        values = values[1 + values[0] :]
    return parts
