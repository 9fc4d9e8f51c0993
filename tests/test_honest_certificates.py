"""No chain of layers returns a wrong inverse silently."""

import sys
from pathlib import Path

import pytest
import torch

from preimage import Chain
from preimage.layers import Coupling, Permutation
from preimage.nets import MLP

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import honest_certificates


def _assert_honest(pairs: int) -> None:
    report = honest_certificates.run(pairs)
    counts = report["table"]["all"]
    assert report["silent"] == []
    assert counts["rows"] == 4 * pairs
    assert counts["certified"] > 0.1 * counts["rows"]  # flagging everything would be no feat
    assert counts["wrong without a certificate"] > 0  # and there is something to flag


def test_no_silent_wrong_inverse() -> None:
    _assert_honest(200)


@pytest.mark.slow
def test_no_silent_wrong_inverse_in_ten_thousand_pairs() -> None:
    _assert_honest(10_000)


def _train(depth: int, steps: int) -> list[float]:
    """A chain of affine couplings with its default start, trained by likelihood on a hard distribution."""
    torch.manual_seed(0)
    mask = torch.tensor([True, False, True, False])
    couplings = [Coupling(mask if i % 2 else ~mask, MLP(2, 4, (32,))) for i in range(depth)]
    chain = Chain(*[layer for c in couplings for layer in (c, Permutation.shuffle(4))])
    optimiser = torch.optim.Adam(chain.parameters(), lr=1e-3)
    losses = []
    for _ in range(steps):
        x = torch.randn(64, 4).exp() * torch.tensor([10.0, 1.0, 0.1, 1e-3])  # heavy tails, unequal scales
        z, log_det = chain.forward_and_log_det(x)
        loss = (0.5 * z.square().sum(1) - log_det).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_default_affine_chain_of_depth_64_trains_without_a_non_finite_loss() -> None:
    losses = torch.tensor(_train(depth=64, steps=200))
    assert losses.isfinite().all()
    assert losses[-20:].mean() < losses[:20].mean()
