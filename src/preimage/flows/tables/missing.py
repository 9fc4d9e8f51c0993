"""Columns in which values may be missing."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from preimage.flows.tables.column import Column
from preimage.functional.event import sum_event
from preimage.layers import ArgmaxSurjection, GaussianNoise


class Missing(Column):
    r"""Another column, in which values may be missing; that they are is part of the density.

    Two more numbers say whether the value is there. Where it is not, a learnt distribution q fills in the
    numbers that it would have had, with the log-weight :math:`-\log q(y)`: the log-density is then a bound of
    the density of the rest of the row, together with the fact that the value is missing.

    Reference: Richardson, Wu, Lin, Xu, Bernal (2020), MCFlow, https://arxiv.org/abs/2003.12628, for flows and
    missing values; the bound is that of Nielsen et al. (2020), https://arxiv.org/abs/2007.02731

    Args:
        column: the column of the values that are there.

    Example:
        >>> from preimage.flows.tables import Real
        >>> column = Missing(Real("age"))
        >>> column.encode(np.array([30.0, np.nan]))
        array([30., nan])
    """

    exact: ClassVar[bool] = False

    def __init__(self, column: Column) -> None:
        super().__init__(column.name, column.width + 2)
        self.column = column
        self.flag = ArgmaxSurjection(GaussianNoise(2))
        self.filler = GaussianNoise(column.width)
        nn.init.constant_(self.filler.log_scale, 0.0)

    def lift(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """The flag, then the numbers of the value, or those that fill in for it."""
        gone = code.isnan()
        flag, flag_weight = self.flag.forward_and_log_weight(gone.long())
        there, weight = self.column.lift(code.nan_to_num(nan=self._harmless()))
        filled = self.filler.sample(there)
        fill_weight = -sum_event(self.filler.log_prob(filled, there)[:, None])
        y = torch.where(gone[:, None], filled, there)
        return torch.cat([flag, y], dim=1), flag_weight + torch.where(gone, fill_weight, weight)

    def lower(self, y: Tensor) -> Tensor:
        """The value, or NaN where the flag says so."""
        code = self.column.lower(y[:, 2:])
        return torch.where(y[:, 1] > y[:, 0], torch.full_like(code, torch.nan), code)

    @property
    def conditions(self) -> int:
        """One more than the column."""
        return 1 + self.column.conditions

    def condition(self, code: Tensor) -> Tensor:
        """Whether the value is there, and what it is; zeros where it is not."""
        there = ~code.isnan()[:, None]
        told = self.column.condition(code.nan_to_num(nan=self._harmless()))
        return torch.cat([there.to(told.dtype), told * there], dim=1)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Codes of the values that are there, NaN for the others."""
        gone = is_missing(values)
        codes = np.full(len(values), np.nan)
        if not gone.all():
            codes[~gone] = self.column.encode(values[~gone])
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Values, with None or NaN where they are missing."""
        gone = np.isnan(codes)
        values = self.column.decode(np.where(gone, self._harmless(), codes))
        if values.dtype == object:
            values[gone] = None
            return values
        return np.where(gone, np.nan, values.astype(np.float64))

    def plain(self) -> dict[str, Any]:
        """The column of the values that are there."""
        return {"column": {"kind": type(self.column).__name__} | self.column.plain()}

    def _harmless(self) -> float:
        """A code that every column can lift: it is computed, and then not used."""
        return 0.5


def is_missing(values: np.ndarray) -> np.ndarray:
    """Which values are None or NaN, bool ``(N,)``.

    Example:
        >>> is_missing(np.array(["a", None], dtype=object))
        array([False,  True])
    """
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    return np.array([value is None or value != value for value in values.tolist()], dtype=bool)  # noqa: PLR0124
