"""The values of a network at the places where it is cut, for rows to train, validate and test on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.capture.interpret import evaluate
from preimage.errors import NotInvertibleError
from preimage.inverse.calibration import Calibration

Values = dict[str, Tensor]
"""Value by name, one row a sample."""


def split_rows(groups: Tensor, held_out: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows to train on, to validate with and to test on, by whole groups."""
    if not 0 < held_out < 1:
        raise ValueError(f"fit_replacements: held_out is {held_out}, wanted a share in (0, 1), such as 0.2")
    sources = groups.unique()
    order = sources[torch.randperm(len(sources), generator=torch.Generator().manual_seed(seed))]
    tested = max(1, round(held_out * len(order)))
    validated = max(1, round(0.15 * (len(order) - tested)))
    if len(order) < tested + validated + 2:
        raise NotInvertibleError(
            f"fit_replacements: got {len(order)} sources; wanted 4 or more, to train, validate and test on"
        )
    parts = order[tested + validated :], order[tested : tested + validated], order[:tested]
    train, validation, test = ((torch.isin(groups, part)).nonzero()[:, 0] for part in parts)
    return train, validation, test


@torch.no_grad()
def values_at(graph: Graph, names: Sequence[str], data: Calibration, rows: Tensor) -> Values:
    """The values of the network at all cuts, one row a sample."""
    parts = []
    for batch in rows.split(data.batch):
        known = {graph.inputs[0]: data.x[batch]}
        parts.append(evaluate(graph, known, names))
    return {name: torch.cat([part[name] for part in parts]) for name in names}
