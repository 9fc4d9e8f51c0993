"""Learn how an estimate errs from inputs that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional

from preimage.errors import DomainError, NonFiniteError, ShapeError
from preimage.inverse.calibrate.metric import GOLDEN
from preimage.inverse.posterior.error_model import ErrorModel
from preimage.inverse.posterior.error_table import ErrorTable
from preimage.inverse.posterior.quantiles import honest_quantiles, left_out_levels, middles

PLACES = 384
"""Places that are looked at of one input."""


class _Rows(NamedTuple):
    source: int
    activity: Tensor  # (R, COLUMNS)
    place: Tensor  # (R,), flat
    error: Tensor  # (C, R)


@final
class ErrorFit:
    """Measure an :class:`ErrorModel` in one pass over estimates of inputs that were left out.

    An estimate that was fitted to an input is better there than anywhere else, and intervals made from such
    errors are too narrow. So every estimate given here must come from a fit without the source of its input,
    and the likely sizes are again fitted without the sources on which relative errors are measured. The
    quantiles are those that hold a number of one more source, see
    :func:`preimage.inverse.posterior.quantiles.honest_quantiles`. Every source counts the same.

    Args:
        input_shape, tap_shape: event shapes, without the batch.

    Raises:
        ShapeError: when updated with other shapes.
        NonFiniteError: when updated with NaN or infinity.
        DomainError: when solved with fewer than two sources.

    Cost: a few means over each input, ``O(K^2)`` for each of up to 384 places of an input to solve.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = torch.randn(400, 3, generator=generator)
        >>> y = x + 0.1 * torch.randn(400, 3, generator=generator)
        >>> fit = ErrorFit((3,), (3,))
        >>> fit.update(y[:200], y[:200], x[:200], torch.arange(200))  # the estimate of x is y itself
        >>> model = fit.solve()
        >>> half = model(y, y).view(400, 3, 1, 1) * model.width(0.9, y)
        >>> covered = ((y - x).abs() <= half.view(400, 3))[200:].float().mean()
        >>> bool(0.85 < covered < 0.95)
        True
    """

    def __init__(self, input_shape: Sequence[int], tap_shape: Sequence[int]) -> None:
        self.model = ErrorModel(input_shape, tap_shape)
        self._rows: list[_Rows] = []
        self._usual = torch.zeros_like(self.model.usual, dtype=torch.float64)

    def update(self, estimate: Tensor, y: Tensor, x: Tensor, source: Tensor | Sequence[int]) -> None:
        """Count estimates and inputs ``(N, *input)``, features ``(N, *tap)`` and sources ``(N,)``."""
        self._check(estimate, y, x, source)
        with torch.no_grad():
            if not self._rows:
                self.model.to(device=x.device, dtype=x.dtype).activity.settle(estimate, y)
                self._usual = self._usual.to(x.device)
            error = (x - estimate).reshape(-1, *self.model.grid.input_map).abs()  # (N, C, H, W)
            self._usual += self._within_blocks(error).sum(0).double()
            activity = self.model.activity(estimate, y).flatten(2)  # (N, COLUMNS, H W)
            for n, number in enumerate(source):
                self._rows.append(self._chosen(int(number), activity[n], error[n].flatten(1)))

    @torch.no_grad()
    def solve(self) -> ErrorModel:
        """The model of everything seen."""
        sources = list(dict.fromkeys(rows.source for rows in self._rows))
        if len(sources) < 2:
            raise DomainError(
                f"how an estimate errs can be told from two sources of inputs at least; got {len(sources)}:"
                " number the sources in update(estimate, y, x, source)"
            )
        self._settle_usual()
        table = self._table({source: n for n, source in enumerate(sources)})
        ridge = table.chosen()
        self.model.coefficients.copy_(table.fit(ridge))
        self._keep(table.scores(ridge), table.source)
        self.model.seen.copy_(torch.tensor([len(self._rows), len(sources)]))
        return self.model

    def _within_blocks(self, error: Tensor) -> Tensor:
        """Errors averaged over positions, ``(N, C, b_h, b_w)`` with at most 16 places along an axis."""
        usual = self.model.grid.blocks(error).mean((1, 2))
        high, wide = self.model.usual.shape[1:]
        return (
            usual if usual.shape[2:] == (high, wide) else functional.adaptive_avg_pool2d(usual, (high, wide))
        )

    def _chosen(self, source: int, activity: Tensor, error: Tensor) -> _Rows:
        places = activity.shape[1]
        count = min(PLACES, places)
        start = len(self._rows) * GOLDEN
        order = torch.arange(count, device=error.device)
        spread = (order.double() * GOLDEN + start).remainder(1.0)
        place = order if count == places else (spread * places).long()
        return _Rows(source, activity[:, place].T, place, error[:, place])

    def _settle_usual(self) -> None:
        usual = self._usual / len(self._rows)
        usual = usual.clamp_min(usual.mean() * 1e-6).clamp_min(torch.finfo(torch.float32).tiny)
        if usual[0].numel() == 1:  # without places every number has few errors: lean on the others
            usual = torch.exp(_shrunk(usual.log(), len(self._rows)))
        self.model.usual.copy_(usual)

    def _table(self, number: dict[int, int]) -> ErrorTable:
        usual = self.model.usual_logarithm(self.model.usual).flatten(2)[0].double()  # (C, H W)
        count: dict[int, int] = {}
        for rows in self._rows:
            count[rows.source] = count.get(rows.source, 0) + len(rows.place)
        columns = [_columns(rows.activity.double(), usual[:, rows.place].T) for rows in self._rows]
        weight = [usual.new_full((len(r.place),), 1.0 / count[r.source]) for r in self._rows]
        source = [torch.full_like(r.place, number[r.source]) for r in self._rows]
        error = torch.cat([rows.error.T.double() for rows in self._rows])
        floor = error.mean().clamp_min(torch.finfo(torch.float32).tiny) * 1e-9
        return ErrorTable(torch.cat(columns), error.clamp_min(floor), torch.cat(weight), torch.cat(source))

    def _keep(self, scores: Tensor, source: Tensor) -> None:
        """Quantiles of relative errors ``(R, C)`` for each channel, or for all of them together."""
        self.model.between.copy_(_between(scores, source))
        if len(self.model.scores) == 1:
            scores, source = scores.reshape(-1, 1), source[:, None].expand_as(scores).flatten()
        levels = middles().to(scores)
        table = [honest_quantiles(column, source, levels) for column in scores.unbind(1)]
        self.model.scores.copy_(torch.stack(table))

    def _check(self, estimate: Tensor, y: Tensor, x: Tensor, source: Tensor | Sequence[int]) -> None:
        wanted = (self.model.input_shape, self.model.tap_shape, self.model.input_shape)
        shapes = tuple(tuple(t.shape[1:]) for t in (estimate, y, x))
        if shapes != wanted or not len(estimate) == len(y) == len(x) == len(source):
            raise ShapeError(
                f"update wants estimates (N, {wanted[0]}), features (N, {wanted[1]}), inputs (N, {wanted[2]})"
                f" and N sources; got {[tuple(t.shape) for t in (estimate, y, x)]} and {len(source)}"
            )
        if not all(bool(t.isfinite().all()) for t in (estimate, y, x)):
            raise NonFiniteError("estimates, features and inputs must be finite; got NaN or infinity")


def _between(scores: Tensor, source: Tensor) -> Tensor:
    """Standard deviation between sources of the share of their numbers that a 90 % interval holds."""
    flat, source = scores.flatten(), source[:, None].expand_as(scores).flatten()
    held = (left_out_levels(flat, source) <= 0.9).to(scores)
    count = source.bincount()
    share = torch.zeros(len(count)).to(scores).index_add(0, source, held) / count
    return share.std()


def _columns(activity: Tensor, usual: Tensor) -> Tensor:  # (R, COLUMNS), (R, C) -> (R, C, COLUMNS + 2)
    shared = torch.cat([activity, torch.ones_like(activity[:, :1])], 1)
    return torch.cat([shared[:, None].expand(-1, usual.shape[1], -1), usual[:, :, None]], 2)


def _shrunk(logarithm: Tensor, count: int) -> Tensor:
    """Logarithms of mean absolute errors, drawn to their mean as far as they are uncertain."""
    noise = 0.57 / max(count, 1)  # variance of the log of a mean of so many absolute normal numbers
    mean = logarithm.mean()
    real = (logarithm.var(correction=0) - noise).clamp_min(0)
    return mean + (logarithm - mean) * (real / (real + noise))
