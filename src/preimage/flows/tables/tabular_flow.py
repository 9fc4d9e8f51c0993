"""One density for a data frame with columns of every kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from preimage.errors import ContextError, ShapeError
from preimage.flows import probe
from preimage.flows.files import probed, records_of
from preimage.flows.presets import nsf
from preimage.flows.tables.column import Column
from preimage.flows.tables.files import KIND, VERSION, column_answers, described, rebuilt
from preimage.flows.tables.infer import as_columns, infer_columns
from preimage.storage import DEFAULT_LIMITS, Limits, read_directory, write_directory
from preimage.training import FitSettings, History, fit
from preimage.training.history import Listener


class TabularFlow(nn.Module):
    r"""A density of the rows of a data frame, in the units of its columns.

    Every column becomes real numbers, on which one autoregressive spline flow is learnt. With whole numbers,
    categories or missing values, ``log_prob`` is a bound from below: of the probability of those, times the
    density of the others.

    Reference: Durkan et al. (2019), https://arxiv.org/abs/1906.04032; Nielsen et al. (2020), SurVAE flows,
    https://arxiv.org/abs/2007.02731

    Args:
        columns: their kinds, see :func:`infer_columns`; or a data frame to infer them from.
        context: columns that the density is conditioned on, as kinds; or, with a data frame, their names.
        transforms: of the flow.
        hidden_features: widths of its networks.
        bins: of its splines.

    Raises:
        ShapeError: no columns, two of one name, or a context that is not in the data frame.

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
        context: Sequence[Column] | Sequence[str] = (),
        transforms: int = 4,
        hidden_features: Sequence[int] = (64, 64),
        bins: int = 8,
    ) -> None:
        super().__init__()
        members, given = _columns(columns, context)
        names = [column.name for column in members]
        if not names or len({*names, *(c.name for c in given)}) < len(names) + len(given):
            raise ShapeError(f"TabularFlow: columns are named {names}, wanted one or more different names")
        self.columns = nn.ModuleList(members)
        self.context = tuple(given)  # nothing of them is learnt, so they are no modules of this one
        self.arguments = {"transforms": transforms, "hidden_features": list(hidden_features), "bins": bins}
        widths = sum(column.width for column in members), sum(column.conditions for column in given)
        self.flow = nsf(*widths, transforms=transforms, hidden_features=tuple(hidden_features), bins=bins)
        self.history = History()
        self.pandas = False

    def _members(self) -> list[Column]:
        return cast("list[Column]", list(self.columns))

    def _conditions(self) -> list[Column]:
        return list(self.context)

    @property
    def likelihood(self) -> str:
        """``"exact"``, or ``"bound"`` where a column is discrete or has missing values."""
        return "exact" if all(column.exact for column in self._members()) else "bound"

    @property
    def checked(self) -> str:
        """What loading found about the answers of this flow; empty where it is not from a file."""
        return self.flow.checked

    def encode(self, frame: Any) -> Tensor:
        """The codes of a data frame, one row each ``(N, columns)``, NaN where values are missing.

        Raises:
            ShapeError: a column is absent.
            DomainError: a value does not fit its column.
        """
        return _encoded(self._members(), as_columns(frame))

    def encode_context(self, frame: Any) -> Tensor:
        """The codes of the columns that the density is conditioned on ``(N, contexts)``."""
        return _encoded(self._conditions(), as_columns(frame))

    def latents(self, frame: Any) -> Tensor:
        """The latents of every row ``(N, width)``, one draw of what is random; standard normal at best."""
        codes, context = (
            part.to(self._reference()) for part in (self.encode(frame), self.encode_context(frame))
        )
        return self.flow.encode(self._lifted(codes)[0], self._told(context))

    def decode(self, codes: Tensor) -> dict[str, np.ndarray]:
        """The columns of codes ``(N, columns)``, by name."""
        table = codes.detach().double().cpu().numpy()
        return {column.name: column.decode(table[:, i]) for i, column in enumerate(self._members())}

    def forward(self, codes: Tensor, context: Tensor | None = None) -> Tensor:
        """The log-density of codes ``(N, columns)``, one draw of what is random, ``(N,)``.

        Args:
            codes: see :meth:`encode`.
            context: see :meth:`encode_context`; none where the density has none.
        """
        y, weight = self._lifted(codes)
        return self.flow(y, self._told(context)) + weight

    def _lifted(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        lifted = [column.lift(codes[:, i]) for i, column in enumerate(self._members())]
        y = torch.cat([numbers for numbers, _ in lifted], dim=1)  # (N, width)
        return y, torch.stack([weight for _, weight in lifted]).sum(0)

    def _told(self, context: Tensor | None) -> Tensor | None:
        """What the networks are told of the context ``(N, conditions)``."""
        given = self._conditions()
        if not given or context is None:
            return None
        return torch.cat([column.condition(context[:, i]) for i, column in enumerate(given)], dim=1)

    @torch.no_grad()
    def log_prob(self, frame: Any, draws: int = 1) -> Tensor:
        r"""The log-density of every row, in the units of the data.

        Args:
            frame: a data frame, or a mapping from names to values, with the columns of the context.
            draws: K of the bound :math:`\log \frac1K \sum_k p(y_k) e^{w_k}`, which rises towards the truth
                with K; one is enough where the density is exact.

        Returns:
            Tensor ``(N,)``.
        """
        codes, context = (
            part.to(self._reference()) for part in (self.encode(frame), self.encode_context(frame))
        )
        each = torch.stack([self(codes, context) for _ in range(draws)])
        return each.logsumexp(0) - math.log(draws)

    @torch.no_grad()
    def sample(self, count: int, context: Any = None, *, generator: torch.Generator | None = None) -> Any:
        """Rows of the density: a pandas data frame if it was fitted to one, else columns by name.

        Args:
            count: number of rows, for each row of the context if there is one.
            context: a data frame, or a mapping from names to values, of the columns that the density is
                conditioned on; they come first in the result, every row ``count`` times.
            generator: source of randomness; the global one by default.

        Raises:
            ContextError: the context is missing or superfluous.
        """
        self._check_context(context)
        codes = None if context is None else self.encode_context(context)
        told = None if codes is None else self._told(codes.to(self._reference()))
        y = self.flow.sample(count, told, generator=generator)  # (count, width) or (count, B, width)
        y = y.transpose(0, -2).flatten(0, -2)
        parts = y.split([column.width for column in self._members()], dim=1)
        pairs = zip(self._members(), parts, strict=True)
        table = self.decode(torch.stack([column.lower(part) for column, part in pairs], dim=1))
        table = _decoded(self._conditions(), codes, count) | table
        if not self.pandas:
            return table
        import pandas as pd

        return pd.DataFrame(table)

    def fit(
        self, frame: Any, *, validation: Any = None, listeners: Sequence[Listener] = (), **settings: Any
    ) -> Self:
        """Maximise the mean log-density of the rows; see :func:`preimage.training.fit`.

        Args:
            frame: a data frame, or a mapping from names to values, with the columns of the context.
            validation: rows to validate with; a share of the rows by default.
            listeners: functions that get the record of every epoch.
            settings: see :class:`preimage.training.FitSettings`.

        Returns:
            The flow itself, with the run in ``history``.
        """
        self.pandas = type(frame).__module__.split(".")[0] == "pandas"
        held = None if validation is None else self._rows(validation)

        def losses(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
            values, gone = batch[0].chunk(2, dim=1)
            codes = values.masked_fill(gone > 0, math.nan)
            return -cast(Tensor, model(*codes.split([len(self.columns), len(self.context)], dim=1)))

        self.history = fit(
            self, losses, self._rows(frame), FitSettings(**settings), validation=held, listeners=listeners
        )
        return self

    def _rows(self, frame: Any) -> Tensor:
        """Codes of columns and context side by side, then which of them are missing."""
        codes = torch.cat([self.encode(frame), self.encode_context(frame)], dim=1)
        return torch.cat([codes.nan_to_num(), codes.isnan().double()], dim=1)

    def _check_context(self, context: Any) -> None:
        names = [column.name for column in self._conditions()]
        if (context is None) == bool(names):
            came = "none" if context is None else "one"
            raise ContextError(
                f"TabularFlow: got {came}, but the density is conditioned on {names or 'nothing'}"
            )

    def save(self, path: str | Path) -> Path:
        """Write the flow to a directory, see :func:`preimage.flows.save`."""
        config = {
            "columns": [described(column) for column in self._members()],
            "context": [described(column) for column in self._conditions()],
            "arguments": self.arguments,
            "history": list(self.history),
            "pandas": self.pandas,
        }
        tensors, notes = probed(self.flow, self.state_dict())
        columns = {f"{probe.PREFIX}{name}": value for name, value in column_answers(self._members()).items()}
        return write_directory(path, KIND, VERSION, tensors | columns, config | notes)

    def push_to_hub(self, repository: str, **options: Any) -> str:
        """Upload the flow to the Hugging Face Hub, see :func:`preimage.flows.push_to_hub`."""
        from preimage.flows.hub import push_to_hub

        return push_to_hub(self, repository, **options)

    @classmethod
    def load(cls, path: str | Path, limits: Limits = DEFAULT_LIMITS) -> TabularFlow:
        """Read a flow that :meth:`save` wrote, in evaluation mode.

        Raises:
            ModelFileError: the directory is not a table flow, does not fit together, or its answers differ
                from those that were stored with it.
        """
        tensors, config = read_directory(path, KIND, VERSION, limits)
        tensors, asked = probe.without_probe(tensors)
        flow = rebuilt(path, cls, config, tensors)
        beside = partial(column_answers, flow.columns)
        flow.flow.checked = probe.check(path, flow.flow, asked, config | {"preset": "nsf"}, beside)
        flow.history.extend(records_of(config))
        flow.pandas = bool(config.get("pandas"))
        return flow.eval()

    def _reference(self) -> Tensor:
        return next(self.flow.parameters())


def _columns(columns: Any, context: Any) -> tuple[list[Column], list[Column]]:
    """The columns of the density and of its context."""
    if isinstance(columns, list | tuple) and all(isinstance(column, Column) for column in columns):
        return list(columns), list(context)
    names = list(context)
    found = {column.name: column for column in infer_columns(columns)}
    absent = [name for name in names if name not in found]
    if absent:
        raise ShapeError(f"TabularFlow: context {absent} is absent, the table has {sorted(found)}")
    given = [found.pop(name) for name in names]
    return list(found.values()), given


def _encoded(columns: list[Column], found: dict[str, np.ndarray]) -> Tensor:
    absent = [column.name for column in columns if column.name not in found]
    if absent:
        raise ShapeError(f"TabularFlow: columns {absent} are absent, the table has {sorted(found)}")
    rows = len(next(iter(found.values())))
    codes = [column.encode(found[column.name]) for column in columns]
    return torch.as_tensor(np.stack(codes, axis=1) if codes else np.zeros((rows, 0)))


def _decoded(columns: list[Column], codes: Tensor | None, count: int) -> dict[str, np.ndarray]:
    """The columns of the context, every row ``count`` times."""
    if codes is None:
        return {}
    table = codes.numpy().repeat(count, axis=0)
    return {column.name: column.decode(table[:, i]) for i, column in enumerate(columns)}
