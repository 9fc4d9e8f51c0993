"""Dense layers: LU, pictures, biases."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from preimage import Chain
from preimage.errors import NotConvergedError, NotInvertibleError, ShapeError
from preimage.layers import (
    Dense,
    FeatureLinear,
    LULinear,
    MaskedLULinear,
    Orthogonal,
    SharedBias,
    SVDLinear,
)


def _double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def _with_condition(size: int, condition: float) -> Tensor:
    u, v = (torch.linalg.qr(_double(size, size)).Q for _ in range(2))
    return u @ torch.logspace(0, -math.log10(condition), size, dtype=torch.float64).diag() @ v


@pytest.mark.shows("0-1")
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e9])
def test_dense_round_trip_is_bounded_by_the_condition(condition: float) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(20, 20).double()
    with torch.no_grad():
        linear.weight.copy_(_with_condition(20, condition))
    layer = Dense.from_linear(linear)
    x = _double(50, 20)
    back, certificate = layer.certified_inverse(linear(x), tolerance=1e-3, on_error="raise")
    assert (back - x).norm() / x.norm() <= 1e-10 * condition
    assert certificate.condition == pytest.approx(torch.full((50,), condition).tolist(), rel=1e-4)


@pytest.mark.shows("0-1")
@pytest.mark.parametrize("scale", [1.0, 0.1, 1e-20])
def test_singular_weight_is_refused(scale: float) -> None:
    """Also where rounding hides it: 0.1 * [[1, 2], [3, 6]] has a pivot of 1e-17."""
    layer = Dense(2).double()
    with torch.no_grad():
        layer.weight.copy_(scale * torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    with pytest.raises(NotInvertibleError, match="lost its rank"):
        layer.inverse(_double(1, 2))


def test_small_scales_are_not_singular() -> None:
    layer = Dense(2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1e-20, 1e10]).diag())
    x = torch.randn(3, 2)
    assert torch.allclose(layer.inverse(layer(x)), x)


def test_nearly_singular_weight_is_not_certified() -> None:
    torch.manual_seed(1)
    layer = Dense(5)
    with torch.no_grad():
        layer.weight.copy_(_with_condition(5, 1e5))
    with pytest.raises(NotConvergedError):
        layer.certified_inverse(layer(torch.randn(4, 5)))


def test_dense_shares_the_parameters_of_its_linear_layer() -> None:
    linear = nn.Linear(3, 3)
    layer = Dense.from_linear(linear)
    with torch.no_grad():
        linear.weight.mul_(2)
    x = torch.randn(2, 3)
    assert torch.equal(layer(x), linear(x))
    with pytest.raises(NotInvertibleError, match="PseudoInverseLinear"):
        Dense.from_linear(nn.Linear(3, 2))


@pytest.mark.parametrize("make", [LULinear.from_matrix, Orthogonal.from_matrix, SVDLinear.from_matrix])
def test_only_square_matrices(make: object) -> None:
    with pytest.raises(ShapeError, match="wanted a square"):
        make(torch.ones(2, 3))  # pyright: ignore[reportCallIssue]


@pytest.mark.shows("3-16")
@pytest.mark.parametrize("make", [Dense, LULinear, Orthogonal, SVDLinear])
def test_pictures_are_convolved_with_a_kernel_of_size_one(make: type[FeatureLinear]) -> None:
    torch.manual_seed(2)
    layer = make(3).double()  # pyright: ignore[reportCallIssue]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    x = _double(2, 3, 4, 5)
    y, log_det = layer.forward_and_log_det(x)
    wanted = nn.functional.conv2d(x, layer.matrix[:, :, None, None], layer.bias)
    assert (y - wanted).abs().max() <= 1e-12
    one = torch.linalg.slogdet(layer.matrix).logabsdet
    assert (log_det - 20 * one).abs().max() <= 1e-11
    sequence = x.flatten(2)
    assert (layer(sequence) - y.flatten(2)).abs().max() <= 1e-12
    assert (layer(x[:, :, 1, 2]) - y[:, :, 1, 2]).abs().max() <= 1e-12


@pytest.mark.shows("4-1")
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_lu_starts_at_any_matrix(sign: float) -> None:
    torch.manual_seed(3)
    matrix = torch.linalg.qr(_double(8, 8)).Q
    matrix[0] *= sign * torch.linalg.det(matrix).sign()
    layer = LULinear.from_matrix(matrix)
    assert (layer.matrix - matrix).abs().max() <= 1e-12
    assert layer.log_abs_det().abs() <= 1e-12
    assert torch.equal(LULinear(8).matrix, torch.eye(8))
    assert sum(p.numel() for p in layer.parameters()) == 8 * 8 + 8


@pytest.mark.shows("4-1")
def test_factors_in_arrays_of_their_own_give_the_same_map() -> None:
    torch.manual_seed(4)
    matrix, x = _double(5, 5), _double(3, 5, 7)
    one, two = LULinear.from_matrix(matrix), MaskedLULinear.from_matrix(matrix)
    assert (two.matrix - matrix).abs().max() <= 1e-12
    for found, wanted in zip(two.forward_and_log_det(x), one.forward_and_log_det(x), strict=True):
        assert (found - wanted).abs().max() <= 1e-12
    assert sum(p.numel() for p in MaskedLULinear(5, bias=False).parameters()) == 2 * 25 + 5


@pytest.mark.shows("4-7")
def test_refined_rotation_of_many_channels_comes_back_in_single_precision() -> None:
    torch.manual_seed(5)
    layer = MaskedLULinear.from_matrix(torch.linalg.qr(torch.randn(168, 168)).Q, bias=False)
    x = torch.randn(64, 168)
    assert (layer.inverse(layer(x)) - x).abs().max() <= 5e-6


def test_lu_refuses_singular_matrices() -> None:
    with pytest.raises(NotInvertibleError, match="singular"):
        LULinear.from_matrix(torch.ones(2, 2))


@pytest.mark.shows("0-17")
def test_shared_bias_is_the_same_parameter() -> None:
    linear = nn.Linear(4, 3)
    layer = SharedBias(linear)
    product = nn.functional.linear(torch.ones(2, 4), linear.weight)
    assert torch.allclose(layer(product), linear(torch.ones(2, 4)))
    assert torch.allclose(layer.inverse(linear(torch.ones(2, 4))), product, atol=1e-6)
    assert not layer.forward_and_log_det(product)[1].any()
    layer(product).sum().backward()
    assert torch.equal(linear.bias.grad, torch.full((3,), 2.0))  # pyright: ignore
    with torch.no_grad():
        linear.bias.fill_(7.0)
    assert torch.equal(layer.inverse(torch.full((1, 3), 7.0)), torch.zeros(1, 3))
    layer.double()
    assert linear.bias.dtype == torch.float64
    pair = copy.deepcopy(nn.ModuleList([linear, layer]))
    assert pair[1].bias is pair[0].bias


@pytest.mark.shows("0-17")
def test_shared_bias_needs_a_bias() -> None:
    with pytest.raises(NotInvertibleError, match="no bias"):
        SharedBias(nn.Linear(2, 2, bias=False))


@pytest.mark.shows("0-1", "0-17")
def test_a_dense_layer_undone_in_two_steps() -> None:
    """Bias first, then the weight: the same as undoing both at once."""
    linear = nn.Linear(3, 3).double()
    parts = Chain(Dense.from_linear(nn.Linear(3, 3, bias=False).double()), SharedBias(linear))
    parts[0].weight = linear.weight  # pyright: ignore
    y = _double(4, 3)
    assert (parts.inverse(y) - Dense.from_linear(linear).inverse(y)).abs().max() <= 1e-11
