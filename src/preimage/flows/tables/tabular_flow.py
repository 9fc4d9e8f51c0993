"""One density for a data frame with columns of every kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from preimage.errors import ModelFileError, ShapeError
from preimage.flows.presets import nsf
from preimage.flows.tables import category, kinds, missing
from preimage.flows.tables.column import Column
from preimage.flows.tables.infer import as_columns, infer_columns
from preimage.storage import DEFAULT_LIMITS, Limits, read_directory, write_directory
from preimage.training import FitSettings, History, fit

KIND, VERSION = "table flow", 1
KINDS: dict[str, type[Column]] = {
    kind.__name__: kind
    for kind in (kinds.Real, kinds.Positive, kinds.Bounded, kinds.Whole, category.Category, missing.Missing)
}


class TabularFlow(nn.Module):
    r"""A density of the rows of a data frame, in the units of its columns.

    Every column becomes real numbers, on which one autoregressive spline flow is learnt. With whole numbers,
    categories or missing values, ``log_prob`` is a bound from below: of the probability of those, times the
    density of the others.

    Reference: Durkan et al. (2019), https://arxiv.org/abs/1906.04032; Nielsen et al. (2020), SurVAE flows,
    https://arxiv.org/abs/2007.02731

    Args:
        columns: their kinds, see :func:`infer_columns`; or a data frame to infer them from.
        transforms: of the flow.
        hidden_features: widths of its networks.
        bins: of its splines.

    Raises:
        ShapeError: no columns, or two of one name.

    Cost: that of the flow; a category with K values counts as K numbers.

    Example:
        >>> rows = {"height": np.random.randn(200) + 170.0, "group": ["a", "b"] * 100}
        >>> flow = TabularFlow(rows, transforms=1).fit(rows, epochs=1, progress=False)
        >>> flow.log_prob(rows).shape, sorted(flow.sample(3))
        (torch.Size([200]), ['group', 'height'])
    """

    def __init__(
        self,
        columns: Sequence[Column] | Any,
        *,
        transforms: int = 4,
        hidden_features: Sequence[int] = (64, 64),
        bins: int = 8,
    ) -> None:
        super().__init__()
        listed = isinstance(columns, list | tuple) and all(isinstance(c, Column) for c in columns)
        members = list(columns) if listed else infer_columns(columns)
        names = [column.name for column in members]
        if not names or len(set(names)) < len(names):
            raise ShapeError(f"TabularFlow: columns are named {names}, wanted one or more different names")
        self.columns = nn.ModuleList(members)
        self.arguments = {"transforms": transforms, "hidden_features": list(hidden_features), "bins": bins}
        width = sum(column.width for column in members)
        self.flow = nsf(width, transforms=transforms, hidden_features=tuple(hidden_features), bins=bins)
        self.history = History()
        self.pandas = False

    def _members(self) -> list[Column]:
        return cast("list[Column]", list(self.columns))

    @property
    def likelihood(self) -> str:
        """``"exact"``, or ``"bound"`` where a column is discrete or has missing values."""
        return "exact" if all(column.exact for column in self._members()) else "bound"

    def encode(self, frame: Any) -> Tensor:
        """The codes of a data frame, one row each ``(N, columns)``, NaN where values are missing.

        Raises:
            ShapeError: a column is absent.
            DomainError: a value does not fit its column.
        """
        found = as_columns(frame)
        absent = [column.name for column in self._members() if column.name not in found]
        if absent:
            raise ShapeError(f"TabularFlow: columns {absent} are absent, the table has {sorted(found)}")
        codes = [column.encode(found[column.name]) for column in self._members()]
        return torch.as_tensor(np.stack(codes, axis=1))

    def decode(self, codes: Tensor) -> dict[str, np.ndarray]:
        """The columns of codes ``(N, columns)``, by name."""
        table = codes.detach().double().cpu().numpy()
        return {column.name: column.decode(table[:, i]) for i, column in enumerate(self._members())}

    def forward(self, codes: Tensor) -> Tensor:
        """The log-density of codes ``(N, columns)``, one draw of what is random, ``(N,)``."""
        lifted = [column.lift(codes[:, i]) for i, column in enumerate(self._members())]
        y = torch.cat([numbers for numbers, _ in lifted], dim=1)  # (N, width)
        return self.flow(y) + torch.stack([weight for _, weight in lifted]).sum(0)

    @torch.no_grad()
    def log_prob(self, frame: Any, draws: int = 1) -> Tensor:
        r"""The log-density of every row, in the units of the data.

        Args:
            frame: a data frame, or a mapping from names to values.
            draws: K of the bound :math:`\log \frac1K \sum_k p(y_k) e^{w_k}`, which rises towards the truth
                with K; one is enough where the density is exact.

        Returns:
            Tensor ``(N,)``.
        """
        codes = self.encode(frame).to(self._reference())
        each = torch.stack([self(codes) for _ in range(draws)])
        return each.logsumexp(0) - math.log(draws)

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator | None = None) -> Any:
        """Rows of the density: a pandas data frame if it was fitted to one, else columns by name.

        Args:
            count: number of rows.
            generator: source of randomness; the global one by default.
        """
        y = self.flow.sample(count, generator=generator)
        parts = y.split([column.width for column in self._members()], dim=1)
        pairs = zip(self._members(), parts, strict=True)
        table = self.decode(torch.stack([column.lower(part) for column, part in pairs], dim=1))
        if not self.pandas:
            return table
        import pandas as pd

        return pd.DataFrame(table)

    def fit(self, frame: Any, **settings: Any) -> Self:
        """Maximise the mean log-density of the rows; see :func:`preimage.training.fit`.

        Args:
            frame: a data frame, or a mapping from names to values.
            settings: see :class:`preimage.training.FitSettings`.

        Returns:
            The flow itself, with the run in ``history``.
        """
        self.pandas = type(frame).__module__.split(".")[0] == "pandas"
        codes = self.encode(frame)
        there = torch.cat([codes.nan_to_num(), codes.isnan().double()], dim=1)

        def losses(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
            values, gone = batch[0].chunk(2, dim=1)
            return -cast(Tensor, model(values.masked_fill(gone > 0, math.nan)))

        self.history = fit(self, losses, there, FitSettings(**settings))
        return self

    def save(self, path: str | Path) -> Path:
        """Write the flow to a directory, see :func:`preimage.flows.save`."""
        described = [{"kind": type(c).__name__, "name": c.name} | c.plain() for c in self._members()]
        config = {"columns": described, "arguments": self.arguments, "history": list(self.history)}
        config["pandas"] = self.pandas
        return write_directory(path, KIND, VERSION, self.state_dict(), config)

    @classmethod
    def load(cls, path: str | Path, limits: Limits = DEFAULT_LIMITS) -> TabularFlow:
        """Read a flow that :meth:`save` wrote, in evaluation mode.

        Raises:
            ModelFileError: the directory is not a table flow, or does not fit together.
        """
        from preimage.flows.budget import Budget

        tensors, config = read_directory(path, KIND, VERSION, limits)
        try:
            with Budget(100_000 + 30 * sum(tensor.numel() for tensor in tensors.values())):
                flow = cls([_made(dict(c)) for c in config["columns"]], **config["arguments"])
            flow.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, MemoryError) as error:
            raise ModelFileError(f"{path}: no table flow can be built from it: {error}") from error
        flow.history.extend(config.get("history", []))
        flow.pandas = bool(config.get("pandas"))
        return flow.eval()

    def _reference(self) -> Tensor:
        return next(self.flow.parameters())


def _made(described: dict[str, Any]) -> Column:
    """The column that a description names."""
    kind, name = KINDS[described.pop("kind")], described.pop("name")
    if kind is missing.Missing:
        return missing.Missing(_made({"name": name} | described["column"]))
    return kind(name, **described)
