"""Folding changes the parts, never the map."""

import pytest
import torch
from torch import nn

from preimage.inverse import linear as li


def _random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _conv(groups=1, **options):
    return li.Convolution(_random(6, 4 // groups, 3, 3), (4, 7, 8), groups=groups, **options)


CHAINS = {
    "pad into convolution": (
        [li.Pad((4, 6, 7), [(0, 1), (1, 0)]), _conv(stride=2, padding=1)],
        "Convolution(4x6x7 -> 6x4x4)",
    ),
    "gain after convolution": (
        [_conv(groups=2), li.Scale(_random(6, 1, 1), (6, 5, 6))],
        "Convolution(4x7x8 -> 6x5x6)",
    ),
    "gain before convolution": (
        [li.Scale(_random(4, 1, 1), (4, 7, 8)), _conv(groups=2, padding=1)],
        "Convolution(4x7x8 -> 6x7x8)",
    ),
    "gains": ([li.Scale(_random(3), (3,)), li.Scale(_random(3), (3,))], "Scale(3 -> 3)"),
    "gains and matrix": (
        [li.Scale(_random(3), (2, 3)), li.Dense(_random(5, 3), (2, 3)), li.Scale(_random(5), (2, 5))],
        "Dense(2x3 -> 2x5)",
    ),
    "there and back": ([li.Permute((2, 3), (1, 0)), li.Permute((3, 2), (1, 0))], "Identity(2x3 -> 2x3)"),
    "views": ([li.Reshape((2, 6), (12,)), li.Reshape((12,), (2, 6))], "Identity(2x6 -> 2x6)"),
    "crop then pad stays apart": (
        [li.Pad((4, 9, 8), [(-1, -1), (0, 0)]), _conv(padding=1)],
        "Pad(4x9x8 -> 4x7x8) > Convolution(4x7x8 -> 6x7x8)",
    ),
    "bottleneck stays factored": (
        [li.Dense(_random(2, 8)), li.Dense(_random(8, 2))],
        "Dense(8 -> 2) > Dense(2 -> 8)",
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_folded_map_is_the_same_map(name):
    parts, text = CHAINS[name]
    whole = li.Composition(parts)
    folded = li.fold(whole)
    assert str(folded) == text
    assert torch.allclose(folded.dense(), whole.dense(), atol=1e-12)


def test_batch_norm_folds_into_the_convolution_before_it():
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    nn.init.normal_(norm.weight)
    module = nn.Sequential(conv, norm).double().eval()
    affine = li.AffineComposition(
        [
            li.AffineMap(li.Convolution(conv.weight, (3, 5, 5), padding=1), conv.bias.view(-1, 1, 1)),
            li.BatchNorm(
                (4, 5, 5), norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
            ),
        ]
    )
    folded = li.snapshot(affine)
    x = _random(2, 3, 5, 5)
    assert type(folded.linear) is li.Convolution
    assert torch.allclose(affine.apply(x), module(x), atol=1e-12)
    assert torch.allclose(folded.apply(x), module(x), atol=1e-12)


def test_offset_before_a_padded_convolution_depends_on_the_border():
    affine = li.AffineComposition(
        [
            li.AffineMap(li.Identity((1, 3)), torch.ones(1, 1, dtype=torch.float64)),
            li.Convolution(torch.ones(1, 1, 3, dtype=torch.float64), (1, 3), padding=1),
        ]
    )
    assert torch.equal(affine.offset, torch.tensor([[2.0, 3.0, 2.0]], dtype=torch.float64))
