"""Samples of whitening, in evaluation mode: in training mode a forward pass changes the map."""

import torch

from preimage.functional.matrices.whitening import WHITENINGS
from preimage.layers import AdaptiveWhitening
from preimage.testing import Sample


def _adapted(method: str, features: int, *event: int) -> AdaptiveWhitening:
    layer = AdaptiveWhitening(features, method)
    mixing = torch.randn(features, features) + 2 * torch.eye(features)
    sources = torch.randn(200, *event, features)
    layer((sources @ mixing + 3).movedim(-1, 1))
    return layer.eval()


SAMPLES = [
    *[Sample(f"whitening, {method}", lambda method=method: _adapted(method, 3)) for method in WHITENINGS],
    Sample("whitening, sequences", lambda: _adapted("zca", 2, 7), free=(4,)),
    Sample("whitening, pictures", lambda: _adapted("pca", 2, 3, 4), free=(2, 3)),
    Sample("whitening, before the first batch", lambda: AdaptiveWhitening(3).eval()),
]
