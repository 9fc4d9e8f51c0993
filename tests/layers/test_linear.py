"""Linear layers beyond the laws that every bijection keeps."""

import copy
import json
import math
from pathlib import Path

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
    PseudoInverseLinear,
    SharedBias,
    SVDLinear,
    SVDRectangular,
)


def _double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def _with_condition(size: int, condition: float) -> Tensor:
    u, v = (torch.linalg.qr(_double(size, size)).Q for _ in range(2))
    return u @ torch.logspace(0, -math.log10(condition), size, dtype=torch.float64).diag() @ v


# Dense


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


# One map for vectors, sequences and pictures


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


# Orthogonal


@pytest.mark.shows("0-3", "3-14")
def test_inverse_is_the_transpose() -> None:
    torch.manual_seed(4)
    layer = Orthogonal(30).double()
    y = _double(10, 30)
    assert (layer.inverse(y) - y @ layer.matrix).abs().max() <= 1e-12
    assert (layer.matrix.mT @ layer.matrix - torch.eye(30)).abs().max() <= 1e-12
    _, log_det = layer.forward_and_log_det(y)
    assert not log_det.any()


@pytest.mark.shows("3-14")
@pytest.mark.parametrize("size", [1, 2, 3, 6])
@pytest.mark.parametrize("determinant", [1, -1])
def test_both_determinants_with_any_number_of_reflections(size: int, determinant: int) -> None:
    torch.manual_seed(5)
    for count in range(1, size + 1):
        w = Orthogonal(size, count, determinant=determinant).double().matrix
        assert torch.linalg.det(w).item() == pytest.approx(determinant, abs=1e-12)


@pytest.mark.shows("3-14")
@pytest.mark.parametrize("determinant", [1, -1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_setter_is_exact(determinant: int, dtype: torch.dtype) -> None:
    torch.manual_seed(6)
    matrix = torch.linalg.qr(_double(20, 20)).Q
    matrix[0] *= determinant * torch.linalg.det(matrix).sign()
    error = (Orthogonal.from_matrix(matrix.to(dtype)).matrix - matrix.to(dtype)).abs().max()
    assert error <= 20 * torch.finfo(dtype).eps


@pytest.mark.shows("3-14")
@pytest.mark.parametrize("signs", [[1, 1, 1], [-1, 1, 1], [1, 1, -1], [-1, -1, -1]])
def test_setter_of_diagonal_signs_has_a_live_gradient(signs: list[int]) -> None:
    """No vector is zero, where the map from vectors to matrices has a hole."""
    matrix = torch.tensor(signs, dtype=torch.float64).diag()
    layer = Orthogonal.from_matrix(matrix)
    assert torch.equal(layer.matrix, matrix)
    assert (layer.vectors.norm(dim=1) - 1).abs().max() <= 1e-12
    (layer.matrix * _double(3, 3)).sum().backward()
    assert layer.vectors.grad is not None
    assert layer.vectors.grad.norm() > 1e-3


@pytest.mark.shows("3-14")
@pytest.mark.parametrize("angle", [1e-2, 1e-4, 1e-6])
def test_near_the_identity_float32_keeps_its_digits(angle: float) -> None:
    torch.manual_seed(7)
    generator = _double(6, 6)
    matrix = torch.linalg.matrix_exp(angle * (generator - generator.mT))
    found = Orthogonal.from_matrix(matrix.float()).matrix.double()
    assert (found - matrix).abs().max() <= 4 * torch.finfo(torch.float32).eps


@pytest.mark.shows("3-14")
@pytest.mark.parametrize(
    "matrix", [torch.tensor([2.0, 0.5, 1.0]).diag(), torch.zeros(3, 3), torch.full((3, 3), float("nan"))]
)
def test_setter_refuses_what_is_not_orthogonal(matrix: Tensor) -> None:
    """The first has determinant 1, which a test of the determinant alone would accept."""
    with pytest.raises(NotInvertibleError, match="not orthogonal"):
        Orthogonal.from_matrix(matrix)


def test_setter_needs_all_reflections() -> None:
    with pytest.raises(NotInvertibleError, match="reflections do not reach"):
        Orthogonal(3, 2).set_matrix(torch.eye(3))
    with pytest.raises(ShapeError):
        Orthogonal(3).set_matrix(torch.eye(2))
    with pytest.raises(ValueError, match="wanted 1 to 3"):
        Orthogonal(3, 4)
    with pytest.raises(ValueError, match="wanted 1 or -1"):
        Orthogonal(3, determinant=0)


@pytest.mark.shows("3-14")
def test_bias_is_used() -> None:
    layer = Orthogonal(3)
    with torch.no_grad():
        layer.bias.fill_(5.0)  # pyright: ignore[reportOptionalMemberAccess]
    assert torch.equal(layer(torch.zeros(1, 3)), torch.full((1, 3), 5.0))


@pytest.mark.shows("3-14")
def test_every_rotation_can_be_learned() -> None:
    """Gradient descent from a random start reaches a random target of the same determinant."""
    torch.manual_seed(8)
    target = Orthogonal(4).double().matrix.detach()
    layer = Orthogonal(4, bias=False).double()
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        loss = (layer.matrix - target).square().sum()
        loss.backward()
        optimiser.step()
    assert loss.item() <= 1e-4


# SVD


@pytest.mark.shows("3-16")
def test_svd_equals_its_matrix_and_bounds_its_condition() -> None:
    torch.manual_seed(9)
    matrix = _with_condition(6, 1e3)
    layer = SVDLinear.from_matrix(30 * matrix)
    assert (layer.matrix - 30 * matrix).abs().max() <= 1e-12
    with torch.no_grad():
        layer.raw_scale.copy_(1e6 * _double(6))
    assert torch.linalg.cond(layer.matrix) <= 1e4 * (1 + 1e-9)
    assert layer.condition() <= 1e4 * (1 + 1e-9)
    with pytest.raises(NotInvertibleError, match="raise condition"):
        SVDLinear.from_matrix(_with_condition(6, 1e9))
    with pytest.raises(ValueError, match="above 1"):
        SVDLinear(2, condition=1.0)


@pytest.mark.shows("3-16", "0-2")
@pytest.mark.parametrize("sizes", [(3, 7), (7, 3), (4, 4)])
@pytest.mark.parametrize("make", [SVDRectangular, PseudoInverseLinear])
@pytest.mark.parametrize("event", [(), (5,), (2, 3)])
def test_rectangular_inverses_hold_on_their_side(
    sizes: tuple[int, int], make: type, event: tuple[int, ...]
) -> None:
    torch.manual_seed(10)
    layer = make(*sizes).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    x, y = _double(6, sizes[0], *event), _double(6, sizes[1], *event)
    if layer.side == "left":
        assert (layer.inverse(layer(x)) - x).abs().max() <= 1e-11
    else:
        assert (layer(layer.inverse(y)) - y).abs().max() <= 1e-11
    once = layer.inverse(layer(x))
    assert (layer.inverse(layer(once)) - once).abs().max() <= 1e-11
    _, certificate = layer.certified_inverse(layer(x))
    assert certificate.ok
    assert (certificate.nullity == max(sizes[0] - sizes[1], 0)).all()
    off = layer.certified_inverse(y, on_error="nan")[1]
    assert off.ok == (sizes[1] <= sizes[0])


@pytest.mark.shows("0-2")
def test_contracting_loses_its_share_of_white_data() -> None:
    """Relative error sqrt(1 - n/m) for m -> n features."""
    torch.manual_seed(11)
    layer = PseudoInverseLinear(64, 16)
    x = torch.randn(2000, 64)
    error = (layer.inverse(layer(x)) - x).norm() / x.norm()
    assert error.item() == pytest.approx(math.sqrt(1 - 16 / 64), abs=0.01)


@pytest.mark.shows("3-16")
@pytest.mark.parametrize("sizes", [(3, 7), (7, 3)])
def test_rectangular_svd_is_the_pseudo_inverse_of_its_matrix(sizes: tuple[int, int]) -> None:
    torch.manual_seed(12)
    layer = SVDRectangular(*sizes, bias=False).double()
    with torch.no_grad():
        layer.raw_scale.add_(torch.randn_like(layer.raw_scale))
    matrix = layer(torch.eye(sizes[0], dtype=torch.float64)).mT
    y = _double(5, sizes[1])
    assert (layer.inverse(y) - y @ torch.linalg.pinv(matrix).mT).abs().max() <= 1e-11
    assert layer.condition() == pytest.approx(torch.linalg.cond(matrix).item(), rel=1e-9)


# The live pseudo-inverse


@pytest.mark.shows("1-6")
@pytest.mark.parametrize("sizes", [(20, 12), (12, 20)])
def test_pseudo_inverse_follows_every_optimiser_step(sizes: tuple[int, int]) -> None:
    torch.manual_seed(13)
    layer = PseudoInverseLinear(*sizes)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.02)
    x = torch.randn(64, sizes[0])
    for _ in range(25):
        optimiser.zero_grad()
        code = nn.functional.leaky_relu(layer(x))
        (layer.inverse(code) - x).square().mean().backward()
        optimiser.step()
        with torch.no_grad():
            small = (
                layer.weight @ layer.pseudo_inverse()
                if layer.side == "right"
                else layer.pseudo_inverse() @ layer.weight
            )
        assert (small - torch.eye(len(small))).abs().mean() <= 1e-5


@pytest.mark.shows("1-6")
@pytest.mark.parametrize("sizes", [(5, 3), (3, 5)])
def test_gradient_through_the_pseudo_inverse(sizes: tuple[int, int]) -> None:
    torch.manual_seed(14)
    layer = PseudoInverseLinear(*sizes).double()
    weight = (layer.weight + 0.3 * torch.randn_like(layer.weight)).detach().requires_grad_()
    y = _double(4, sizes[1]).requires_grad_()

    def inverse(y: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(_Inverse(layer), {"layer.weight": weight}, (y,))

    assert torch.autograd.gradcheck(inverse, (y, weight))
    wanted = torch.linalg.pinv(weight)
    (expected,) = torch.autograd.grad((wanted @ y.mT).pow(3).sum(), weight, retain_graph=True)
    (actual,) = torch.autograd.grad((inverse(y, weight)).pow(3).sum(), weight)
    assert (actual - expected).abs().max() <= 1e-9 * (1 + expected.abs().max())


class _Inverse(nn.Module):
    """The inverse as forward, so that it can be called with other parameters."""

    def __init__(self, layer: PseudoInverseLinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, y: Tensor) -> Tensor:
        return self.layer.inverse(y)


@pytest.mark.shows("1-6")
def test_pseudo_inverse_is_never_stale() -> None:
    layer = PseudoInverseLinear(4, 2)
    y = torch.randn(3, 2)
    layer.inverse(y)
    layer.weight.data.mul_(10.0)  # not seen by autograd's version counter of the parameter
    assert torch.allclose(layer(layer.inverse(y)), y, atol=1e-5)
    layer.weight = nn.Parameter(torch.randn(2, 4))
    assert torch.allclose(layer(layer.inverse(y)), y, atol=1e-5)


def test_lost_rank_is_refused_and_nearly_lost_rank_flagged() -> None:
    layer = PseudoInverseLinear(4, 2)
    with torch.no_grad():
        layer.weight[1] = 0.3 * layer.weight[0]
    with pytest.raises(NotInvertibleError, match="lost its rank"):
        layer.inverse(torch.randn(1, 2))
    with torch.no_grad():
        layer.weight[1, 0] += 1e-4
    _, certificate = layer.certified_inverse(torch.randn(1, 2), on_error="nan")
    assert not certificate.ok
    assert "close to singular" in certificate.message


def test_one_sided_maps_check_their_arguments() -> None:
    layer = PseudoInverseLinear(4, 2)
    with pytest.raises(ShapeError, match=r"PseudoInverseLinear.inverse: y has shape \(1, 4\)"):
        layer.inverse(torch.ones(1, 4))
    with pytest.raises(ShapeError, match="forward: x has dtype torch"):
        layer(torch.ones(1, 4).double())


def test_one_sided_maps_compile_export_and_copy() -> None:
    torch.manual_seed(15)
    for layer in (PseudoInverseLinear(4, 2), SVDRectangular(2, 4)):
        x = torch.randn(3, *layer.domain.fixed)  # pyright: ignore
        y = layer(x).detach()
        assert torch.allclose(torch.compile(layer, fullgraph=True, backend="eager")(x), y)
        compiled = torch.compile(layer.inverse, fullgraph=True, backend="eager")
        assert torch.allclose(compiled(y), layer.inverse(y), atol=1e-6)
        assert torch.allclose(torch.export.export(layer, (x,), strict=False).module()(x), y)
        assert torch.equal(copy.deepcopy(layer)(x), y)


# What the page says


def test_the_page_quotes_the_benchmark() -> None:
    root = Path(__file__).parents[2]
    measured = json.loads((root / "benchmarks" / "results" / "householder_layer.json").read_text())
    ours = measured["contenders"]["Orthogonal, forward"]
    loop = measured["contenders"]["one reflection after the other"]
    assert ours["ratio"] <= 3.5
    assert ours["peak_mb"] <= 25
    assert measured["float64_error_against_explicit_product"] <= 1e-12
    page = " ".join((root / "docs" / "layers_linear.md").read_text().split())
    assert f"takes {ours['ratio']:.1f} times as long" in page
    assert f"product and {ours['peak_mb']:.0f} MB of memory" in page
    assert f"takes {loop['ratio']:.0f} times and {loop['peak_mb']:.0f} MB" in page


# Shared bias


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
