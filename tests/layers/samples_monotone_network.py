"""Samples of the monotone networks.

Tests of autoregressive layers with these maps are in ``test_monotone_network.py``: they compile slowly.
"""

import torch

from preimage import Bijection
from preimage.layers import (
    BlockAutoregressive,
    Coupling,
    DeepSigmoidMap,
    ElementMap,
    UnconstrainedMonotoneMap,
)
from preimage.nets import MLP
from preimage.testing import Sample

MASK = torch.tensor([True, False, True, False])


def _coupling(element_map: ElementMap, context: int = 0) -> Bijection:
    return Coupling(MASK, MLP(2, 2 * element_map.count, (8,), context), element_map, context or None)


SAMPLES = [
    Sample("deep sigmoids, context", lambda: _coupling(DeepSigmoidMap((4, 3)), 2)),
    Sample("one layer of sigmoids", lambda: _coupling(DeepSigmoidMap((5,))), perturb=0.5),
    Sample(
        "unconstrained monotone network, context", lambda: _coupling(UnconstrainedMonotoneMap(2, (6, 6)), 2)
    ),
    Sample("block autoregressive, context", lambda: BlockAutoregressive(2, (3, 2), context=2)),
]
