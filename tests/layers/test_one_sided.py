"""Singular values, rectangular maps and their pseudo-inverses."""

import copy
import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from preimage.errors import NotInvertibleError, ShapeError
from preimage.layers import (
    PseudoInverseLinear,
    SVDLinear,
    SVDRectangular,
)


def _double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def _with_condition(size: int, condition: float) -> Tensor:
    u, v = (torch.linalg.qr(_double(size, size)).Q for _ in range(2))
    return u @ torch.logspace(0, -math.log10(condition), size, dtype=torch.float64).diag() @ v


class _Inverse(nn.Module):
    """The inverse as forward, so that it can be called with other parameters."""

    def __init__(self, layer: PseudoInverseLinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, y: Tensor) -> Tensor:
        return self.layer.inverse(y)


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
