"""Autoregressive layers with the weights of zuko, nflows and normflows."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from peers.compare import from_nflows, from_normflows, from_zuko
from preimage.layers import Autoregressive, ElementMap, InverseAutoregressive, UnconstrainedMonotoneMap
from preimage.nets import MaskedMLP, MaskedNet, MaskedResidualNet

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


class PeerAffine(ElementMap):
    """Scale and shift in the parametrisation of a peer."""

    def __init__(self, log_scale: Callable[[Tensor], Tensor], shift_first: bool) -> None:
        super().__init__(count=2)
        self.log_scale, self.shift_first = log_scale, shift_first

    def forward_elements(self, x, raw):
        scale, shift = self._unpack(raw)
        return x * scale.exp() + shift, scale

    def inverse_elements(self, y, raw):
        scale, shift = self._unpack(raw)
        return (y - shift) * torch.exp(-scale), -scale

    def _unpack(self, raw):
        first, second = raw.unbind(-1)
        scale, shift = (second, first) if self.shift_first else (first, second)
        return self.log_scale(scale), shift


def softclipped(raw: Tensor) -> Tensor:
    return raw / (1 + (raw / 6.907755278982137).abs())


def load(net: MaskedNet, peer: list[nn.Linear], features: int) -> None:
    """Copy weights; the peer's first layer may have columns for a context at the end."""
    with torch.no_grad():
        for mine, theirs in zip(net.linears, peer, strict=True):
            mine.weight.copy_(theirs.weight[:, : mine.in_features])
            mine.bias.copy_(theirs.bias)
            assert torch.equal(mine.mask, theirs.mask[:, : mine.in_features].bool())
            if mine.context_weight is not None:
                mine.context_weight.copy_(theirs.weight[:, features:])


@pytest.mark.parametrize("passes", [None, 2, 3])
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("rising", [True, False])
def test_zuko_maf(agree, passes, context, rising):
    zuko = pytest.importorskip("zuko")
    order = torch.arange(6) if rising else torch.arange(6).flip(0)
    peer = zuko.flows.MaskedAutoregressiveTransform(
        6, context, passes=passes, order=order, hidden_features=(16, 16), activation=nn.ELU
    )
    net = MaskedMLP(6, 2, (16, 16), passes=passes, order=order, context=context, activation=nn.ELU)
    load(net, [layer for layer in peer.hyper if isinstance(layer, nn.Linear)], 6)
    c = torch.randn(5, context) if context else None
    agree(Autoregressive(net, PeerAffine(softclipped, True)), from_zuko(peer), torch.randn(5, 6), c)


@pytest.mark.parametrize("residual", [False, True])
def test_nflows_maf(agree, residual):
    transforms = pytest.importorskip("nflows.transforms.autoregressive")
    peer = transforms.MaskedAffineAutoregressiveTransform(
        5, 12, num_blocks=2, use_residual_blocks=residual, activation=functional.silu
    )
    made = peer.autoregressive_net
    if residual:
        net = MaskedResidualNet(5, 2, 12, 2)
        inner = [linear for block in made.blocks for linear in block.linear_layers]
        layers = [made.initial_layer, made.final_layer, *inner]
    else:
        net = MaskedMLP(5, 2, (12, 12, 12))
        layers = [made.initial_layer, *[block.linear for block in made.blocks], made.final_layer]
    load(net, layers, 5)
    scale = PeerAffine(lambda raw: (functional.softplus(raw) + 1e-3).log(), False)
    agree(Autoregressive(net, scale), from_nflows(peer), torch.randn(4, 5))


def test_normflows_maf_is_an_inverse_autoregressive_flow(agree):
    module = pytest.importorskip("normflows.flows.affine.autoregressive")
    peer = module.MaskedAffineAutoregressive(5, 12, num_blocks=1)
    made = peer.autoregressive_net
    net = MaskedResidualNet(5, 2, 12, 1, activation=nn.ReLU)
    load(net, [made.initial_layer, made.final_layer, *made.blocks[0].linear_layers], 5)
    scale = PeerAffine(lambda raw: (torch.sigmoid(raw + 2) + 1e-3).log(), False)
    agree(InverseAutoregressive(net, scale), from_normflows(peer), torch.randn(4, 5))


def test_zuko_integral_of_a_positive_network():
    transforms = pytest.importorskip("zuko.transforms")
    ours = UnconstrainedMonotoneMap(2, (8, 8), nodes=64)
    for parameter in ours.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    x, raw = 3 * torch.randn(20), torch.randn(20, 3)
    signal = raw[:, :-1]
    g = lambda t: ours.integrand(t[..., None], signal.expand(*t.shape, 2))[..., 0]  # noqa: E731
    peer = transforms.UnconstrainedMonotonicTransform(g, n=64, phi=(signal,))
    with torch.no_grad():
        y, log_slope = ours.forward_elements(x, raw)
        wanted, wanted_slope = peer.call_and_ladj(x)
        torch.testing.assert_close(y, wanted + raw[:, -1], rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(log_slope, wanted_slope, rtol=1e-11, atol=1e-11)
        back = ours.inverse_elements(y, raw)[0]
        torch.testing.assert_close(back, peer.inv(y - raw[:, -1]), rtol=1e-5, atol=1e-5)  # it bisects to 1e-6
