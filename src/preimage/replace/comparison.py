"""Errors before and after training, side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from preimage.certificate import relative_residual


@dataclass(frozen=True)
class Line:
    """One value of the network and how well it was estimated on held-out data.

    Args:
        value: name of the value; the input of the network in the last line but one, features in the last.
        closed_form: error of the closed forms.
        layer_by_layer: after every stage was trained by itself.
        end_to_end: after all stages were trained together.
    """

    value: str
    closed_form: float
    layer_by_layer: float
    end_to_end: float


@dataclass(frozen=True)
class Comparison:
    """Before and after: one line a value, then the input, then the features.

    Errors of values are ``sqrt(mean |x_hat - x|^2 / mean |x - mean x|^2)``: 0 is perfect, 1 is the mean. The
    error of the features is the median of ``|f(x_hat) - y| / |y|``.

    Example:
        >>> print(Comparison((Line("input", 0.5, 0.4, 0.3),)))
        value  closed form  layer by layer  end to end
        input  0.5000       0.4000          0.3000
    """

    lines: tuple[Line, ...]

    def __getitem__(self, value: str) -> Line:
        """The line of a value."""
        return next(line for line in self.lines if line.value == value)

    def __str__(self) -> str:
        rows = [("value", "closed form", "layer by layer", "end to end")]
        rows += [
            (line.value, *(f"{e:.4f}" for e in (line.closed_form, line.layer_by_layer, line.end_to_end)))
            for line in self.lines
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows)

    def to_dict(self) -> list[dict[str, Any]]:
        """Plain data for JSON."""
        return [asdict(line) for line in self.lines]


def relative_error(estimate: Tensor, truth: Tensor, mean: Tensor) -> float:
    """``sqrt(mean |x_hat - x|^2 / mean |x - mean|^2)``; the mean is that of the training data."""
    size = (truth - mean).square().mean().clamp_min(torch.finfo(truth.dtype).tiny)
    return ((estimate - truth).square().mean() / size).sqrt().item()


def feature_error(again: Tensor, y: Tensor) -> float:
    """Median of ``|f(x_hat) - y| / |y|``."""
    return relative_residual(again, y).median().item()
