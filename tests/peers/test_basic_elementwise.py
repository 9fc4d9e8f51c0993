"""Fixed and learned element-wise maps against every peer that has them."""

import math

import pytest
import torch

from peers.compare import from_freia, from_nflows, from_normflows, from_zuko
from preimage import Chain
from preimage.layers import Affine, LeakyReLU, Logit, Sigmoid, Softsign, Tanh


def test_nflows_leaky_relu(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    agree(LeakyReLU(0.2), from_nflows(transforms.LeakyReLU(0.2)), torch.randn(6, 5))


def test_nflows_tanh(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    agree(Tanh(), from_nflows(transforms.Tanh()), torch.randn(6, 5))


def test_nflows_sigmoid(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    agree(Sigmoid(), from_nflows(transforms.Sigmoid()), torch.randn(6, 5))


def test_nflows_logit(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    agree(Logit(), from_nflows(transforms.Logit()), torch.rand(6, 5))


def test_normflows_logit(agree) -> None:
    """Theirs squeezes the data into (alpha, 1 - alpha) first."""
    normflows = pytest.importorskip("normflows")
    squeeze = Affine(())
    with torch.no_grad():
        squeeze.log_scale.fill_(math.log(0.9))
        squeeze.shift.fill_(0.05)
    ours = Chain(squeeze, Logit())
    peer = from_normflows(normflows.transforms.Logit(0.05))
    agree(ours, peer, torch.rand(6, 5), layer="Affine and Logit")


def test_freia_sigmoid(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    agree(Sigmoid(), from_freia(modules.InvertibleSigmoid([(5,)])), torch.randn(6, 5))


def _elementwise(transform: object) -> object:
    from zuko.transforms import DependentTransform

    return DependentTransform(transform, 1)


def test_zuko_softclip(agree) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    peer = from_zuko(lambda _: _elementwise(transforms.SoftclipTransform(1.0)))
    agree(Softsign(), peer, torch.randn(6, 5))


@pytest.mark.parametrize(("name", "layer"), [("SigmoidTransform", Sigmoid), ("TanhTransform", Tanh)])
def test_zuko_squashing(agree, name: str, layer: type) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    peer = from_zuko(lambda _: _elementwise(getattr(transforms, name)()))
    agree(layer(), peer, torch.randn(6, 5))
