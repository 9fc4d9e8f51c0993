"""Normalising layers and constant scales against every peer that has them."""

import pytest
import torch

from peers.compare import Peer, from_freia, from_nflows, from_normflows, from_torchflows, randomise
from preimage.layers import ActNorm, Affine, BatchNorm


def set_act_norm(layer: ActNorm, scale: torch.Tensor, shift: torch.Tensor) -> ActNorm:
    """y = scale x + shift in our parameters."""
    with torch.no_grad():
        layer.raw_scale.copy_(layer.scale.raw(scale))
        layer.shift.copy_(shift / scale)
    return layer.eval()


def set_affine(layer: Affine, log_scale: torch.Tensor, shift: torch.Tensor) -> Affine:
    with torch.no_grad():
        layer.log_scale.copy_(log_scale)
        layer.shift.copy_(shift)
    return layer


@pytest.mark.parametrize("shape", [(4,), (4, 3, 5)])
def test_nflows_act_norm(agree, shape: tuple[int, ...]) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = randomise(transforms.ActNorm(4)).eval()
    ours = set_act_norm(ActNorm(4), peer.scale, peer.shift)
    agree(ours, from_nflows(peer), torch.randn(6, *shape))


def test_nflows_batch_norm(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = randomise(transforms.BatchNorm(4))
    for _ in range(20):
        peer(3 * torch.randn(32, 4) + 1)
    peer.eval()
    ours = BatchNorm(4, eps=peer.eps).eval()
    with torch.no_grad():
        ours.log_scale.copy_(peer.weight.log())
        ours.shift.copy_(peer.bias)
    ours.running_mean.copy_(peer.running_mean)
    ours.running_var.copy_(peer.running_var)
    agree(ours, from_nflows(peer), torch.randn(6, 4))


@pytest.mark.parametrize("shape", [(4,), (4, 1, 1)])
def test_normflows_act_norm(agree, shape: tuple[int, ...]) -> None:
    """Theirs stores the direction from the latent to the data."""
    normflows = pytest.importorskip("normflows")
    peer = randomise(normflows.flows.ActNorm(shape))
    peer.data_dep_init_done.fill_(1.0)
    scale = torch.exp(-peer.s).flatten()
    ours = set_act_norm(ActNorm(4), scale, -peer.t.flatten() * scale)
    x = torch.randn(6, 4) if len(shape) == 1 else torch.randn(6, 4, 3, 5)
    agree(ours, from_normflows(peer), x)


def test_normflows_constant_affine(agree) -> None:
    normflows = pytest.importorskip("normflows")
    peer = randomise(normflows.flows.AffineConstFlow((4,)))
    ours = set_affine(Affine(4), -peer.s[0], -(peer.t * torch.exp(-peer.s))[0])
    agree(ours, from_normflows(peer), torch.randn(6, 4))


def test_freia_elementwise_scaling(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = randomise(modules.LearnedElementwiseScaling([(3, 2)]))
    ours = set_affine(Affine((3, 2)), peer.s[0], torch.zeros(3, 2))

    def signed(run: bool):  # theirs gives the forward log_det in both directions
        return lambda x, _: (peer([x], rev=run)[0][0], (-1) ** run * peer([x], rev=run)[1])

    agree(ours, Peer("FrEIA LearnedElementwiseScaling", signed(False), signed(True)), torch.randn(6, 3, 2))
    assert from_freia(peer).inverse(torch.ones(1, 3, 2), None)[1] == peer.s.sum()  # else undo the sign above


def test_torchflows_act_norm(agree) -> None:
    layers = pytest.importorskip("torchflows.bijections.finite.autoregressive.layers")
    peer = layers.ActNorm((4,))
    peer(2 * torch.randn(64, 4) + 3)
    peer.eval()
    scale = 1 / peer.transformer.constrain_scale(peer.value[..., 0])
    ours = set_act_norm(ActNorm(4), scale, -peer.value[..., 1] * scale)
    agree(ours, from_torchflows(peer), torch.randn(6, 4))


def test_torchflows_elementwise_affine(agree) -> None:
    layers = pytest.importorskip("torchflows.bijections.finite.autoregressive.layers")
    peer = layers.ElementwiseAffine((4,))
    ours = set_affine(
        Affine(4), peer.transformer.constrain_scale(peer.value[..., 0]).log(), peer.value[..., 1]
    )
    agree(ours, from_torchflows(peer), torch.randn(6, 4))
