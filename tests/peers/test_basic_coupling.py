"""Affine and additive couplings against every peer that has them."""

import math

import pytest
import torch
from torch import Tensor, nn

from peers.compare import (
    affine_coupling,
    from_freia,
    from_nflows,
    from_normflows,
    from_torchflows,
    from_zuko,
    halves,
    randomise,
)
from preimage import Chain
from preimage.layers import (
    AdditiveMap,
    AffineMap,
    ChannelPartition,
    ConditionalMap,
    Coupling,
    LULinear,
    MaskPartition,
    SlicePartition,
)

MASK = torch.tensor([True, False, True, False, False])


class Net(nn.Module):
    """Two layers, for vectors or pictures, with an optional context beside the input."""

    def __init__(self, features: int, outputs: int, *, space: int = 0) -> None:
        super().__init__()
        linear = nn.Linear if space == 0 else lambda a, b: nn.Conv2d(a, b, 3, padding=1)
        self.layers = nn.Sequential(linear(features, 7), nn.Tanh(), linear(7, outputs))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.layers(x if context is None else torch.cat([x, context], dim=1))


def _nflows_scale(out: Tensor) -> tuple[Tensor, Tensor]:
    shift, raw = halves(out)
    return (torch.sigmoid(raw + 2) + 1e-3).log(), shift


@pytest.mark.parametrize("space", [0, 2])
def test_nflows_affine(agree, space: int) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = transforms.AffineCouplingTransform((~MASK).int(), lambda a, b: Net(a, b, space=space))
    ours = affine_coupling(MASK, peer.transform_net, _nflows_scale)
    agree(ours, from_nflows(peer), torch.randn(6, 5, *[4] * space), layer="Coupling, affine")


def test_nflows_affine_with_context(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = transforms.AffineCouplingTransform((~MASK).int(), lambda a, b: Net(a + 3, b))
    ours = affine_coupling(MASK, peer.transform_net, _nflows_scale, context=3)
    agree(ours, from_nflows(peer), torch.randn(6, 5), torch.randn(6, 3), layer="Coupling, affine")


def test_nflows_additive(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = transforms.AdditiveCouplingTransform((~MASK).int(), Net)
    ours = Coupling(MASK, peer.transform_net, AdditiveMap())
    agree(ours, from_nflows(peer), torch.randn(6, 5), layer="Coupling, additive")


NORMFLOWS_SCALES = {
    "exp": lambda raw: -raw,  # ours goes from data to latent, which is its inverse
    "sigmoid": lambda raw: nn.functional.logsigmoid(raw + 2),
    "sigmoid_inv": lambda raw: -nn.functional.logsigmoid(raw + 2),
}


@pytest.mark.parametrize("scale_map", NORMFLOWS_SCALES)
def test_normflows_affine(agree, scale_map: str) -> None:
    normflows = pytest.importorskip("normflows")
    peer = normflows.flows.AffineCouplingBlock(Net(2, 4), scale_map=scale_map)

    def translate(out: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = NORMFLOWS_SCALES[scale_map](out[:, 1::2])
        return log_scale, -out[:, 0::2] * log_scale.exp()

    ours = affine_coupling(SlicePartition(4), peer.flows[1].param_map, translate)
    agree(ours, from_normflows(peer), torch.randn(6, 4), layer="Coupling, affine")


def test_normflows_masked_affine(agree) -> None:
    normflows = pytest.importorskip("normflows")
    s, t = Net(5, 5), Net(5, 5)
    peer = normflows.flows.MaskedAffineFlow(MASK.to(torch.float64), t, s)

    def net(x: Tensor) -> Tensor:
        return torch.stack([-s(x), -t(x) * torch.exp(-s(x))], dim=2).flatten(1)

    ours = affine_coupling(MaskPartition(MASK), net, lambda out: (out[:, 0::2], out[:, 1::2]))
    agree(ours, from_normflows(peer), torch.randn(6, 5), layer="Coupling, affine, mask")


FREIA_CLAMPS = {
    "TANH": torch.tanh,
    "ATAN": lambda u: 0.636 * torch.atan(u),
    "SIGMOID": lambda u: 2.0 * (torch.sigmoid(u) - 0.5),
}


@pytest.mark.parametrize("clamp", FREIA_CLAMPS)
def test_freia_one_sided(agree, clamp: str) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = modules.AffineCouplingOneSided(
        [(5,)], subnet_constructor=Net, clamp=1.5, clamp_activation=clamp, split_len=2
    )

    def translate(out: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = out[:, :3], out[:, 3:]
        return 1.5 * FREIA_CLAMPS[clamp](raw), shift

    ours = affine_coupling(SlicePartition(5, keep=2), peer.subnet, translate)
    agree(ours, from_freia(peer), torch.randn(6, 5), layer="Coupling, affine")


class BoundedTanh(nn.Module):
    """FrEIA's tanh clamping is ours, for a raw scale ``clamp`` times larger: no translation of numbers."""

    def __init__(self, net: nn.Module, clamp: float, factor: float = 1.0) -> None:
        super().__init__()
        self.net, self.clamp, self.factor = net, clamp, factor

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        out = self.factor * (self.net(kept) if context is None else self.net(kept, context))
        raw, shift = halves(out)
        return torch.stack([self.clamp * raw, shift], dim=2).flatten(1, 2)


@pytest.mark.parametrize("space", [0, 2])
def test_freia_glow_block(agree, space: int) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = modules.GLOWCouplingBlock(
        [(4, *[4] * space)],
        subnet_constructor=lambda a, b: Net(a, b, space=space),
        clamp=2.0,
        clamp_activation="TANH",
    )
    ours = Chain(
        Coupling(SlicePartition(4, first=False), BoundedTanh(peer.subnet2, 2.0), AffineMap(2.0)),
        Coupling(SlicePartition(4), BoundedTanh(peer.subnet1, 2.0), AffineMap(2.0)),
    )
    agree(ours, from_freia(peer), torch.randn(6, 4, *[4] * space), layer="Coupling, affine, two")


def test_freia_glow_block_with_condition(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = modules.GLOWCouplingBlock([(4,)], [(3,)], subnet_constructor=Net, clamp_activation="TANH")
    joined = lambda net: lambda x, c: net(torch.cat([x, c], dim=1))  # noqa: E731
    halved = lambda out: (2.0 * torch.tanh(out[:, :2]), out[:, 2:])  # noqa: E731
    ours = Chain(
        affine_coupling(SlicePartition(4, first=False), joined(peer.subnet2), halved, context=3),
        affine_coupling(SlicePartition(4), joined(peer.subnet1), halved, context=3),
    )
    agree(ours, from_freia(peer), torch.randn(6, 4), torch.randn(6, 3), layer="Coupling, affine, two")


def test_freia_nice_block(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = modules.NICECouplingBlock([(4,)], subnet_constructor=Net)
    ours = Chain(
        Coupling(SlicePartition(4, first=False), peer.F, AdditiveMap()),
        Coupling(SlicePartition(4), peer.G, AdditiveMap()),
    )
    agree(ours, from_freia(peer), torch.randn(6, 4), layer="Coupling, additive, two")


def test_freia_real_nvp_block(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = modules.RNVPCouplingBlock([(4,)], subnet_constructor=Net, clamp=1.0, clamp_activation="TANH")

    def both(scale: nn.Module, shift: nn.Module) -> nn.Module:
        return BoundedTanh(lambda x: torch.cat([scale(x), shift(x)], dim=1), 1.0)

    ours = Chain(
        Coupling(SlicePartition(4, first=False), both(peer.subnet_s2, peer.subnet_t2)),
        Coupling(SlicePartition(4), both(peer.subnet_s1, peer.subnet_t1)),
    )
    agree(ours, from_freia(peer), torch.randn(6, 4), layer="Coupling, affine, two")


@pytest.mark.parametrize("soft", [False, True])
def test_freia_all_in_one_block(agree, soft: bool) -> None:
    """Coupling, scale and shift per channel, and a permutation or rotation, in one block."""
    modules = pytest.importorskip("FrEIA.modules")
    net = lambda a, b: Net(a, b, space=2)  # noqa: E731
    peer = randomise(modules.AllInOneBlock([(5, 4, 4)], subnet_constructor=net, permute_soft=soft))
    rotation = torch.linalg.qr(peer.w_perm.detach().double()[..., 0, 0]).Q  # its own is rounded to float32
    peer.w_perm.data, peer.w_perm_inv.data = rotation[..., None, None], rotation.mT[..., None, None]
    scale = peer.global_scale_activation(peer.global_scale).detach().flatten()
    mixing = LULinear.from_matrix(rotation @ scale.diag())
    with torch.no_grad():
        mixing.bias.copy_(rotation @ peer.global_offset.flatten())
    ours = Chain(
        Coupling(SlicePartition(5, keep=3), BoundedTanh(peer.subnet, 2.0, 0.1), AffineMap(2.0)), mixing
    )
    agree(ours, from_freia(peer), torch.randn(3, 5, 4, 4), layer="Coupling and LULinear")


def test_freia_conditional_affine(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = modules.ConditionalAffineTransform([(3,)], [(2,)], subnet_constructor=Net, clamp_activation="TANH")
    ours = ConditionalMap(3, BoundedTanh(peer.subnet, 2.0), AffineMap(2.0), context=2)
    agree(ours, from_freia(peer), torch.randn(6, 3), torch.randn(6, 2))


@pytest.mark.parametrize("context", [None, 3])
def test_zuko_affine(agree, context: int | None) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    net = Net(2 + (context or 0), 6)
    slope = math.log(1e-3)

    def make(given: Tensor | None) -> object:
        def meta(x: Tensor) -> object:
            scale, shift = halves(net(x, given))
            return transforms.DependentTransform(transforms.MonotonicAffineTransform(shift, scale), 1)

        return transforms.CouplingTransform(meta, MASK)

    def translate(out: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift = halves(out)
        return scale / (1 + (scale / slope).abs()), shift

    ours = affine_coupling(MASK, net, translate, context=context)
    given = None if context is None else torch.randn(6, context)
    agree(ours, from_zuko(make), torch.randn(6, 5), given, layer="Coupling, affine")


def test_zuko_additive(agree) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    net = Net(2, 3)
    meta = lambda x: transforms.DependentTransform(transforms.AdditiveTransform(net(x)), 1)  # noqa: E731
    peer = from_zuko(lambda _: transforms.CouplingTransform(meta, MASK))
    agree(Coupling(MASK, net, AdditiveMap()), peer, torch.randn(6, 5), layer="Coupling, additive")


@pytest.mark.parametrize("context", [None, 3])
def test_torchflows_affine(agree, context: int | None) -> None:
    layers = pytest.importorskip("torchflows.bijections.finite.autoregressive.layers")
    shape = None if context is None else (context,)
    peer = layers.AffineCoupling((5,), context_shape=shape)
    kept = peer.coupling.source_mask

    def net(x: Tensor, given: Tensor | None = None) -> Tensor:
        return peer.conditioner_transform(x, context=given)  # (N, m, 2)

    def translate(out: Tensor) -> tuple[Tensor, Tensor]:
        return peer.transformer.constrain_scale(out[..., 0]).log(), out[..., 1]

    ours = affine_coupling(ChannelPartition(kept), net, translate, context=context)
    given = None if context is None else torch.randn(6, context)
    agree(ours, from_torchflows(peer), torch.randn(6, 5), given, layer="Coupling, affine")


def test_torchflows_shift(agree) -> None:
    layers = pytest.importorskip("torchflows.bijections.finite.autoregressive.layers")
    peer = layers.ShiftCoupling((5,))
    ours = Coupling(
        ChannelPartition(peer.coupling.source_mask),
        _Flat(peer.conditioner_transform),
        AdditiveMap(),
    )
    agree(ours, from_torchflows(peer), torch.randn(6, 5), layer="Coupling, additive")


class _Flat(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x, context=None).flatten(1)
