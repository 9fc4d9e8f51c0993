"""Reversible streams, polar coordinates, up-sampling, couplings."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage import Chain
from preimage.errors import DomainError, NotConvergedError, ShapeError
from preimage.layers import (
    AdditiveMap,
    AffineMap,
    AmplitudePhase,
    ConditionalMap,
    Coupling,
    MaskPartition,
    MeanPool,
    ReversibleResidual,
    SlicePartition,
)
from preimage.nets import MLP, ConvNet, ResidualNet


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def _matrix(layer: nn.Module, *shape: int) -> Tensor:
    """The dense matrix of a linear layer."""
    basis = torch.eye(math.prod(shape), dtype=torch.float64).view(-1, *shape)
    return layer(basis).flatten(1).T


@pytest.mark.shows("0-11")
def test_reversible_residual_inverts_any_networks() -> None:
    f = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2)).double()  # not invertible, Lipschitz > 1
    g = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3)).double()
    net = Chain(*[ReversibleResidual(f, g) for _ in range(10)])
    x = (_normal(7, 2), _normal(7, 3))
    first, second = x
    for _ in range(10):
        first = first + f(second)
        second = second + g(first)
    y = net(x)
    assert torch.allclose(y[0], first)
    assert torch.allclose(y[1], second)
    assert all((a - b).abs().max() < 1e-10 for a, b in zip(net.inverse(y), x, strict=True))


@pytest.mark.shows("0-11")
def test_dropout_in_a_stream_is_flagged() -> None:
    layer = ReversibleResidual(nn.Dropout(0.5), nn.Dropout(0.5))
    torch.manual_seed(0)
    y = layer((torch.ones(4, 8), torch.ones(4, 8)))
    with pytest.raises(NotConvergedError):
        layer.certified_inverse(y)
    assert layer.eval().certified_inverse(y)[1].ok


def test_streams_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(
        ShapeError, match=r"returned shape \(1, 4\), wanted that of the other stream, \(1, 2\)"
    ):
        ReversibleResidual(nn.Linear(3, 4), nn.Linear(2, 3))((torch.ones(1, 2), torch.ones(1, 3)))


@pytest.mark.shows("4-17")
def test_log_det_of_polar_coordinates_is_minus_log_r() -> None:
    x = _normal(9, 6)
    y, log_det = AmplitudePhase().forward_and_log_det(x)
    spectrum = torch.complex(x[:, :3], x[:, 3:])
    assert torch.allclose(y, torch.cat([spectrum.abs(), spectrum.angle()], dim=1))
    assert torch.allclose(log_det, -spectrum.abs().log().sum(1))


@pytest.mark.shows("4-17")
def test_phase_wraps_around_the_negative_axis() -> None:
    x = torch.tensor([[-1.0, 1e-6], [-1.0, -1e-6]], dtype=torch.float64)
    y = AmplitudePhase()(x)
    assert y[0, 1] - y[1, 1] > 6.28
    assert torch.allclose(AmplitudePhase().inverse(y), x)
    with pytest.raises(DomainError, match="phases in"):
        AmplitudePhase().inverse(torch.tensor([[1.0, 3.5]]))


@pytest.mark.shows("4-17")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_amplitude_is_guarded(dtype: torch.dtype) -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=dtype)
    with pytest.raises(DomainError, match="not both zero"):
        AmplitudePhase()(x)
    with pytest.raises(DomainError, match="amplitudes above 0"):
        AmplitudePhase().inverse(x)
    limit = 2 * math.sqrt(torch.finfo(dtype).tiny)
    small = torch.tensor([[limit, 0.0], [0.0, -limit]], dtype=dtype, requires_grad=True)
    y, log_det = AmplitudePhase().forward_and_log_det(small)
    (y.sum() + log_det.sum()).backward()
    assert small.grad is not None
    assert small.grad.isfinite().all()
    assert torch.allclose(AmplitudePhase().inverse(y), small, rtol=1e-6, atol=1e-7 * limit)


@pytest.mark.shows("3-12")
@pytest.mark.parametrize(("factors", "shape"), [(2, (3, 4, 6)), ((2, 3), (2, 4, 6)), ((4,), (2, 8))])
def test_pooling_undoes_up_sampling(factors: object, shape: tuple[int, ...]) -> None:
    pool = MeanPool(factors)  # pyright: ignore[reportArgumentType]
    small = _normal(5, *shape)
    assert (pool(pool.inverse(small)) - small).abs().max() <= 1e-15 * 4
    forward = _matrix(pool, *(shape[0], *[s * f for s, f in zip(shape[1:], pool.factors, strict=True)]))
    backward = torch.stack(
        [pool.inverse(e.view(1, *shape)).flatten() for e in torch.eye(len(forward)).double()], 1
    )
    assert torch.allclose(backward, torch.linalg.pinv(forward), atol=1e-12)


@pytest.mark.shows("3-12")
def test_up_sampling_states_its_loss() -> None:
    x = _normal(4, 3, 8, 8)
    pool = MeanPool(2)
    assert torch.allclose(pool(x), functional.avg_pool2d(x, 2))
    again = functional.interpolate(functional.avg_pool2d(x, 2), scale_factor=2)
    assert torch.allclose(pool.reconstruction_loss(x), (x - again).square().mean((1, 2, 3)))
    assert torch.equal(pool.reconstruction_loss(pool.inverse(pool(x))), torch.zeros(4, dtype=torch.float64))
    assert pool.certified_inverse(pool(x))[1].ok
    assert pool.side == "right"


@pytest.mark.shows("3-13", "4-1")
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Coupling(SlicePartition(6, keep=2), MLP(2, 8)), (6,)),
        (Coupling(SlicePartition(6, keep=5), ResidualNet(5, 2)), (6,)),
        (Coupling(torch.arange(5) % 2 == 0, ConvNet(3, 4, dims=1)), (5, 4)),
        (Coupling(MaskPartition.alternating(7), ConvNet(2, 4, (8,), dims=1)), (2, 7)),
        (Coupling(MaskPartition.checkerboard(4, 4), ConvNet(2, 4, (8,))), (2, 4, 4)),
        (Coupling(SlicePartition(4), ConvNet(2, 2, (8,)), AdditiveMap()), (4, 3, 5)),
    ],
)
def test_couplings_start_as_the_identity(layer: Coupling, shape: tuple[int, ...]) -> None:
    x = _normal(3, *shape)
    y, log_det = layer.double().forward_and_log_det(x)
    assert torch.equal(y, x)
    assert torch.equal(log_det, torch.zeros(3, dtype=torch.float64))


@pytest.mark.shows("3-13")
def test_inverse_log_det_of_an_uneven_coupling_is_the_sum_over_the_moved_part() -> None:
    layer = Coupling(SlicePartition(6, keep=2), nn.Linear(2, 8).double(), AffineMap(bound=2.0))
    x = _normal(5, 6)
    scales = 2 * torch.tanh(layer.conditioner(x[:, :2]).view(5, 4, 2)[..., 0] / 2)
    y, log_det = layer.forward_and_log_det(x)
    assert torch.allclose(log_det, scales.sum(1))
    assert torch.allclose(layer.inverse_and_log_det(y)[1], -scales.sum(1))


@pytest.mark.shows("3-13")
def test_a_conditional_map_moves_everything_by_the_context() -> None:
    layer = ConditionalMap(3, nn.Linear(2, 6).double(), context=2)
    x, context = _normal(4, 3, 5), _normal(4, 2)
    jacobian = torch.func.jacrev(lambda v: layer(v[None], context[:1]).flatten())(x[0]).reshape(15, 15)
    assert torch.equal(jacobian, jacobian.diagonal().diag())
    assert torch.allclose(layer.forward_and_log_det(x, context)[1][0], jacobian.diagonal().log().sum())
    with pytest.raises(ShapeError, match="2 parameters for each of 3 channels"):
        ConditionalMap(3, nn.Linear(2, 5).double(), context=2)(x, context)


@pytest.mark.parametrize(
    "network", [MLP(3, 2, context=2), ResidualNet(3, 2, context=2), ConvNet(3, 2, context=2)]
)
def test_networks_use_their_context_once_trained(network: nn.Module) -> None:
    x = torch.randn(4, 3, 5, 5) if isinstance(network, ConvNet) else torch.randn(4, 3)
    assert torch.equal(network(x, torch.ones(4, 2)), torch.zeros_like(network(x, torch.ones(4, 2))))
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    assert not torch.allclose(network(x, torch.ones(4, 2)), network(x, torch.zeros(4, 2)))
