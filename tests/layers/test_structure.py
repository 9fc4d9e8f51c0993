"""Reordering, splitting, joining, Haar bands."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage import Chain
from preimage.errors import ContextError, ShapeError
from preimage.layers import (
    AdditiveMap,
    Affine,
    Checkerboard,
    Concatenate,
    ConditionalMap,
    Coupling,
    Haar,
    LeakyReLU,
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
from preimage.nets import MLP, ConvNet, zero_last_layer


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def _matrix(layer: nn.Module, *shape: int) -> Tensor:
    """The dense matrix of a linear layer."""
    basis = torch.eye(math.prod(shape), dtype=torch.float64).view(-1, *shape)
    return layer(basis).flatten(1).T


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
