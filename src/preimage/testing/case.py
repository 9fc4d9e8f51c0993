"""One bijection with an input, as every law receives it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context, as_tuple, unpack

Run = Callable[[Any, Any], tuple[Any, Tensor]]


def convert(tensors: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Apply a change to one tensor or to each of a tuple; None stays None."""
    return None if tensors is None else unpack(change(tensor) for tensor in as_tuple(tensors))


@dataclass(frozen=True)
class Case:
    """A bijection, an input and a context, with the tolerance they are judged by.

    Args:
        layer: the bijection, float64.
        x: its input, ``(N, *event)`` or a tuple of such, float64.
        context: its context, ``(N, ...)``, or None.
        tolerance: factor on every tolerance; 1 for closed forms, more for solvers.
    """

    layer: Bijection
    x: Any
    context: Context = None
    tolerance: float = 1.0

    def fresh(self) -> Case:
        """The same case with a copy of the layer and of the tensors, for a law that changes things."""
        clone = lambda tensor: tensor.detach().clone()  # noqa: E731
        return replace(
            self,
            layer=copy.deepcopy(self.layer),
            x=convert(self.x, clone),
            context=convert(self.context, clone),
        )

    @property
    def y(self) -> Any:
        """The image of x."""
        with torch.no_grad():
            return self.layer.forward(self.x, self.context)

    @property
    def batch(self) -> int:
        """Number of rows."""
        return as_tuple(self.x)[0].shape[0]

    def to(self, dtype: torch.dtype) -> Case:
        """The case in another precision."""
        case = self.fresh()
        change = lambda tensor: tensor.to(dtype)  # noqa: E731
        layer = case.layer.to(dtype)
        return replace(case, layer=layer, x=convert(case.x, change), context=convert(case.context, change))

    def rows(self, index: Any) -> Case:
        """The case with some of the rows."""
        change = lambda tensor: tensor[index]  # noqa: E731
        return replace(self, x=convert(self.x, change), context=convert(self.context, change))

    def directions(self) -> dict[str, tuple[Run, Any]]:
        """Both directions by name, each with an input that suits it."""
        return {
            "forward": (self.layer.forward_and_log_det, self.x),
            "inverse": (self.layer.inverse_and_log_det, self.y),
        }


def flat(tensors: Any) -> Tensor:
    """All values of a row side by side, ``(N, D)``."""
    return torch.cat([_rows(tensor) for tensor in as_tuple(tensors)], dim=1)


def _rows(tensor: Tensor) -> Tensor:
    return tensor.flatten(1) if tensor.dim() > 1 else tensor[:, None]


def jacobian(run: Run, x: Any, context: Context) -> Tensor:
    """The Jacobian of every row by reverse-mode autograd, one pass per output.

    Args:
        run: a direction of a bijection whose rows do not depend on each other.
        x: its input, ``(N, *event)`` or a tuple of such, D values a row.
        context: its context.

    Returns:
        Tensor ``(N, D_out, D)``.
    """
    leaves = convert(x, lambda tensor: tensor.detach().requires_grad_())
    y = flat(run(leaves, context)[0])  # (N, D_out)
    rows = [
        torch.autograd.grad(y[:, i].sum(), as_tuple(leaves), retain_graph=True, allow_unused=True)
        for i in range(y.shape[1])
    ]
    zeros = [torch.zeros_like(leaf) for leaf in as_tuple(leaves)]
    filled = [flat(tuple(z if g is None else g for g, z in zip(row, zeros, strict=True))) for row in rows]
    return torch.stack(filled, dim=1)
