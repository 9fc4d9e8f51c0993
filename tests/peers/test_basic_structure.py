"""Squeezing and Haar wavelets against every peer that has them."""

import pytest
import torch

from peers.compare import from_freia, from_nflows, from_normflows
from preimage import Chain
from preimage.layers import Haar, Permutation, Squeeze

BY_CHANNEL = torch.arange(12).reshape(4, 3).T.flatten()
"""From one band after the other to one channel after the other, for three channels and four bands."""


@pytest.mark.parametrize("factor", [2, 3])
def test_nflows_squeeze(agree, factor: int) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    x = torch.randn(2, 4, 6, 12)
    agree(Squeeze(factor), from_nflows(transforms.SqueezeTransform(factor)), x)


def test_normflows_squeeze(agree) -> None:
    normflows = pytest.importorskip("normflows")
    agree(Squeeze(2), from_normflows(normflows.flows.Squeeze()), torch.randn(2, 3, 6, 4))


@pytest.mark.parametrize("legacy", [False, True])
def test_freia_down_sampling(agree, legacy: bool) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = from_freia(modules.IRevNetDownsampling([(3, 6, 6)], legacy_backend=legacy))
    by_position = [Permutation(torch.arange(12).reshape(3, 4).T.flatten())] if legacy else []
    agree(Chain(Squeeze(2), *by_position), peer, torch.randn(2, 3, 6, 6), layer="Squeeze")


@pytest.mark.parametrize("by_wavelet", [False, True])
def test_freia_haar(agree, by_wavelet: bool) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = from_freia(modules.HaarDownsampling([(3, 6, 4)], order_by_wavelet=by_wavelet))
    order = [] if by_wavelet else [Permutation(BY_CHANNEL)]
    agree(Chain(Haar(2), *order), peer, torch.randn(2, 3, 6, 4), layer="Haar")


def test_freia_haar_inverse_is_the_up_sampling(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = from_freia(modules.HaarUpsampling([(12, 3, 2)], order_by_wavelet=True))
    agree(Haar(2).inv, peer, torch.randn(2, 12, 3, 2), layer="Haar, inverse")
