"""Operations whose results are copies of their operand's numbers: which number went where is found once."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node
from preimage.inverse import linear as maps
from preimage.inverse.linear import Affine
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.positions import chain_positions, positions
from preimage.inverse.planning.roles import Role, register_affine, register_selection
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.linearised import Linearised
from preimage.inverse.rules.reshape import zeros_log_det

COPIES = (
    "slice", "select", "narrow", "expand", "repeat", "tile", "repeat_interleave", "index", "index_select",
    "gather", "take_along_dim", "diagonal", "unfold", "im2col", "tril", "triu", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
    "_upsample_nearest_exact3d", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
    "replication_pad1d", "replication_pad2d", "replication_pad3d", "rot90", "view_copy", "unsafe_index",
    "_unsafe_index",
)  # fmt: skip
"""Operations whose every output is one of the inputs, or zero."""


@register_affine(*COPIES, role=Role.MIXING)
def selection(graph: Graph, node: Node) -> Affine:
    """z_j = x_i(j)."""
    index = positions(graph, node)
    if index is None:
        return Linearised(graph, node)
    return maps.Selection(index, graph.shape(node.inputs[0]), node.shape)


register_selection(*COPIES)


@register_inverse("preimage::assemble", guarantee=Guarantee.EXACT)
def assemble(site: Site, y: Tensor) -> Solved:
    """x from selections that together hold every number of it; copies are averaged."""
    parts = [chain_positions(site.graph, site.graph.between(site.source, name)) for name in site.targets]
    index = torch.cat([part.flatten() for part in parts if part is not None])
    whole = maps.Selection(index, site.shape, (index.numel(),))
    counts = whole.counts().clamp_min(1).to(y).view(site.shape)
    x = whole.adjoint(y.reshape(y.shape[0], -1)) / counts
    return Solved(x, zeros_log_det(site, y) if index.numel() == counts.numel() else None)
