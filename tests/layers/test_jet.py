"""Jet and the flows made of attention."""

import math
from collections.abc import Iterator

import pytest
import torch
from moved_parameters import moved
from torch import Tensor

from preimage import Chain
from preimage.layers import (
    Orthogonal,
    PositionPartition,
    ShiftScaleMap,
    TransformerNet,
    channel_transformer_coupling,
    jet,
    position_transformer_coupling,
    tarflow,
)

SMALL = {"width": 8, "heads": 2}


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def test_positions_are_divided_as_the_mask_says() -> None:
    mask = torch.tensor([[True, False, False], [True, True, False]])
    partition, x = PositionPartition(mask), torch.randn(2, 4, 2, 3)
    kept, moving = partition.split(x)
    assert torch.equal(kept, x[:, :, mask])
    assert torch.equal(moving, x[:, :, ~mask])
    assert torch.equal(partition.join(kept, moving), x)


@pytest.mark.parametrize("mask", [torch.ones(2, 2, dtype=torch.bool), torch.eye(3).bool(), torch.ones(2, 2)])
def test_unequal_halves_are_refused(mask: Tensor) -> None:
    with pytest.raises(ValueError, match="as many True as False"):
        PositionPartition(mask)


def test_jet_coupling_by_hand() -> None:
    """The formula of the paper, (x + t) * 2 sigmoid(r), with the bounds of the scale removed."""
    mask = torch.tensor([True, False, False, True])
    layer = moved(channel_transformer_coupling((4, 2, 2), mask, **SMALL))
    x = torch.randn(3, 4, 2, 2).double()
    raw = layer.conditioner(x[:, mask]).unflatten(1, (2, 2))  # (N, m, count, H, W)
    scale = torch.sigmoid(raw[:, :, 0]) * 1.98 + 0.01
    y, log_det = layer.forward_and_log_det(x)
    torch.testing.assert_close(y[:, ~mask], (x[:, ~mask] + raw[:, :, 1]) * scale)
    assert torch.equal(y[:, mask], x[:, mask])
    torch.testing.assert_close(log_det, scale.log().sum((1, 2, 3)))


def test_transformer_net_sees_all_positions() -> None:
    net = moved(TransformerNet(2, 3, (2, 2), 8, 1, 2))
    jacobian = torch.func.jacrev(lambda v: net(v[None])[0])(torch.randn(2, 2, 2).double())
    assert (jacobian.abs().sum((0, 3)) > 0).all()


def test_flows_start_as_the_identity() -> None:
    x = torch.randn(2, 3, 8, 8)
    for flow in (jet((3, 8, 8), 4, 4, **SMALL), tarflow((3, 8, 8), 4, 2, **SMALL)):
        y, log_det = flow.forward_and_log_det(x)
        torch.testing.assert_close(y, x)
        assert log_det.abs().max() < 1e-4


def test_jet_takes_turns() -> None:
    couplings = list(jet((1, 8, 8), patch=2, couplings=6, **SMALL))[1:-1]
    kinds = [isinstance(layer.partition, PositionPartition) for layer in couplings]
    assert kinds == [False, False, True] * 2
    assert torch.equal(couplings[2].partition.kept, couplings[5].partition.moving)


def test_jet_with_learnt_rotations() -> None:
    flow = jet((1, 4, 4), patch=2, couplings=3, **SMALL, mixing=Orthogonal)
    assert [type(layer).__name__ for layer in list(flow)[1:-1]] == ["Orthogonal", "Coupling"] * 2 + [
        "Coupling"
    ]
    x = torch.randn(3, 1, 4, 4).double()
    moved(flow, 0.2)
    torch.testing.assert_close(flow.inverse(flow(x)), x)


def test_an_odd_number_of_patches_leaves_channel_couplings() -> None:
    couplings = list(jet((1, 6, 6), patch=2, couplings=3, **SMALL))[1:-1]
    assert not any(isinstance(layer.partition, PositionPartition) for layer in couplings)


@pytest.mark.parametrize("make", [jet, tarflow])
def test_sequences_and_other_patches(make) -> None:
    flow = moved(make((2, 12), patch=3, **SMALL), 0.2)
    x = torch.randn(3, 2, 12).double()
    torch.testing.assert_close(flow.inverse(flow(x)), x)
    with pytest.raises(ValueError, match="multiples of the patch"):
        make((2, 10), patch=3, **SMALL)


def test_wrong_number_of_positions_is_refused() -> None:
    from preimage.errors import ShapeError

    for layer in (
        channel_transformer_coupling((4, 2, 2), **SMALL),
        position_transformer_coupling((4, 2, 2), **SMALL),
    ):
        with pytest.raises(ShapeError, match="wanted"):
            layer(torch.randn(1, 4, 2, 3))


@pytest.mark.parametrize("make", [jet, tarflow])
def test_deep_flows_train_without_a_non_finite_loss(make) -> None:
    torch.manual_seed(0)
    flow = Chain(*[layer for _ in range(8) for layer in make((2, 4), 1, 4, **SMALL, depth=1)])
    optimiser = torch.optim.Adam(flow.parameters(), 1e-2)
    x = torch.randn(16, 2, 4).cumsum(2)
    losses = []
    for _ in range(10):
        z, log_det = flow.forward_and_log_det(x)
        loss = (z.square().sum((1, 2)) / 2 - log_det).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("scale", [-50.0, 50.0])
def test_shift_scale_map_at_extreme_raw_scales(scale: float) -> None:
    element_map = ShiftScaleMap()
    x = torch.tensor([3.0, -2.0])
    raw = torch.tensor([[scale, 0.5], [scale, -0.5]])
    y, log_slope = element_map.forward_elements(x, raw)
    back, inverse_log_slope = element_map.inverse_elements(y, raw)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(inverse_log_slope, -log_slope)
