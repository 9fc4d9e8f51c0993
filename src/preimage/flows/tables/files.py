"""Flows of tables as files: plain data only, checked before anything is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from preimage.errors import ModelFileError
from preimage.flows.budget import Budget
from preimage.flows.files import BROKEN
from preimage.flows.tables import category, kinds, missing
from preimage.flows.tables.column import Column

if TYPE_CHECKING:
    from preimage.flows.tables.tabular_flow import TabularFlow

KIND, VERSION = "table flow", 1
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


def rebuilt(
    path: object, build: type[TabularFlow], config: dict[str, Any], tensors: dict[str, Tensor]
) -> Any:
    """The flow that a file describes, with its weights.

    Raises:
        ModelFileError: the file does not describe one, or asks for more memory than its weights need.
    """
    try:
        with Budget(100_000 + 30 * sum(tensor.numel() for tensor in tensors.values())):
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
