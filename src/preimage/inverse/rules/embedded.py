"""Embeddings: the row of the table that a vector is nearest to."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.certificate import Certificate
from preimage.inverse.context import RuleContext
from preimage.inverse.measured import register_measure
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.region import Region
from preimage.inverse.registry import Site, Solved, register_inverse

ROWS = 4096
"""Vectors compared with the table at once."""

NEAR = 1e-3
"""A vector is certainly a row when it is this much nearer to it than to any other."""


@register_inverse("embedding", guarantee=Guarantee.LEFT)
def embedding(site: Site, y: Tensor) -> Solved:
    """The index of the nearest row, ``(N, *event)`` whole numbers.

    Different rows make every index certain that the vectors lead to; the certificate tells how far the
    vectors were from their rows.
    """
    table: Tensor = site.operands[0].detach().to(y)
    vectors = y.detach().reshape(-1, table.shape[1])
    parts = [_nearest(table, part) for part in vectors.split(ROWS)]
    index, distance, clear = (torch.cat(values) for values in zip(*parts, strict=True))
    sizes = y.shape[:-1]
    miss = distance.view(sizes).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1).clamp_min(1e-30)
    sure = clear.view(sizes).flatten(1).all(1)
    message = "" if bool(sure.all()) else "embedding: vectors were taken for their nearest rows"
    certificate = Certificate(miss, sure, domain_violation=miss, message=message)
    return Solved(index.view(sizes), None, certificate, exact=clear.double().mean().item())


@register_measure("embedding")
def _distinct(graph: Graph, region: Region, _: RuleContext) -> Guarantee:
    """Two equal rows cannot be told apart: the index is one of them."""
    table = graph.tensor(graph.by_name[region.nodes[0]].args[0].name)
    same = table is None or len(table.detach().unique(dim=0)) < len(table)
    return Guarantee.RIGHT if same else Guarantee.LEFT


def _nearest(table: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Index of the nearest row, its distance, and whether no other row comes close; ``(K,)`` each."""
    distances = torch.cdist(vectors, table, compute_mode="donot_use_mm_for_euclid_dist")  # (K, rows)
    two = distances.topk(min(2, len(table)), largest=False)
    nearest = two.values[:, 0]
    other = two.values[:, 1] if len(table) > 1 else torch.full_like(nearest, torch.inf)
    return two.indices[:, 0], nearest, nearest <= NEAR * other
