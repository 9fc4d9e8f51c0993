"""Labels beside a table of classes."""

from __future__ import annotations

from torch import Tensor

from preimage.errors import ShapeError


def checked_labels(where: str, table: Tensor, labels: Tensor) -> Tensor:
    """The labels ``(N,)`` of a table ``(N, K)``, refused where they do not fit it."""
    if table.dim() != 2 or len(table) == 0:
        raise ShapeError(f"{where}: got a table of shape {tuple(table.shape)}, wanted (N, K) with N >= 1")
    if labels.shape != table.shape[:1] or labels.is_floating_point():
        raise ShapeError(
            f"{where}: labels are {tuple(labels.shape)} of {labels.dtype}, wanted {len(table)} whole numbers;"
            " write labels.long()"
        )
    if not bool(((labels >= 0) & (labels < table.shape[1])).all()):
        raise ShapeError(
            f"{where}: labels run from {int(labels.min())} to {int(labels.max())}, wanted 0 to"
            f" {table.shape[1] - 1}"
        )
    return labels
