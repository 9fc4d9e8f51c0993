"""Layers and their inverses in one table: errors of both round trips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import nn

from preimage.bijection import Bijection, Chain
from preimage.certify import flat
from preimage.errors import PreimageError


class Pair(Protocol):
    """Anything with a way there and a way back: a bijection, a one-sided map."""

    def __call__(self, x: Any, /) -> Any:
        """f(x)."""
        ...

    def inverse(self, y: Any, /) -> Any:
        """g(y)."""
        ...


@dataclass(frozen=True)
class PairRow:
    """Errors of one layer.

    Args:
        name: of the layer.
        there_and_back: largest ``|g(f(x)) - x|``.
        there_and_back_relative: ``|g(f(x)) - x| / |x|``, largest over the rows, Euclidean norms.
        back_and_there: largest ``|f(g(y)) - y|`` for y = f(x).
        back_and_there_relative: relative to ``|y|``.
        problem: the exception, where one of the two could not be computed; the errors are infinite then.
    """

    name: str
    there_and_back: float
    there_and_back_relative: float
    back_and_there: float
    back_and_there_relative: float
    problem: str = ""


@dataclass(frozen=True)
class PairTable:
    """One row a layer, and the worst of all.

    Example:
        >>> from preimage.layers import LeakyReLU
        >>> pair_check(LeakyReLU(0.5), torch.ones(1, 2)).worst
        0.0
    """

    rows: tuple[PairRow, ...]

    @property
    def worst(self) -> float:
        """The largest relative error of any layer in either direction."""
        errors = [e for r in self.rows for e in (r.there_and_back_relative, r.back_and_there_relative)]
        return max(errors, default=0.0)

    def __str__(self) -> str:
        heads = ("layer", "|g(f(x))-x|", "relative", "|f(g(y))-y|", "relative", "")
        cells = [heads, *(_cells(row) for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
        return "\n".join(
            "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in cells
        )

    def to_dict(self) -> list[dict[str, Any]]:
        """Plain data for JSON."""
        return [asdict(row) for row in self.rows]


@torch.no_grad()
def pair_check(layers: Pair | Mapping[str, Pair] | Sequence[Pair], x: Any) -> PairTable:
    """Run layers there and back, and back and there, and put the errors of all in one table.

    The layers run one after another: what the first gives is what the second is checked on. Rules, chains and
    one-sided maps are taken as they are; which of the two errors must vanish depends on their side.

    Args:
        layers: one layer, whose parts get rows of their own where it is a chain; or several in a sequence or
            by name. Each has ``inverse``.
        x: input of the first, ``(N, *event)``, or a tuple of tensors.

    Returns:
        The table; ``print`` shows it, ``worst`` is one number.

    Cost: two runs in either direction a layer.

    Example:
        >>> from preimage.layers import Affine, LeakyReLU
        >>> table = pair_check(Chain(Affine(2), LeakyReLU(0.5)), torch.tensor([[1.0, -2.0]]))
        >>> [row.name for row in table.rows], table.worst
        (['0 Affine', '1 LeakyReLU', 'all'], 0.0)
    """
    rows, value = [], x
    for name, layer in _named(layers):
        row, value = _row(name, layer, value)
        rows.append(row)
        if value is None:
            break
    if isinstance(layers, Chain) and len(rows) > 1:
        rows.append(_row("all", layers, x)[0])
    return PairTable(tuple(rows))


def _named(layers: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(layers, Mapping):
        yield from layers.items()
    elif isinstance(layers, Chain) or not isinstance(layers, Bijection | nn.Module):
        parts = list(layers) if isinstance(layers, Sequence | Chain) else [layers]
        yield from ((f"{place} {type(layer).__name__}", layer) for place, layer in enumerate(parts))
    else:
        yield type(layers).__name__, layers


def _row(name: str, layer: Any, x: Any) -> tuple[PairRow, Any]:
    y, infinite = None, (float("inf"),) * 4
    try:
        y = layer(x)
        back = layer.inverse(y)
        errors = (*_errors(back, x), *_errors(layer(back), y))
    except (PreimageError, RuntimeError) as error:
        return PairRow(name, *infinite, problem=f"{type(error).__name__}: {str(error).splitlines()[0]}"), y
    return PairRow(name, *errors), y


def _errors(found: Any, wanted: Any) -> tuple[float, float]:
    """Largest absolute error, and the largest relative one of a row; infinite where NaN comes out."""
    found, wanted = flat(found).double(), flat(wanted).double()
    away = (found - wanted).nan_to_num(nan=float("inf"))
    if not away.numel():
        return 0.0, 0.0
    size = torch.linalg.vector_norm(wanted, dim=1)
    relative = torch.linalg.vector_norm(away, dim=1) / torch.where(size > 0, size, 1.0)
    return away.abs().max().item(), relative.max().item()


def _cells(row: PairRow) -> tuple[str, ...]:
    values = [v for v in asdict(row).values() if isinstance(v, float)]
    return (row.name, *(f"{value:.2e}" for value in values), row.problem)
