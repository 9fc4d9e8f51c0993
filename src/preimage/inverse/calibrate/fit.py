"""Calibrate a decoder in one pass over pictures and their features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from preimage.errors import DomainError, NonFiniteError, ShapeError
from preimage.inverse.calibrate.basis import BlockBasis
from preimage.inverse.calibrate.compress import Compression
from preimage.inverse.calibrate.decoder import Decoder
from preimage.inverse.calibrate.grid import Grid
from preimage.inverse.calibrate.metric import Spectrum
from preimage.inverse.calibrate.moments import Moments, total
from preimage.inverse.calibrate.ridge import Affine, Regression, fixed, regress
from preimage.inverse.calibrate.windows import Windows

DOUBLE = 1000
"""Most regressors whose moments are summed in double precision; more of them need a ridge anyway."""


@final
class DecoderFit:
    """Streaming normal equations of a :class:`Decoder`, kept apart for a few folds of picture groups.

    Every group (a picture and all crops of it) belongs to one fold; the ridge of each target component is
    the one with the least error on folds that the estimate has not seen. Sums of outer products are all
    that is kept, besides one example per group, from which the error spectrum is measured.

    Args:
        input_shape: event shape of the input, ``(C, H, W)``, ``(C, L)`` or ``(F,)``.
        tap_shape: event shape of the features; with as many axes as the input it is read as a map over the
            same plane, otherwise as one vector.
        folds: number of folds.
        local: most regressors of the local window.
        total_regressors: most regressors in all; wider vectors are compressed to their principal components.
        targets: most cosine coefficients of a block and channel.
        rows: most positions used of one sample.
        examples: samples kept to measure the error spectrum.

    Raises:
        ShapeError: when updated with other shapes.
        NonFiniteError: when updated with NaN or infinity.
        DomainError: when solved without two groups and without a given ridge.

    Cost: ``O(rows D^2)`` a sample and ``O(folds ridges D^3)`` to solve; memory ``O(folds D^2)``.

    Example:
        >>> x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
        >>> fit = DecoderFit((5,), (5,))
        >>> fit.update(x, 2 * x + 1, torch.arange(40) // 10)
        >>> decoder = fit.solve()
        >>> torch.allclose(decoder(2 * x + 1), x, atol=1e-3)
        True
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        tap_shape: Sequence[int],
        *,
        folds: int = 4,
        local: int = 1100,
        total_regressors: int = 1500,
        targets: int = 64,
        rows: int = 784,
        examples: int = 12,
    ) -> None:
        self.input_shape, self.tap_shape = tuple(input_shape), tuple(tap_shape)
        self.grid = Grid.between(input_shape, tap_shape)
        self.windows = Windows.fitting(self.grid.tap_map, local, total_regressors)
        self.kept = _kept(self.grid.block, targets)
        self.basis = BlockBasis(self.grid.block, self.kept)
        self.rows, self.examples = rows, examples
        self._compression = Compression(self.windows.width, total_regressors)
        self._folds: list[Moments | None] = [None] * folds
        self._fold_of: dict[int, int] = {}
        self._kept_examples: list[tuple[int, Tensor, Tensor]] = []
        self._left_out: list[Decoder] = []

    def update(self, x: Tensor, y: Tensor, group: Tensor | Sequence[int]) -> None:
        """Count inputs ``x (N, *input)``, features ``y (N, *tap)`` and picture numbers ``group (N,)``."""
        self._check(x, y, group)
        folds = [self._fold(int(g), x[i], y[i]) for i, g in enumerate(group)]
        for fold in sorted(set(folds)):
            chosen = torch.tensor([i for i, f in enumerate(folds) if f == fold], device=x.device)
            for ready in self._compression.push(fold, *self._rows(x[chosen], y[chosen])):
                self._count(*ready)

    def solve(self, ridge: float | None = None) -> Decoder:
        """The decoder of everything seen; a given relative ``ridge`` replaces the choice."""
        for ready in self._compression.flush():
            self._count(*ready)
        folds = [fold for fold in self._folds if fold is not None]
        if not folds:
            raise DomainError("there are no pictures to calibrate on: call update(x, y, group) first")
        if ridge is None and len(folds) < 2:
            raise DomainError(
                f"choosing the ridge needs two groups of pictures, got {len(folds)}: number the pictures in "
                "update(x, y, group), or give the ridge, solve(ridge=1e-3)"
            )
        regression = regress(folds, self._columns()) if ridge is None else fixed(total(folds), ridge)
        return self._decoder(regression)

    def left_out(self, y: Tensor, group: Tensor | Sequence[int]) -> Tensor:
        """Estimates ``(N, *input)`` by decoders that were fitted without the fold of each group, once solved.

        Args:
            y: features, ``(N, *tap)``.
            group: picture numbers that were counted, ``(N,)``.
        """
        if not self._left_out:
            raise DomainError("there are no estimates for pictures that were left out: call solve() first")
        return torch.cat([self._without(int(g))(y[i : i + 1]) for i, g in enumerate(group)])

    def _without(self, group: int) -> Decoder:
        if group not in self._fold_of:
            raise DomainError(f"group {group} was not counted in update(x, y, group)")
        return self._left_out[self._fold_of[group] % len(self._left_out)]

    def _rows(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:  # (N R, D), (N R, T)
        height, width = self.grid.positions
        step = math.ceil(height * width / self.rows)
        step += step > 1 and math.gcd(step, width) > 1  # spread over rows and columns
        start = len(self._fold_of) % step
        take = torch.arange(start, height * width, step, device=x.device)
        targets = self.basis.analyse(self.grid.blocks(x)).flatten(1, 2)[:, take]
        regressors = self.windows.regressors(y.reshape(-1, *self.grid.tap_map), take)
        return regressors.flatten(0, 1), targets.flatten(0, 1)

    def _count(self, fold: int, regressors: Tensor, targets: Tensor) -> None:
        exact = regressors.shape[1] <= DOUBLE
        dtype = torch.promote_types(regressors.dtype, torch.float64 if exact else torch.float32)
        regressors, targets = regressors.to(dtype), targets.to(dtype)
        moments = self._folds[fold] or Moments.empty(regressors.shape[1], targets.shape[1], regressors)
        moments.add(regressors, targets)
        self._folds[fold] = moments

    def _fold(self, group: int, x: Tensor, y: Tensor) -> int:
        if group not in self._fold_of:
            self._fold_of[group] = len(self._fold_of) % len(self._folds)
            if len(self._kept_examples) < self.examples:
                self._kept_examples.append((self._fold_of[group], x.detach().clone(), y.detach().clone()))
        return self._fold_of[group]

    def _columns(self) -> list[int]:
        """Numbers of leading regressors worth trying: the local window alone, and everything."""
        if self._compression.active:
            return [self._compression.limit]
        return sorted({self.windows.local, self.windows.width})

    def _decoder(self, regression: Regression) -> Decoder:
        self._left_out = [self._with(estimate) for estimate in regression.left_out]
        errors = [
            x - self._left_out[fold % len(self._left_out)](y[None])[0] for fold, x, y in self._kept_examples
        ]
        decoder = self._with(regression.estimate)
        decoder.metric = self._metric(torch.stack(errors), regression)
        decoder.error_covariance.copy_(regression.error)
        decoder.ridges.copy_(regression.ridges)
        return decoder

    def _with(self, estimate: Affine) -> Decoder:
        decoder = Decoder(self.input_shape, self.tap_shape, self.windows, self.kept)
        decoder.to(estimate.weight.device, self._kept_examples[0][1].dtype)
        decoder.load_estimate(estimate.offset, self._compression.expand(estimate.weight))
        return decoder

    def _metric(self, errors: Tensor, regression: Regression) -> Spectrum:
        if len(self.input_shape) == 1:
            return Spectrum.of_covariance(regression.error.to(errors.dtype))
        return Spectrum.of_errors(errors)

    def _check(self, x: Tensor, y: Tensor, group: Tensor | Sequence[int]) -> None:
        shapes = (tuple(x.shape[1:]), tuple(y.shape[1:]))
        if shapes != (self.input_shape, self.tap_shape) or not len(x) == len(y) == len(group):
            raise ShapeError(
                f"update wants x (N, {self.input_shape}), y (N, {self.tap_shape}) and N group numbers; got "
                f"{tuple(x.shape)}, {tuple(y.shape)} and {len(group)}"
            )
        if not (x.isfinite().all() and y.isfinite().all()):
            raise NonFiniteError("calibration pictures and features must be finite; got NaN or infinity")


def _kept(block: tuple[int, int, int], targets: int) -> tuple[int, int]:
    """As many of the lowest frequencies along both axes as make ``targets`` coefficients a channel."""
    high, wide = block[1:]
    if high * wide <= targets:
        return high, wide
    if min(high, wide) == 1:
        return min(high, targets), min(wide, targets)
    side = math.isqrt(targets)
    return min(high, side), min(wide, side)
