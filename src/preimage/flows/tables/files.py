"""Flows of tables as files: plain data only, checked before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from preimage.errors import ModelFileError
from preimage.flows.budget import Budget
from preimage.flows.probe import BROKEN, ROWS
from preimage.flows.tables import category, kinds, missing
from preimage.flows.tables.column import Column

if TYPE_CHECKING:
    from preimage.flows.tables.tabular_flow import TabularFlow

KIND, VERSION = "table flow", 2
KINDS: dict[str, type[Column]] = {
    kind.__name__: kind
    for kind in (kinds.Real, kinds.Positive, kinds.Bounded, kinds.Whole, category.Category, missing.Missing)
}


def described(column: Column) -> dict[str, Any]:
    """A column as plain data.

    Example:
        >>> described(kinds.Positive("income"))
        {'kind': 'Positive', 'name': 'income', 'scale': 1.0}
    """
    return {"kind": type(column).__name__, "name": column.name} | column.plain()


def column_answers(columns: Sequence[Column]) -> dict[str, Tensor]:
    """What the columns make of fixed numbers ``(N, columns)``, for the probe of a file.

    Example:
        >>> a, b = (column_answers([kinds.Real("x", scale=s)])["answer.columns"] for s in (1.0, 2.0))
        >>> torch.allclose(a, b)
        False
    """
    return {"answer.columns": torch.stack([_answer(column) for column in columns], dim=1)}


def _answer(column: Column) -> Tensor:
    """The values of two fixed rows, or their codes where they are words ``(N,)``."""
    numbers = torch.linspace(-2.0, 2.0, ROWS * column.width, dtype=torch.float64).reshape(ROWS, -1)
    codes = column.lower(numbers).detach().double()  # (N,)
    values = column.decode(codes.numpy())
    found = values if values.dtype.kind in "biuf" else codes.numpy()
    return torch.from_numpy(np.nan_to_num(found.astype(np.float64), nan=-1.0, posinf=0.0, neginf=0.0))


def rebuilt(
    path: object, build: type[TabularFlow], config: dict[str, Any], tensors: dict[str, Tensor]
) -> Any:
    """The flow that a file describes, with its weights.

    Raises:
        ModelFileError: the file does not describe one, or asks for more memory than its weights need.
    """
    try:
        with Budget.of_weights(tensors):
            columns, context = (
                [_made(dict(c)) for c in config.get(part, [])] for part in ("columns", "context")
            )
            flow = build(columns, context=context, **config["arguments"])
        flow.to(next(t.dtype for t in tensors.values() if t.is_floating_point()))
        flow.load_state_dict(tensors)
    except (*BROKEN, StopIteration) as error:
        raise ModelFileError(f"{path}: no table flow can be built from it: {error}") from error
    return flow


def _made(described: dict[str, Any]) -> Column:
    """The column that a description names."""
    kind, name = KINDS[described.pop("kind")], described.pop("name")
    if kind is missing.Missing:
        return missing.Missing(_made({"name": name} | described["column"]))
    return kind(name, **described)
