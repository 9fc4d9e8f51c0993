"""A start from data: white latents, class means as prototypes."""

import copy

import pytest
import torch

from preimage.eeg import AffineEEGInvNet, EEGInvNet, GlowEEGInvNet, start_from_data
from preimage.errors import ShapeError

SIZES = {"blocks": 2, "hidden_channels": 8, "kernel_size": 3}


def coloured(count, times, generator):
    """Channels that depend on each other, and samples on their neighbours, around class means."""
    labels = torch.arange(count) % 2
    mixing = torch.randn(3, 3, generator=generator)
    noise = torch.randn(count, 3, times + 2, generator=generator).unfold(2, 3, 1).sum(3)
    means = 4 * torch.randn(2, 3, times, generator=generator)
    return 10 * torch.einsum("ab,nbt->nat", mixing, noise) + means[labels], labels


@pytest.mark.parametrize("make", [EEGInvNet, AffineEEGInvNet, GlowEEGInvNet])
@pytest.mark.parametrize("times", [16, 19])
def test_latents_are_white_and_prototypes_are_the_class_means(make, times):
    if make is GlowEEGInvNet and times % 8:
        times = 24
    generator = torch.Generator().manual_seed(0)
    x, labels = coloured(4000, times, generator)
    x = x.double()
    torch.manual_seed(1)
    model = make(3, times, **SIZES).double()
    before = copy.deepcopy(model).eval()
    assert start_from_data(model, x, labels) is model
    assert model.training
    model.eval()
    z = model.flow.encode(x)
    assert z.std().item() == pytest.approx(1, abs=0.12)
    centred = (z - z.mean(0)).transpose(1, 2).flatten(0, 1)
    assert (torch.cov(centred.T) - torch.eye(z.shape[1])).abs().max() <= 0.35
    means = torch.stack([x[labels == label].mean(0) for label in range(2)])
    prototypes = model.prototypes().x
    assert (prototypes - means).abs().max() <= 1e-8 * means.abs().max()
    assert model.log_prob(x[:500], labels[:500]).mean() > before.log_prob(x[:500], labels[:500]).mean()


def test_every_class_needs_a_window():
    with pytest.raises(ShapeError, match=r"classes have \[4, 0\] windows"):
        start_from_data(EEGInvNet(2, 16, **SIZES), torch.randn(4, 2, 16), torch.zeros(4).long())
    with pytest.raises(ShapeError, match="classes have"):
        start_from_data(EEGInvNet(2, 16, **SIZES), torch.randn(3, 2, 16), torch.tensor([0, 1, 2]))
