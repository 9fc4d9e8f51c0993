"""A report on a flow and held-out data, whatever they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from preimage.flows.report.columns import axes_of
from preimage.flows.report.corner import corner_plot
from preimage.flows.report.curves import training_curve
from preimage.flows.report.latent_check import kolmogorov_distance, latent_check, latent_figures
from preimage.flows.report.report import Plot, Report
from preimage.flows.report.sheet import sheets
from preimage.flows.report.subjects import Arrays, Frames, Subject, flat
from preimage.flows.tables import TabularFlow

if TYPE_CHECKING:
    from preimage.flows.flow import Flow

SHOWN = 32  # pictures of a sheet
MOST_LATENTS = 1024  # rows whose latents are looked at
MOST_NUMBERS = 64  # numbers a row whose distributions are compared


@torch.no_grad()
def describe(
    flow: Flow | TabularFlow,
    data: Any,
    context: Any = None,
    *,
    names: Sequence[str] = (),
    title: str = "A trained flow",
    count: int = 2000,
    seed: int = 0,
) -> Report:
    r"""Measure a flow on held-out data, and draw what it learnt.

    Reported are the mean log-density with its standard error :math:`s/\sqrt{N}`, how far samples are from
    data in every column, and how far encoded data are from the base.

    Reference: Papamakarios et al. (2021), section 2, https://arxiv.org/abs/1912.02762

    Args:
        flow: the flow; its ``history`` is drawn where it has one.
        data: rows that were not trained on: a tensor ``(N, *event)``, or a data frame for a ``TabularFlow``,
            then with the columns of the context.
        context: of the rows ``(N, ...)``, for conditional flows of tensors.
        names: of the numbers of a row.
        title: of the report.
        count: samples that are drawn; for a conditional flow at most one for each row.
        seed: of the samples and of noise that the density draws.

    Returns:
        The report; ``report.save(folder)`` writes it.

    Raises:
        ShapeError: data or names do not fit.
        MissingExtraError: matplotlib is not installed.

    Cost: one density for every row, ``count`` samples.

    Example:
        >>> from preimage import flows
        >>> flow = flows.maf(2, transforms=1)
        >>> report = describe(flow, torch.randn(50, 2), count=50)
        >>> sorted(report.plots), report.numbers["held_out"]["rows"]
        (['corner', 'latents'], 50)
    """
    training = flow.training
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            flow.eval()
            return _described(flow, _subject(flow, data, context, names), title, count)
    finally:
        flow.train(training)


def _subject(flow: Any, data: Any, context: Any, names: Sequence[str]) -> Subject:
    if isinstance(flow, TabularFlow):
        return Frames(flow, data)
    return Arrays(flow, torch.as_tensor(data), context, names)


def _described(flow: Any, subject: Subject, title: str, count: int) -> Report:
    held_out = _held_out(flow, subject)
    rows = min(count, subject.rows)
    samples = subject.samples(rows if subject.conditional else count)
    latents, drawn = subject.latents(min(rows, MOST_LATENTS))
    tables = flat(latents), flat(drawn)
    columns = subject.columns(subject.rows), subject.sample_columns(samples)
    numbers = {
        "held_out": held_out,
        "parameters": sum(p.numel() for p in flow.parameters()),
        "latents": latent_figures(*tables),
        "columns": _distances(*columns) if len(columns[0]) <= MOST_NUMBERS else {},
        "history": list(flow.history),
    }
    plots = _history(flow, held_out)
    plots |= _shown(subject, samples, columns)
    energies = subject.energies(latents), subject.energies(drawn)
    plots["latents"] = Plot("Latent check", _LATENTS, latent_check(*tables, energies))
    return Report(title, _lead(held_out), _facts(flow, held_out, numbers), numbers, plots)


_LATENTS = (
    "Held-out data, encoded, against draws of the base. Where the flow fits, the lines lie on the diagonal"
    " and the histograms on each other."
)
_CORNER = (
    "Held-out data below the diagonal, samples above it, both on it. Where the flow fits, the plot is"
    " symmetric."
)
_SHEETS = "Pictures that were not trained on, beside pictures that the flow drew."


def _held_out(flow: Any, subject: Subject) -> dict[str, Any]:
    log_prob = subject.log_prob()
    finite = log_prob[log_prob.isfinite()]
    # Infinite densities are counted, not averaged away: the mean is that of all rows.
    found = {
        "rows": len(log_prob),
        "mean_log_prob": log_prob.mean().item(),
        "standard_error": (finite.std() / math.sqrt(len(finite))).item() if len(finite) > 1 else math.nan,
        "not_finite": len(log_prob) - len(finite),
        "likelihood": flow.likelihood,
    }
    if isinstance(subject, Arrays) and subject.x.dim() > 2:
        found["bits_per_dim"] = -found["mean_log_prob"] / (math.log(2) * len(subject.names))
    return found


def _distances(data: dict[str, Any], samples: dict[str, Any]) -> dict[str, float]:
    """Kolmogorov distance of data and samples in every column, of the values that are there."""
    return {
        axis.name: kolmogorov_distance(
            axis.data[axis.data == axis.data], axis.samples[axis.samples == axis.samples]
        )
        for axis in axes_of(data, samples)
    }


def _history(flow: Any, held_out: dict[str, Any]) -> dict[str, Plot]:
    if not flow.history:
        return {}
    pictures = _of_pictures(flow)
    per = held_out["mean_log_prob"] / -held_out["bits_per_dim"] if pictures else 1.0
    figure = training_curve(flow.history, per, "bits per dimension" if pictures else "nats a row")
    return {
        "training": Plot(
            "Training", "Losses over the epochs; the weights of the marked one were kept.", figure
        )
    }


def _shown(subject: Subject, samples: Any, columns: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Plot]:
    if isinstance(subject, Arrays) and _is_pictures(subject.flow, subject.x):
        parts = {"held out": subject.x[:SHOWN], "samples": samples[:SHOWN]}
        figure = sheets({name: _bytes(subject.flow, part) for name, part in parts.items()})
        return {"samples": Plot("Samples", _SHEETS, figure)}
    return {"corner": Plot("Data and samples", _CORNER, corner_plot(*columns))}


def _of_pictures(flow: Any) -> bool:
    return getattr(flow, "surjection", None) is not None


def _is_pictures(flow: Any, x: Tensor) -> bool:
    return x.dim() == 4 and x.shape[1] in (1, 3) and (_of_pictures(flow) or bool(((x >= 0) & (x <= 1)).all()))


def _bytes(flow: Any, pictures: Tensor) -> Tensor:
    """Grey levels of 0 to 255: as they are where the flow knows levels, else from 0..1."""
    levels = getattr(getattr(flow, "surjection", None), "levels", None)
    scale = 255.0 if levels is None else 255 / (levels - 1)
    return (pictures.double().cpu() * scale).round().clamp(0, 255).to(torch.uint8)


def _lead(held_out: dict[str, Any]) -> str:
    mean, error = held_out["mean_log_prob"], held_out["standard_error"]
    bound = "at least " if held_out["likelihood"] == "bound" else ""
    said = (
        f"Mean log-density of {held_out['rows']:,} held-out rows: {bound}{mean:.4g} ± {error:.2g} nats a row"
    )
    said += f", {held_out['bits_per_dim']:.4g} bits per dimension." if "bits_per_dim" in held_out else "."
    wrong = held_out["not_finite"]
    return said + (f" {wrong} rows have no finite density." if wrong else "")


def _facts(flow: nn.Module, held_out: dict[str, Any], numbers: dict[str, Any]) -> dict[str, str]:
    recipe = getattr(flow, "recipe", None)
    facts = {
        "model": type(flow).__name__ if recipe is None else recipe.preset,
        "parameters": f"{numbers['parameters']:,}",
        "held-out log-density": f"{held_out['mean_log_prob']:.4g} ± {held_out['standard_error']:.2g} nats",
        "likelihood": held_out["likelihood"],
        "worst latent": f"{numbers['latents']['largest_distance']:.3f} from the base",
    }
    if numbers["columns"]:
        name, distance = max(numbers["columns"].items(), key=lambda pair: pair[1])
        facts["worst column"] = f"{name}: {distance:.3f} from the data"
    if numbers["history"]:
        facts["epochs"] = str(len(numbers["history"]))
    return facts
