"""From a network to its inverse, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from preimage.capture.export import capture
from preimage.capture.graph import Graph
from preimage.capture.taps import TapLike, path_of, resolve_tap
from preimage.errors import NotInvertibleError, UnknownTapError
from preimage.inverse import rules
from preimage.inverse.calibrate import Decoder, DecoderFit
from preimage.inverse.calibration import Calibration, Data, gathered
from preimage.inverse.checks import check_example
from preimage.inverse.inverse import Inverse
from preimage.inverse.packing import sample_rows
from preimage.inverse.planning.plan import plan
from preimage.inverse.posterior.measure import error_models

Taps = str | Iterable[str | nn.Module] | Mapping[str, str | TapLike | nn.Module]
Progress = Callable[[str, int, int], None]
"""Called with a stage, the steps done and the steps in all."""

RULES = rules.__all__
"""The rooms of built-in rules; importing them is what registers the rules."""


@torch.inference_mode(False)
def invert(
    model: nn.Module,
    example: Tensor | tuple[Tensor, ...],
    calibration: Data | Calibration | None = None,
    *,
    taps: Taps | None = None,
    progress: Progress | None = None,
) -> Inverse:
    """Turn a network into its inverse: exact where possible, least squares or calibrated where not.

    Data-free, the network's own operations are inverted region by region: linear maps by their
    pseudo-inverse, saturated ones from their unsaturated outputs, residual blocks as equations. With
    calibration data, a linear minimum mean-square decoder is fitted in closed form for each tap. The network
    is not changed.

    Args:
        model: any ``nn.Module`` in evaluation mode whose forward pass can be exported.
        example: one input ``(N, *event)``, or a tuple for several inputs; only shapes matter.
        calibration: inputs ``(N, *event)`` whose statistics the decoders use: a tensor, an array, a list of
            inputs, a ``Dataset`` or a ``DataLoader``; or a ``Calibration``, which also says which share a
            source.
        taps: names, or label -> name, of the values from which inversions will start: values of the graph,
            module paths or modules. All cut points of the network by default.
        progress: called while calibrating with (stage, done, total).

    Returns:
        The inverse: ``inverse(y, tap=...)``, ``inverse.solve(...)``, ``inverse.report``.

    Raises:
        NotInvertibleError: when the network is in training mode.
        CaptureError: when it cannot be captured.
        UnknownTapError: when a tap does not exist.
        ShapeError: for an unusable example or calibration set.

    Cost:
        One traced forward pass; with calibration, one forward pass over the data and one small linear system
        for each tap.

    Example:
        >>> import torch, preimage as pi
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LeakyReLU(0.3), torch.nn.Linear(3, 2))
        >>> inverse = pi.invert(net, torch.zeros(1, 4))
        >>> y = torch.tensor([[1.0, -2.0]])
        >>> torch.allclose(net(inverse(y)), y, atol=1e-4)  # a preimage of y, one of many
        True
    """
    examples = check_example(example)
    graph = capture(model, example)
    names = _names(graph, taps)
    decoders: dict[str, Decoder] = {}
    if calibration is not None:
        data = calibration if isinstance(calibration, Calibration) else Calibration(gathered(calibration))
        decoders = calibrate(graph, names, data, progress)
    return Inverse(graph, names, decoders, examples)


def _names(graph: Graph, taps: Taps | None) -> dict[str, str]:
    if taps is None:
        return cut_points(graph)
    if isinstance(taps, Mapping):
        return {str(label): resolve_tap(graph, tap) for label, tap in taps.items()}
    several: Iterable[str | nn.Module] = (taps,) if isinstance(taps, str | nn.Module) else taps
    return {_name(graph, tap): resolve_tap(graph, tap) for tap in several}


def _name(graph: Graph, tap: str | nn.Module) -> str:
    return path_of(graph, tap) if isinstance(tap, nn.Module) else tap


def cut_points(graph: Graph) -> dict[str, str]:
    """Values through which everything passes and at which a step of the plan ends, shallow to deep."""
    if len(graph.outputs) != 1 or len(graph.inputs) != 1:
        return {name: name for name in graph.outputs}
    names = [
        region.targets[0]
        for region in reversed(plan(graph, graph.outputs).regions)
        if len(region.targets) == 1
    ]
    passed = [name for name in names if name in graph.dominators[graph.outputs[0]]]
    return {_label(graph, name): name for name in dict.fromkeys(passed)}


def _label(graph: Graph, name: str) -> str:
    """The module path where it means this value alone, else the value's own name."""
    for path in graph.by_name[name].stack:
        try:
            if path and resolve_tap(graph, path.split("@", maxsplit=1)[0]) == name:
                return path.split("@", maxsplit=1)[0]
        except UnknownTapError:
            continue
    return name


def calibrate(
    graph: Graph, names: Mapping[str, str], data: Calibration, progress: Progress | None = None
) -> dict[str, Decoder]:
    """Fit a decoder for each tap in one pass over the data, and see how it errs on a part of them.

    Args:
        graph: the captured network.
        names: label -> value name.
        data: inputs and their groups.
        progress: called with (stage, done, total).
    """
    if len(graph.inputs) != 1:
        raise NotInvertibleError(
            f"a calibrated decoder estimates one input; the network takes {len(graph.inputs)}:"
            f" {list(graph.inputs)}. Leave calibration out and use data_free or solve"
        )
    fits = {label: DecoderFit(graph.input_shapes[0], _event(graph, name)) for label, name in names.items()}
    features = Inverse(graph, names).features
    for done, (x, groups) in enumerate(data):
        if progress is not None:
            progress("statistics", done, data.batches)
        values = features(x)
        for label, rows in _rows(graph, names, values).items():
            fits[label].update(x, rows, groups)
    decoders = {}
    with torch.no_grad():
        for done, (label, fit) in enumerate(fits.items()):
            if progress is not None:
                progress("decoders", done, len(fits))
            decoders[label] = fit.solve()
        for label, model in error_models(fits, lambda x: _rows(graph, names, features(x)), data).items():
            decoders[label].errors = model
    return decoders


def _rows(graph: Graph, names: Mapping[str, str], values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {label: sample_rows(graph, names[label], value) for label, value in values.items()}


def _event(graph: Graph, name: str) -> tuple[int, ...]:
    """Shape of one sample of a value; ``(1,)`` for one number."""
    layout = graph.layout(name)
    shape = graph.shape(name) or (1,)
    return shape if layout is None or layout.fold == 1 else (layout.fold, *shape)
