"""What the structural layers do beyond the laws: values against plain indexing and dense matrices."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage import Chain
from preimage.errors import ContextError, DomainError, NotConvergedError, ShapeError
from preimage.layers import (
    AdditiveMap,
    Affine,
    AffineMap,
    AmplitudePhase,
    Checkerboard,
    Concatenate,
    ConditionalMap,
    Coupling,
    Haar,
    LeakyReLU,
    MaskPartition,
    MeanDifference,
    MeanPool,
    Parallel,
    Permutation,
    ReorderParts,
    Reshape,
    ReversibleResidual,
    SlicePartition,
    Split,
    Squeeze,
    Subsample,
    TupleCoupling,
    factor_out,
)
from preimage.nets import MLP, ConvNet, ResidualNet, zero_last_layer


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def _matrix(layer: nn.Module, *shape: int) -> Tensor:
    """The dense matrix of a linear layer."""
    basis = torch.eye(math.prod(shape), dtype=torch.float64).view(-1, *shape)
    return layer(basis).flatten(1).T


# ---- views, squeezes, sub-sampling


@pytest.mark.shows("3-8")
def test_squeeze_equals_pixel_unshuffle_and_indexing() -> None:
    x = _normal(2, 3, 4, 6)
    assert torch.equal(Squeeze(2)(x), functional.pixel_unshuffle(x, 2))
    assert torch.equal(
        Squeeze(2).inverse(_normal(2, 8, 3, 2)), functional.pixel_shuffle(_normal(2, 8, 3, 2), 2)
    )
    y = Squeeze((2, 3))(x)  # (2, 18, 2, 2)
    for c, i, j in itertools.product(range(3), range(2), range(3)):
        assert torch.equal(y[:, 6 * c + 3 * i + j], x[:, c, i::2, j::3])


@pytest.mark.shows("3-8")
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Permutation.shuffle(5, torch.Generator().manual_seed(0)), (5, 3)),
        (Reshape((4, 6), (2, 3, -1)), (4, 6)),
        (Squeeze((3,)), (2, 9)),
        (Squeeze((2, 5)), (3, 4, 10)),
        (Subsample((3, 2)), (2, 6, 4)),
        (Checkerboard(), (2, 5, 4)),
    ],
)
def test_reordering_makes_exact_round_trips(layer: nn.Module, shape: tuple[int, ...]) -> None:
    x = _normal(4, *shape)
    assert torch.equal(layer.inverse(layer(x)), x)


@pytest.mark.shows("4-1")
def test_subsample_and_checkerboard_equal_indexing() -> None:
    x = _normal(2, 3, 4, 6)
    for part, (i, j) in zip(Subsample((2, 3))(x), itertools.product(range(2), range(3)), strict=True):
        assert torch.equal(part, x[..., i::2, j::3])
    is_black = (torch.arange(4)[:, None] + torch.arange(6)) % 2 == 0
    black, white = Checkerboard()(x)
    assert torch.equal(black.flatten(2), x[..., is_black])
    assert torch.equal(white.flatten(2), x[..., ~is_black])


def test_sizes_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"wanted \(N, \*, 2k, 3k\)"):
        Squeeze((2, 3))(_normal(1, 2, 4, 4))
    with pytest.raises(ShapeError, match="2k"):
        Haar()(_normal(1, 2, 5))
    with pytest.raises(ShapeError, match="parts have shapes"):
        Subsample((2,)).inverse((_normal(1, 2, 3), _normal(1, 2, 4)))
    with pytest.raises(ShapeError, match="but for dimension 1"):
        Concatenate([1, 2])((_normal(1, 1, 3), _normal(1, 2, 4)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Squeeze(0),
        lambda: Subsample((1,)),
        lambda: Reshape((2, 3), (4,)),
        lambda: Reshape((2, 3), (-1, -1)),
        lambda: Split([3]),
        lambda: Concatenate([1, 1], dim=0),
        lambda: ReorderParts([0, 0]),
        Parallel,
        lambda: factor_out([Affine(2)], [Split([1, 1])]),
        lambda: Haar(0),
        lambda: MeanPool((0,)),
        lambda: ConvNet(1, 1, ()),
        lambda: zero_last_layer(nn.Tanh()),
    ],
)
def test_impossible_settings_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"wanted|holds no"):
        make()  # pyright: ignore[reportCallIssue]


# ---- wavelets


@pytest.mark.shows("4-1")
@pytest.mark.parametrize(("dims", "shape"), [(1, (2, 8)), (2, (2, 4, 6))])
def test_haar_is_orthonormal(dims: int, shape: tuple[int, ...]) -> None:
    matrix = _matrix(Haar(dims), *shape)
    assert (matrix @ matrix.T - torch.eye(len(matrix))).abs().max() < 1e-15


@pytest.mark.shows("4-1")
@pytest.mark.parametrize(("dims", "shape"), [(1, (2, 8)), (2, (1, 4, 4))])
def test_mean_and_difference_keeps_volume_but_not_lengths(dims: int, shape: tuple[int, ...]) -> None:
    matrix = _matrix(MeanDifference(dims), *shape)
    assert torch.linalg.slogdet(matrix).logabsdet.abs() < 1e-13
    lengths = matrix.square().sum(1).unique()
    assert lengths.tolist() == [0.5**i * 2 ** (dims - i) for i in range(dims, -1, -1)]


def test_bands_are_means_and_differences_of_neighbours() -> None:
    x = _normal(2, 21, 128)
    y = MeanDifference()(x)
    assert y.shape == (2, 42, 64)
    assert torch.equal(y[:, :21], (x[..., ::2] + x[..., 1::2]) / 2)
    assert torch.equal(y[:, 21:], x[..., ::2] - x[..., 1::2])
    pictures = _normal(2, 1, 4, 6)
    bands = Haar(2)(pictures)
    a, b = pictures[..., ::2, ::2], pictures[..., ::2, 1::2]
    c, d = pictures[..., 1::2, ::2], pictures[..., 1::2, 1::2]
    wanted = torch.cat([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], dim=1) / 2
    assert torch.allclose(bands, wanted, atol=1e-14)


# ---- volume


@pytest.mark.shows("3-2", "0-8")
@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (Reshape((4,), (2, 2)), _normal(3, 4)),
        (Squeeze((2,)), _normal(3, 2, 4)),
        (Haar(), _normal(3, 2, 4)),
        (MeanDifference(2), _normal(3, 1, 2, 4)),
        (Subsample((2,)), _normal(3, 2, 4)),
        (Checkerboard(), _normal(3, 1, 2, 4)),
        (Split([1, 3]), _normal(3, 4)),
        (Concatenate([2, 3]), (_normal(3, 2), _normal(3, 3))),
        (ReorderParts([1, 0]), (_normal(3, 2), _normal(3, 3))),
        (ReversibleResidual(nn.Tanh(), nn.Tanh()), (_normal(3, 2), _normal(3, 2))),
        (Permutation([1, 0]), _normal(3, 2)),
        (Coupling(torch.tensor([True, False]), nn.Linear(1, 1).double(), AdditiveMap()), _normal(3, 2)),
    ],
)
def test_volume_preserving_layers_give_exactly_zero(layer: nn.Module, x: object) -> None:
    y, log_det = layer.forward_and_log_det(x)
    assert torch.equal(log_det, torch.zeros(3, dtype=torch.float64))
    assert torch.equal(layer.inverse_and_log_det(y)[1], torch.zeros(3, dtype=torch.float64))


# ---- tuples


@pytest.mark.shows("0-8", "3-9")
@pytest.mark.parametrize("sizes", [(10, 4), (1, 7), (10, 10)])
def test_a_side_input_comes_back_bit_by_bit(sizes: tuple[int, int]) -> None:
    data, side = _normal(5, sizes[0], 3), _normal(5, sizes[1], 3)
    joined = Concatenate(sizes)((data, side))
    assert torch.equal(joined, torch.cat([data, side], dim=1))
    for wanted, actual in zip((data, side), Concatenate(sizes).inverse(joined), strict=True):
        assert torch.equal(actual, wanted)


@pytest.mark.shows("3-9")
def test_a_side_input_survives_a_network() -> None:
    net = Chain(
        Parallel(Affine(10), Chain()), Concatenate([10, 4]), Coupling(SlicePartition(14, 8), MLP(8, 12))
    ).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(1))
    side = _normal(6, 4)
    assert (net.inverse(net((_normal(6, 10), side)))[1] - side).abs().max() <= 1e-12


@pytest.mark.shows("4-18")
def test_factor_out_gives_the_deepest_latent_first() -> None:
    stages = [LeakyReLU(0.5), LeakyReLU(0.25), LeakyReLU(0.125)]
    net = factor_out(stages, [Split([3, 1]), Split([1, 1, 1])])
    x = _normal(5, 4)
    latents, log_det = net.forward_and_log_det(x)
    first = stages[0](x)
    second = stages[1](first[:, :3])
    wanted = (stages[2](second[:, :1]), second[:, 1:2], second[:, 2:], first[:, 3:])
    assert all(torch.equal(actual, want) for actual, want in zip(latents, wanted, strict=True))
    parts = [
        stage.forward_and_log_det(part)[1]
        for stage, part in zip(stages, (x, first[:, :3], second[:, :1]), strict=True)
    ]
    assert torch.allclose(log_det, sum(parts, torch.zeros(5)))
    assert torch.allclose(net.inverse(latents), x)


@pytest.mark.shows("4-18")
def test_a_graph_of_nodes_selects_conditions_and_concatenates() -> None:
    conditional = ConditionalMap(2, nn.Linear(1, 2, bias=False), AdditiveMap(), context=1).double()
    net = Chain(
        Split([2, 1]),  # a, b
        ReorderParts([1, 0]),  # b, a
        TupleCoupling(conditional),  # b, a + W b
        Parallel(LeakyReLU(0.5), Chain()),
        Concatenate([1, 2]),
    )
    x = _normal(6, 3)
    b, a = x[:, 2:], x[:, :2]
    wanted = torch.cat([LeakyReLU(0.5)(b), a + conditional.conditioner(b)], dim=1)
    assert torch.allclose(net(x), wanted, atol=1e-15)
    assert torch.allclose(net.inverse(net(x)), x, atol=1e-14)


def test_tuple_errors_name_layer_and_numbers() -> None:
    with pytest.raises(ShapeError, match=r"Parallel.forward_and_log_det.*a tuple of 2 tensors"):
        Parallel(Chain(), Chain())(_normal(2, 3))
    with pytest.raises(ContextError, match="takes none"):
        Parallel(Chain(), Chain())((_normal(2, 3), _normal(2, 3)), _normal(2, 1))
    with pytest.raises(ContextError, match="takes no context, wanted a conditional"):
        TupleCoupling(LeakyReLU())
    with pytest.raises(TypeError, match="wanted bijections"):
        Parallel(nn.Linear(2, 2))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="gives one tensor"):
        factor_out([Affine(2), Affine(2)], [LeakyReLU()])


# ---- residual streams


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


# ---- polar coordinates


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


# ---- up-sampling


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


# ---- couplings


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
