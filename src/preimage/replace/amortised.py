"""Decoders that were trained once and answer in one pass: a small network on top of each closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import final

import torch
from torch import Tensor, nn

from preimage.certificate import Certificate
from preimage.errors import UnknownTapError
from preimage.inverse import Calibration, Inverse
from preimage.inverse.calibrate import DecoderFit
from preimage.inverse.packing import sample_rows
from preimage.inverse.residual import certify
from preimage.replace.comparison import Comparison, Line, feature_error, relative_error
from preimage.replace.corrector import Corrector
from preimage.replace.cuts import split_rows
from preimage.replace.improve import applied, row_squares, train_from_here
from preimage.replace.stage import Stage
from preimage.training import FitSettings

Progress = Callable[[str, int, int], None]


@final
class AmortisedInverse(nn.Module):
    """One decoder a tap: the closed form, plus a residual network that was trained to correct it.

    Made by :func:`fit_decoders`.

    Args:
        inverse: the closed-form inverse.
        decoders: by label of the tap.
        tables: errors before and after, by label.
    """

    def __init__(
        self, inverse: Inverse, decoders: Mapping[str, Stage], tables: Mapping[str, Comparison]
    ) -> None:
        super().__init__()
        self._inverse = (inverse,)  # in a tuple, so that the network is no part of this module
        self.taps = tuple(decoders)
        self.decoders = nn.ModuleList(decoders.values())
        self.tables = dict(tables)

    def forward(self, y: Tensor, tap: str) -> Tensor:
        """The estimate of the input ``(N, *event)`` from features at a tap ``(N, *tap)``."""
        if tap not in self.taps:
            raise UnknownTapError(f"no decoder was trained for tap {tap!r}; there are {list(self.taps)}")
        (inverse,) = self._inverse
        return self.decoders[self.taps.index(tap)](sample_rows(inverse.graph, inverse.node(tap), y))

    def answer(self, y: Tensor, tap: str) -> tuple[Tensor, Certificate]:
        """The estimate with its residual ``|f(x) - y| / |y|``, from one forward pass of the network."""
        (inverse,) = self._inverse
        with torch.no_grad():
            x = self(y, tap)
        return x, certify(inverse.graph, {inverse.graph.inputs[0]: x}, {inverse.node(tap): y}, None, 1e-3)


def fit_decoders(
    inverse: Inverse,
    data: Calibration,
    *,
    taps: Iterable[str] | None = None,
    settings: FitSettings | None = None,
    width: int | None = None,
    held_out: float = 0.2,
    progress: Progress | None = None,
) -> AmortisedInverse:
    r"""Train a decoder for each tap: :math:`\hat x = D(y) + r(y, D(y))`, closed form D, small network r.

    D is fitted here, twice, on one half of the training sources each: r is trained on estimates of sources
    that D has not seen, as it will be used. The final D is fitted to all of them. r starts as zero, and is
    kept only where it helped on a validation share. The network is not changed.

    Reference: Dosovitskiy, Brox (2016), Inverting visual representations with convolutional networks,
    https://arxiv.org/abs/1506.02753; cross-fitting: Wolpert (1992), Stacked generalization,
    https://doi.org/10.1016/S0893-6080(05)80023-1

    Args:
        inverse: of the network, see :func:`preimage.invert`; its own decoders are not used.
        data: inputs and their sources.
        taps: labels of the inverse; all by default.
        settings: of the training runs; 30 epochs by default.
        width: channels of the residual networks; chosen by tap by default.
        held_out: share of the sources that only the tables see, in (0, 1).
        progress: called with (tap, done, total).

    Returns:
        The decoders, with ``tables``: errors of closed form and trained decoder on the held-out share.

    Raises:
        UnknownTapError: no such tap.
        NotInvertibleError: fewer than four sources.

    Cost: one forward pass, three closed forms and one training run a tap.

    Example:
        >>> import preimage as pi
        >>> net = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).eval()
        >>> data = Calibration(torch.randn(80, 6))
        >>> inverse = pi.invert(net, data.x[:1], taps=["1"])
        >>> decoders = fit_decoders(inverse, data, settings=FitSettings(epochs=1, progress=False))
        >>> decoders(net[:2](data.x[:2]), "1").shape
        torch.Size([2, 6])
    """
    settings = FitSettings(epochs=30, progress=False) if settings is None else settings
    labels = tuple(inverse.taps if taps is None else taps)
    groups = torch.arange(len(data.x)) if data.groups is None else data.groups
    shares = split_rows(groups, held_out, settings.seed)
    stages, tables = {}, {}
    for done, label in enumerate(labels):
        if progress is not None:
            progress(label, done, len(labels))
        fitting = _Fitting(inverse, label, data, groups, shares, settings)
        stages[label], tables[label] = fitting.run(width)
    return AmortisedInverse(inverse, stages, tables).eval()


@final
class _Fitting:
    """One tap of :func:`fit_decoders`."""

    def __init__(
        self,
        inverse: Inverse,
        label: str,
        data: Calibration,
        groups: Tensor,
        shares: tuple[Tensor, Tensor, Tensor],
        settings: FitSettings,
    ) -> None:
        self.inverse, self.label, self.settings = inverse, label, settings
        self.groups, self.batch = groups, data.batch
        self.x = [data.x[share] for share in shares]
        self.y = [self._features(x) for x in self.x]
        self.sources = groups[shares[0]]

    def run(self, width: int | None) -> tuple[Stage, Comparison]:
        """Closed forms, training, and the table."""
        y, x = self.y[0], self.x[0]
        everything = self._closed(torch.ones(len(x), dtype=torch.bool))
        crossed = self._cross_fitted()
        corrector = Corrector(x.shape[1:], y.shape[1:], width).to(x)
        corrector.standardise(y, x)
        stage = Stage(everything, corrector)
        before = self._errors(stage)
        size = (x - x.mean(0)).square().mean()
        held = _joined(self.y[1], applied(everything, self.y[1]))
        trained = _Correction(corrector, y.shape[1:], x.shape[1:])
        train_from_here(
            trained,
            lambda model, batch: row_squares(model(batch[0]), batch[1]) / size,
            (_joined(y, crossed), x),
            (held, self.x[1]),
            self.settings,
        )
        after = self._errors(stage)
        rows = zip(("input", "features"), before, after, strict=True)
        return stage, Comparison(tuple(Line(name, old, new, new) for name, old, new in rows))

    @torch.no_grad()
    def _features(self, x: Tensor) -> Tensor:
        parts = [self.inverse.features(part, [self.label])[self.label] for part in x.split(self.batch)]
        return sample_rows(self.inverse.graph, self.inverse.node(self.label), torch.cat(parts))

    @torch.no_grad()
    def _closed(self, chosen: Tensor) -> nn.Module:
        fit = DecoderFit(self.x[0].shape[1:], self.y[0].shape[1:])
        for rows in chosen.nonzero()[:, 0].split(self.batch):
            fit.update(self.x[0][rows], self.y[0][rows], self.sources[rows])
        return fit.solve()

    @torch.no_grad()
    def _cross_fitted(self) -> Tensor:
        """Estimates of the training inputs by closed forms that have not seen their sources."""
        order = self.sources.unique()
        first = torch.isin(self.sources, order[torch.arange(len(order)) % 2 == 0])
        estimates = torch.empty_like(self.x[0])
        for half in (first, ~first):
            estimates[half] = applied(self._closed(~half), self.y[0][half])
        return estimates

    @torch.no_grad()
    def _errors(self, stage: Stage) -> tuple[float, float]:
        found = applied(stage, self.y[2])
        again = self._features(found)
        return relative_error(found, self.x[2], self.x[0].mean(0)), feature_error(again, self.y[2])


@final
class _Correction(nn.Module):
    """The correction of estimates that lie beside their features in one row."""

    def __init__(self, corrector: Corrector, tap_shape: torch.Size, input_shape: torch.Size) -> None:
        super().__init__()
        self.corrector, self.tap_shape, self.input_shape = corrector, tap_shape, input_shape

    def forward(self, rows: Tensor) -> Tensor:
        y, estimate = rows.split([self.tap_shape.numel(), self.input_shape.numel()], 1)
        estimate = estimate.reshape(-1, *self.input_shape)
        return estimate + self.corrector(y.reshape(-1, *self.tap_shape), estimate)


def _joined(y: Tensor, estimate: Tensor) -> Tensor:
    """Features and estimates side by side, one row a sample."""
    return torch.cat([y.flatten(1), estimate.flatten(1)], 1)
