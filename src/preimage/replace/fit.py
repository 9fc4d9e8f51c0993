"""Fit the replacements of a trained network: closed forms first, then training, the network untouched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn

from preimage.capture.export import capture
from preimage.capture.graph import Graph
from preimage.capture.interpret import evaluate
from preimage.capture.taps import TapLike, resolve_tap
from preimage.errors import NotInvertibleError
from preimage.inverse.calibration import Calibration
from preimage.inverse.context import RuleContext
from preimage.inverse.invert import cut_points
from preimage.replace.chain import ReplacedInverse
from preimage.replace.closed_form import closed_form
from preimage.replace.comparison import Comparison, Line, feature_error, relative_error
from preimage.replace.corrector import Corrector
from preimage.replace.cuts import Values, split_rows, values_at
from preimage.replace.frozen import frozen
from preimage.replace.improve import applied, error_of, row_squares, train_from_here
from preimage.replace.stage import Rule, Segment, Stage
from preimage.training import FitSettings

Progress = Callable[[str, int, int], None]


def fit_replacements(
    model: nn.Module,
    data: Tensor | Calibration,
    *,
    tap: str | TapLike | None = None,
    taps: Sequence[str | TapLike] | None = None,
    settings: FitSettings | None = None,
    held_out: float = 0.2,
    feature_weight: float = 0.1,
    progress: Progress | None = None,
) -> ReplacedInverse:
    r"""Learn to run a trained network backwards, step by step, without changing the network.

    The network is cut where everything passes through one value. Every step back gets a replacement:

    1. *Closed form*: the network's own rule where that loses nothing or does better, else the linear
       estimate of least mean square error from the estimate of the step before.
    2. *Layer by layer*: a small residual network, zero at first, is trained to correct every lossy step.
    3. *End to end*: all corrections together, for the input and for features that come out the same:
       :math:`|\hat x - x|^2 / |x - \bar x|^2 + w |f(\hat x) - y|^2 / |y|^2`.

    After 2 and 3 everything stays as it was where that was better on a validation share of the training data.

    Reference: Dosovitskiy, Brox (2016), Inverting visual representations with convolutional networks,
    https://arxiv.org/abs/1506.02753 (training against the features' inputs); the closed form: Kay (1993),
    chapter 12.

    Args:
        model: any network in evaluation mode with one input; it is bit for bit the same afterwards.
        data: inputs ``(N, *event)``, or a ``Calibration`` that also says which share a source.
        tap: where the chain starts, the output by default.
        taps: the values at which the network is cut; all that everything passes through by default. Fewer
            cuts make larger steps.
        settings: of every training run; 30 epochs by default.
        held_out: share of the sources that only the table sees, in (0, 1).
        feature_weight: w.
        progress: called with (stage, done, total).

    Returns:
        The inverse, with ``table``: errors before and after on the held-out share.

    Raises:
        NotInvertibleError: the network has several inputs, is in training mode, or the tap is its input.
        CaptureError: it cannot be captured.
        UnknownTapError: a tap does not exist.

    Cost: one forward pass over the data, one small linear system a step, and the training.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).eval()
        >>> x = torch.randn(200, 2) @ torch.randn(2, 6)
        >>> settings = FitSettings(epochs=3, progress=False)
        >>> inverse = fit_replacements(net, x, settings=settings)
        >>> inverse(net(x)).shape, inverse.table["input"].closed_form < 0.5
        (torch.Size([200, 6]), True)
    """
    data = data if isinstance(data, Calibration) else Calibration(data)
    graph = capture(model, data.x[:1])
    names = _cuts(graph, tap, taps)
    settings = FitSettings(epochs=30, progress=False) if settings is None else settings
    with frozen(graph.module):
        return _Fitting(graph, names, data, settings, held_out, feature_weight, progress).run()


def _cuts(graph: Graph, tap: str | TapLike | None, taps: Sequence[str | TapLike] | None) -> list[str]:
    """Names of the values from the start back to the input."""
    _check(graph, tap)
    start = graph.outputs[0] if tap is None else resolve_tap(graph, tap)
    if start in graph.inputs or not _has_rows(graph, start):
        raise NotInvertibleError(
            f"fit_replacements: the chain cannot start at {start!r}, which is the network's input or holds no"
            " real numbers for every sample by itself; name another tap"
        )
    chosen = cut_points(graph).values() if taps is None else [resolve_tap(graph, one) for one in taps]
    passed = {name for name in chosen if name in graph.dominators[start] and name not in graph.inputs}
    usable = [name for name in passed - {start} if _has_rows(graph, name)]
    return [start, *sorted(usable, key=graph.order.__getitem__, reverse=True), graph.inputs[0]]


def _check(graph: Graph, tap: str | TapLike | None) -> None:
    single = len(graph.inputs) == 1 and (tap is not None or len(graph.outputs) == 1)
    if not single or graph.whole or graph.fixed_batch is not None:
        raise NotInvertibleError(
            f"fit_replacements: the network has {len(graph.inputs)} inputs, {len(graph.whole)} of them of"
            f" whole numbers, {len(graph.outputs)} outputs, and takes batches of"
            f" {graph.fixed_batch or 'any size'}; wanted one input of real numbers, one output or a"
            " tap, and any batch size"
        )


def _has_rows(graph: Graph, name: str) -> bool:
    """Whether a value holds real numbers with one row a sample."""
    layout = graph.layout(name)
    return graph.is_real(name) and layout is not None and (layout.axis, layout.fold) == (0, 1)


@final
class _Fitting:
    """The state of one call of :func:`fit_replacements`."""

    def __init__(
        self,
        graph: Graph,
        names: list[str],
        data: Calibration,
        settings: FitSettings,
        held_out: float,
        feature_weight: float,
        progress: Progress | None,
    ) -> None:
        self.graph, self.names, self.settings, self.weight = graph, names, settings, feature_weight
        self.progress = progress
        groups = torch.arange(len(data.x)) if data.groups is None else data.groups
        shares = split_rows(groups, held_out, settings.seed)
        values = [values_at(graph, names, data, share) for share in shares]
        self.train, self.validation, self.test = values
        self.groups = groups[shares[0]]
        self.means = {name: value.mean(0) for name, value in self.train.items()}

    def run(self) -> ReplacedInverse:
        """Closed forms, then every stage by itself, then all together."""
        chain = self._closed()
        before = self._errors(chain)
        start = {name: value.clone() for name, value in chain.state_dict().items()}
        aim = self.validation[self.names[0]], self.validation[self.names[-1]]
        closed = error_of(chain, *aim)
        self._each_stage(chain)
        if error_of(chain, *aim) > closed:  # better steps need not make a better chain
            chain.load_state_dict(start)
        middle = self._errors(chain)
        self._all_stages(chain)
        after = self._errors(chain)
        labels = [*self.names[1:-1], "input", "features"]
        rows = zip(labels, before, middle, after, strict=True)
        chain.table = Comparison(tuple(Line(*row) for row in rows))
        return chain.eval()

    def _closed(self) -> ReplacedInverse:
        context = RuleContext(self.graph)
        stages: list[Stage] = []
        estimates = {key: values[self.names[0]] for key, values in self._sets().items()}
        lossless = True
        for done, (target, source) in enumerate(zip(self.names, self.names[1:], strict=False)):
            self._tell("closed forms", done)
            segment = Segment(self.graph, source, target, context)
            exact = lossless and segment.guarantee.keeps_everything
            stage = Stage(Rule(segment)) if exact else self._lossy(segment, estimates)
            lossless = exact
            stages.append(stage)
            estimates = {key: applied(stage, value) for key, value in estimates.items()}
        return ReplacedInverse(self.graph, self.names, stages, self.names[:-1])

    def _lossy(self, segment: Segment, estimates: Values) -> Stage:
        """The better of the rule and the linear estimate, with a correction that is still nothing."""
        truth, held = self.train[segment.source], self.validation[segment.source]
        y = estimates["train"]
        candidates: list[nn.Module] = [closed_form(y, truth, self.groups)]
        if segment.has_formula:
            candidates.append(Rule(segment))
        errors = [error_of(base, estimates["validation"], held) for base in candidates]
        base = candidates[errors.index(min(errors))]
        corrector = Corrector(truth.shape[1:], y.shape[1:]).to(truth)
        corrector.standardise(y, truth)
        stage = Stage(base, corrector, segment.consistent if segment.is_onto else None)
        plain = Stage(base, corrector)
        worse = error_of(stage, estimates["validation"], held)
        return stage if worse <= error_of(plain, estimates["validation"], held) else plain

    def _each_stage(self, chain: ReplacedInverse) -> None:
        inputs = {key: values[self.names[0]] for key, values in self._sets().items()}
        for done, (stage, source) in enumerate(zip(chain.stages, self.names[1:], strict=True)):
            self._tell("layer by layer", done)
            if isinstance(stage, Stage) and stage.corrector is not None:
                truth = (self.train[source], self.validation[source])
                size = self._size(source)
                train_from_here(
                    stage,
                    lambda model, batch, size=size: row_squares(model(batch[0]), batch[1]) / size,
                    (inputs["train"], truth[0]),
                    (inputs["validation"], truth[1]),
                    self.settings,
                )
            inputs = {key: applied(stage, value) for key, value in inputs.items()}

    def _all_stages(self, chain: ReplacedInverse) -> None:
        self._tell("end to end", 0)
        start, end = self.names[0], self.names[-1]
        size, graph = self._size(end), self.graph

        def losses(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
            y, x = batch
            found = model(y)
            loss = row_squares(found, x) / size
            if self.weight > 0:
                again = evaluate(graph, {end: found}, [start])[start]
                loss = loss + self.weight * row_squares(again, y) / y.square().mean()
            return loss

        if any(isinstance(stage, Stage) and stage.corrector is not None for stage in chain.stages):
            train_from_here(
                chain,
                losses,
                (self.train[start], self.train[end]),
                (self.validation[start], self.validation[end]),
                replace(self.settings, learning_rate=self.settings.learning_rate / 3),
            )

    @torch.no_grad()
    def _errors(self, chain: ReplacedInverse) -> list[float]:
        start, end = self.names[0], self.names[-1]
        y = self.test[start]
        parts = [[step.detach() for step in chain.eval().steps(part)] for part in y.split(32)]
        found = [torch.cat(column) for column in zip(*parts, strict=True)]
        errors = [
            relative_error(value, self.test[name], self.means[name])
            for name, value in zip(self.names[1:], found, strict=True)
        ]
        again = [evaluate(self.graph, {end: part}, [start])[start] for part in found[-1].split(32)]
        return [*errors, feature_error(torch.cat(again), y)]

    def _size(self, name: str) -> float:
        away = self.train[name] - self.means[name]
        return max(away.square().mean().item(), torch.finfo(torch.float32).tiny)

    def _sets(self) -> dict[str, Values]:
        return {"train": self.train, "validation": self.validation}

    def _tell(self, stage: str, done: int) -> None:
        if self.progress is not None:
            self.progress(stage, done, len(self.names) - 1)
