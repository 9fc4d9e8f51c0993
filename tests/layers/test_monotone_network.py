"""Monotone networks against plain formulas, quadrature by scipy, bisection and dense Jacobians."""

import numpy as np
import pytest
import torch
from scipy import integrate

from preimage import Chain
from preimage.functional.roots import certain_root
from preimage.functional.scalar.clenshaw_curtis import clenshaw_curtis
from preimage.layers import Autoregressive, BlockAutoregressive, DeepSigmoidMap, UnconstrainedMonotoneMap
from preimage.layers.monotone_network.block_linear import BlockLinear
from preimage.nets import MaskedMLP

MAPS = {
    "deep sigmoids": lambda: DeepSigmoidMap((4, 3)),
    "one layer of sigmoids": lambda: DeepSigmoidMap((6,)),
    "unconstrained": lambda: UnconstrainedMonotoneMap(3, (8, 8)),
}


def moved(module, deviation=0.3):
    torch.manual_seed(1)
    for parameter in module.parameters():
        parameter.data.add_(deviation * torch.randn_like(parameter))
    return module.double()


def drawn(element_map, rows=50, deviation=1.0):
    torch.manual_seed(2)
    x = 4 * torch.randn(rows, dtype=torch.float64)
    return x, deviation * torch.randn(rows, element_map.count, dtype=torch.float64)


@pytest.mark.parametrize("name", MAPS)
def test_slope_is_that_of_autograd(name):
    element_map = moved(MAPS[name]())
    x, raw = drawn(element_map, deviation=0.5)
    x.requires_grad_()
    y, log_slope = element_map.forward_elements(x, raw)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(log_slope.exp(), slope, rtol=1e-7, atol=0.0)


@pytest.mark.parametrize("name", MAPS)
def test_inverse_against_bisection(name):
    element_map = moved(MAPS[name]())
    x, raw = drawn(element_map)
    y, log_slope = element_map.forward_elements(x, raw)
    low, high = torch.full_like(x, -100.0), torch.full_like(x, 100.0)
    for _ in range(80):
        middle = (low + high) / 2
        below = element_map.forward_elements(middle, raw)[0] < y
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    back, inverse_slope = element_map.inverse_elements(y, raw)
    torch.testing.assert_close(back, low, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(back, x, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(inverse_slope, -log_slope, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("deviation", [1.0, 10.0, 100.0])
def test_inverse_is_right_or_nan(name, dtype, deviation):
    element_map = moved(MAPS[name]()).to(dtype)
    x, raw = drawn(element_map, 200, deviation)
    y = torch.cat([x, 1e6 * x]).to(dtype)
    raw = raw.repeat(2, 1).to(dtype)
    with torch.no_grad():
        back, _ = element_map.inverse_elements(y, raw)
        again, log_slope = element_map.forward_elements(back, raw)
    found = back.isfinite()
    rounding = 2000 * torch.finfo(dtype).eps * (y.abs() + log_slope.exp() * (1 + back.abs()) + 1)
    assert ((again - y).abs() <= rounding)[found].all()
    if deviation == 1.0:
        assert found.all()


def test_deep_sigmoids_by_the_plain_formula():
    element_map = DeepSigmoidMap((3, 2))
    x, raw = drawn(element_map, 20, 0.7)
    wanted = []
    to = lambda bound, row: bound * torch.tanh(row / bound)  # noqa: E731
    for number, row in zip(x, raw, strict=True):
        a1, b1, w1, u2, a2, b2, w2 = row.split([3, 3, 9, 6, 2, 2, 2])
        h = torch.sigmoid(to(3, a1).exp() * number + to(50, b1) + torch.linspace(-1, 1, 3).double())
        h = torch.logit((to(7, w1).view(3, 3) + 2 * torch.eye(3)).softmax(1) @ h)
        inner = to(7, u2).view(2, 3).softmax(1) @ h
        h = torch.sigmoid(to(3, a2).exp() * inner + to(50, b2) + torch.tensor([-1.0, 1.0]))
        wanted.append(torch.logit(to(7, w2).softmax(0) @ h))
    torch.testing.assert_close(element_map.forward_elements(x, raw)[0], torch.stack(wanted))


def test_sigmoids_go_on_in_straight_lines():
    element_map = DeepSigmoidMap((5, 5))
    _, raw = drawn(element_map, 30)
    places = torch.tensor([1e3, 1e6, 1e9, 1e12], dtype=torch.float64)[:, None].expand(4, 30)
    for sign in (1, -1):
        y, log_slope = element_map.forward_elements(sign * places, raw)
        assert y.isfinite().all()
        torch.testing.assert_close(log_slope[1:], log_slope[1].expand(3, 30), rtol=1e-9, atol=1e-9)


def test_no_two_sigmoids_stay_alike():
    element_map = DeepSigmoidMap((4, 4))
    raw = torch.zeros(1, element_map.count, requires_grad=True)
    element_map.forward_elements(torch.tensor([0.7]), raw)[0].sum().backward()
    steepness = raw.grad[0, :4]
    assert len(steepness.unique()) == 4


def test_integral_against_scipy():
    element_map = moved(UnconstrainedMonotoneMap(2, (8,), nodes=40))
    x, raw = drawn(element_map, 12)
    y = element_map.forward_elements(x, raw)[0]

    def integrand(t, row):
        with torch.no_grad():
            place = torch.tensor([t], dtype=torch.float64).clamp(-10, 10)
            return element_map.integrand(place, row[:-1]).item()

    wanted = [
        integrate.quad(integrand, 0, n.item(), (row,))[0] + row[-1] for n, row in zip(x, raw, strict=True)
    ]
    torch.testing.assert_close(y, torch.stack(wanted), rtol=1e-9, atol=1e-9)


def test_a_rough_integrand_is_not_inverted():
    element_map = UnconstrainedMonotoneMap(1, (16, 16))
    torch.manual_seed(0)
    for parameter in element_map.parameters():
        parameter.data.normal_(0, 20)
    x, raw = torch.linspace(-9, 9, 50), torch.zeros(50, 2)
    with torch.no_grad():
        y, _ = element_map.forward_elements(x, raw)
        back, _ = element_map.inverse_elements(y, raw)
    found = back.isfinite()
    assert not found.all()
    assert (element_map.integral(back[found], raw[found]).roughness < 1e-3).all()


@pytest.mark.parametrize("arguments", [{"nodes": 6}, {"bound": 0.0}, {"signal": 0}])
def test_wrong_settings_are_refused(arguments):
    with pytest.raises(ValueError, match="wanted"):
        UnconstrainedMonotoneMap(**arguments)


@pytest.mark.parametrize("units", [(), (3, 0)])
def test_layers_without_units_are_refused(units):
    with pytest.raises(ValueError, match="wanted"):
        DeepSigmoidMap(units)
    with pytest.raises(ValueError, match="wanted"):
        BlockAutoregressive(2, units)


@pytest.mark.parametrize("panels", [2, 8, 33])
def test_clenshaw_curtis_is_exact_for_polynomials(panels):
    if panels % 2:
        with pytest.raises(ValueError, match="even"):
            clenshaw_curtis(panels)
        return
    nodes, weights = map(np.array, clenshaw_curtis(panels))
    for degree in range(panels + 1):
        assert abs((weights * nodes**degree).sum() - 1 / (degree + 1)) < 1e-14


@pytest.mark.parametrize("name", MAPS)
def test_autoregressive_round_trip_and_gradients(name):
    element_map = MAPS[name]()
    layer = moved(Autoregressive(MaskedMLP(5, element_map.count, (12,)), element_map), 0.2)
    x = torch.randn(4, 5, dtype=torch.float64)
    y, log_det = layer.forward_and_log_det(x)
    back, inverse_log_det = layer.inverse_and_log_det(y)
    torch.testing.assert_close(back, x, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(-inverse_log_det, log_det, rtol=1e-7, atol=1e-7)
    assert torch.autograd.gradcheck(
        layer.inverse_and_log_det, y[:2].detach().requires_grad_(), fast_mode=True
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 1e6])
@pytest.mark.parametrize("name", [*MAPS, "block"])
def test_chains_are_certified_or_flagged(name, dtype, scale):
    def layer():
        if name == "block":
            return BlockAutoregressive(4)
        element_map = MAPS[name]()
        return Autoregressive(MaskedMLP(4, element_map.count, (16,)), element_map)

    chain = moved(Chain(layer(), layer()), 0.2).to(dtype)
    x = scale * torch.randn(32, 4, dtype=dtype)
    with torch.no_grad():
        back, certificate = chain.certified_inverse(chain(x), on_error="nan")
    error = (back - x).norm(dim=1) / x.norm(dim=1)
    assert certificate.converged.any()
    assert error[certificate.converged].max() < 10 * torch.finfo(dtype).eps ** 0.5
    assert certificate.residual[certificate.converged].max() < torch.finfo(dtype).eps ** 0.5


def test_block_layer_has_a_triangular_jacobian_with_a_positive_diagonal():
    layer = moved(BlockAutoregressive(4, (3, 5)))
    x = torch.randn(1, 4, dtype=torch.float64)
    _, log_det = layer.forward_and_log_det(x)
    jacobian = torch.autograd.functional.jacobian(layer, x)[0, :, 0]
    assert torch.equal(jacobian, jacobian.tril())
    assert (jacobian.tril() != 0).sum() == 10
    assert (jacobian.diag() > 0).all()
    torch.testing.assert_close(log_det[0], jacobian.slogdet().logabsdet)


def test_block_linear_against_loops():
    layer = moved(BlockLinear(3, 2, 4))
    wanted = torch.zeros(12, 6, dtype=torch.float64)
    for i in range(12):
        for j in range(6):
            if i // 4 == j // 2:
                wanted[i, j] = layer.weight[i, j].exp()
            elif i // 4 > j // 2:
                wanted[i, j] = layer.weight[i, j]
    wanted = layer.log_norm.exp() * wanted / wanted.norm(dim=1, keepdim=True)
    torch.testing.assert_close(layer.matrix(), wanted)
    torch.testing.assert_close(layer.blocks(layer.matrix())[1], wanted[4:8, 2:4])


def test_certain_root_says_nan_where_there_is_no_root():
    step = lambda x: (torch.where(x > 0, x + 5, x - 5), torch.ones_like(x))  # noqa: E731  (jumps over 0)
    y = torch.tensor([7.0, 0.0, -9.0, float("nan")], dtype=torch.float64)
    x, slope = certain_root(step, y, torch.full_like(y, -50.0), torch.full_like(y, 50.0))
    torch.testing.assert_close(x[[0, 2]], torch.tensor([2.0, -4.0], dtype=torch.float64))
    assert x[[1, 3]].isnan().all()
    assert slope[[1, 3]].isnan().all()


@pytest.mark.parametrize("name", [*MAPS, "block"])
def test_64_layers_train(name):
    torch.manual_seed(0)

    def layer():
        if name == "block":
            return BlockAutoregressive(3, (4,))
        integral = UnconstrainedMonotoneMap(2, (4,), nodes=8)
        small = {"deep sigmoids": DeepSigmoidMap((2, 2)), "unconstrained": integral}
        element_map = small.get(name) or MAPS[name]()
        return Autoregressive(MaskedMLP(3, element_map.count, (8,)), element_map)

    chain = Chain(*[layer() for _ in range(64)])
    optimiser = torch.optim.Adam(chain.parameters(), lr=1e-3)
    x = torch.randn(32, 3) @ torch.randn(3, 3)
    losses = []
    for _ in range(4):
        z, log_det = chain.forward_and_log_det(x)
        loss = (0.5 * z.square().sum(1) - log_det).mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert all(np.isfinite(losses))
    assert losses[-1] < losses[0]
