"""Autoregressive layers against loops over the features, dense Jacobians and each other."""

import copy

import pytest
import torch
from samples_autoregressive import DIAMOND, CausalConvolution
from torch import nn

from preimage import Chain
from preimage.errors import ShapeError
from preimage.functional.autoregressive.dependencies import adjacency_from_order, generations
from preimage.layers import AdditiveMap, AffineMap, Autoregressive, InverseAutoregressive
from preimage.nets import CausalNet, MaskedLinear, MaskedMLP, MaskedResidualNet


def moved(module, deviation=0.3):
    torch.manual_seed(1)
    for parameter in module.parameters():
        parameter.data.add_(deviation * torch.randn_like(parameter))
    return module.double()


NETS = {
    "mlp": lambda: MaskedMLP(7, 2, (12, 9)),
    "wide": lambda: MaskedMLP(40, 2, (64, 80)),
    "narrow": lambda: MaskedMLP(20, 2, (5, 3)),
    "residual": lambda: MaskedResidualNet((3, 2, 2), 2, 16, 3),
    "reversed": lambda: MaskedMLP(9, 2, (16,), order=list(range(8, -1, -1))),
    "passes": lambda: MaskedMLP(9, 2, (16, 16), order=[4, 1, 8, 0, 2, 7, 3, 6, 5], passes=4),
    "diamond": lambda: MaskedMLP(4, 2, (10, 10), adjacency=DIAMOND),
    "no hidden layer": lambda: MaskedMLP(5, 2, ()),
}


def one_feature_after_the_other(layer, y, context=None):
    """The textbook inverse: as many runs of the network as there are features."""
    x = torch.zeros_like(y)
    for _ in range(y[0].numel()):
        raw = layer.net(x, context)
        x, log_slope = layer.element_map.inverse_elements(y, raw)
    return x, log_slope.flatten(1).sum(1)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("graph", [False, True])
def test_inverse_is_that_of_one_feature_after_the_other(name, graph):
    layer = moved(Autoregressive(NETS[name]()))
    y = torch.randn(5, *layer.net.event_shape, dtype=torch.float64)
    with torch.set_grad_enabled(graph):
        x, log_det = layer.inverse_and_log_det(y)
    wanted, wanted_log_det = one_feature_after_the_other(layer, y)
    torch.testing.assert_close(x, wanted, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(log_det, wanted_log_det, rtol=1e-11, atol=1e-11)
    assert x.requires_grad == graph
    assert not x.is_inference()


@pytest.mark.parametrize("graph", [False, True])
def test_context_and_long_blocks(graph):
    layer = moved(Autoregressive(MaskedMLP(75, 2, (90,), context=3)), 0.1)
    y, context = torch.randn(4, 75, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    with torch.set_grad_enabled(graph):
        x = layer.inverse(y, context)
    torch.testing.assert_close(x, one_feature_after_the_other(layer, y, context)[0], rtol=1e-11, atol=1e-11)
    assert layer.solve(y, context).passes.tolist() == [75] * 4


@pytest.mark.parametrize("name", NETS)
def test_parameters_depend_exactly_on_what_they_may(name):
    net = moved(NETS[name]())
    x = torch.randn(1, *net.event_shape, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(net, x).flatten(4).abs()
    features = x[0].numel()
    depends = jacobian.reshape(features, 2, features).amax(1) > 0
    wanted = {
        "reversed": torch.ones(9, 9).triu(1).bool(),
        "passes": adjacency_from_order(torch.tensor([4, 1, 8, 0, 2, 7, 3, 6, 5]), 4),
        "diamond": torch.tensor([[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]]).bool(),
    }.get(name, torch.ones(features, features).tril(-1).bool())
    assert not (depends & ~wanted).any()
    if name != "narrow":  # where there are too few units, some dependencies fall away
        assert torch.equal(depends, wanted)


def test_number_of_passes():
    assert MaskedMLP(20, 2, (5, 3)).passes == 4  # three sets of units tell four generations apart
    assert MaskedMLP(9, 2, (16,), passes=4).passes == 3  # groups of ceil(9 / 4)
    assert MaskedMLP(4, 2, (10,), adjacency=DIAMOND).passes == 3
    assert MaskedMLP(6, 1, (8,), passes=2).passes == 2
    assert generations(DIAMOND).tolist() == [0, 1, 1, 2]


def test_adjacency_says_who_sees_the_context():
    adjacency = torch.cat([DIAMOND, torch.tensor([[1, 0], [0, 0], [0, 0], [0, 1]]).bool()], dim=1)
    net = moved(MaskedMLP(4, 1, (12,), adjacency=adjacency, context=2))
    x, context = torch.randn(1, 4, dtype=torch.float64), torch.randn(1, 2, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda c: net(x, c), context)[0, :, 0, 0]
    # A unit that feeds feature 1 sees feature 0 only; feature 3 sees its own context alone.
    assert torch.equal(jacobian != 0, torch.tensor([[1, 0], [0, 0], [0, 0], [0, 1]]).bool())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"adjacency": torch.ones(3, 3, dtype=torch.bool)}, "circle"),
        ({"adjacency": torch.ones(3, 4, dtype=torch.bool)}, "shape"),
        ({"order": [0, 0, 1]}, "once"),
        ({"passes": 4}, "1 to 3"),
    ],
)
def test_wrong_settings_are_refused(arguments, word):
    with pytest.raises(ValueError, match=word):
        MaskedMLP(3, 1, (4,), **arguments)


def test_wrong_count_and_shape_are_refused():
    with pytest.raises(ValueError, match="count=1"):
        Autoregressive(MaskedMLP(3, 2), AdditiveMap())
    with pytest.raises(ShapeError, match="CausalNet"):
        CausalNet(nn.Identity(), (1, 4), 2)(torch.ones(2, 1, 4))


def test_starts_as_the_identity():
    layer = Autoregressive(MaskedMLP(5, 2))
    x = torch.randn(3, 5)
    assert torch.equal(layer(x), x)


def test_masked_linear_starts_with_ordinary_sizes():
    torch.manual_seed(0)
    net = MaskedMLP(30, 1, (300,))
    x = torch.randn(2000, 30)
    hidden = net.linears[0](x)
    assert 0.5 < hidden.std().item() < 2.0


def test_masked_linear_against_a_dense_matrix():
    sources = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0]]).bool()
    targets = torch.tensor([[1, 0, 1], [1, 1, 0]]).bool()
    layer = MaskedLinear(sources, targets, targets[:, 2:])
    mask = torch.tensor([[1.0, 0, 0], [1, 1, 1]])
    x, context = torch.randn(4, 3), torch.randn(4, 1)
    wanted = x @ (layer.weight * mask).T + layer.bias + context @ (layer.context_weight * targets[:, 2:]).T
    torch.testing.assert_close(layer(x, context), wanted)


def swept(length=12):
    torch.manual_seed(3)
    return moved(Autoregressive(CausalNet(CausalConvolution(1, 2), (1, length), 2)), 0.2)


def test_sweeps_give_what_one_feature_after_the_other_gives():
    layer = swept()
    y = torch.randn(6, 1, 12, dtype=torch.float64)
    solution = layer.solve(y)
    wanted, log_det = one_feature_after_the_other(layer, y)
    torch.testing.assert_close(solution.x, wanted, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(solution.log_det, log_det, rtol=1e-12, atol=1e-12)
    assert solution.passes.max() <= 12
    assert torch.equal(layer.certified_inverse(y)[1].iterations, solution.passes)


def test_sweeps_stop_early():
    layer = swept(60)
    with torch.no_grad():
        passes = layer.solve(torch.randn(3, 1, 60, dtype=torch.float64)).passes
    assert passes.max() < 45


def test_gradients_through_sweeps_are_those_of_one_feature_after_the_other():
    layer = swept()
    y = torch.randn(3, 1, 12, dtype=torch.float64, requires_grad=True)
    gradients = []
    for inverse in (layer.inverse_and_log_det, lambda y: one_feature_after_the_other(layer, y)):
        x, log_det = inverse(y)
        score = x.square().sum() + log_det.sum()
        gradients.append(torch.autograd.grad(score, [y, *layer.parameters()]))
    for mine, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-10, atol=1e-10)


def test_overflow_on_the_way_does_no_harm():
    """Sweeps pass through wild values of late features; these must not reach early ones."""
    layer = Autoregressive(CausalNet(CausalConvolution(1, 2), (1, 40), 2), AffineMap(bound=8.0))
    layer = moved(layer, 2.0)
    x = torch.randn(4, 1, 40, dtype=torch.float64)
    with torch.no_grad():
        y = layer(x)
        back = layer.inverse(y)
    assert y.isfinite().all()
    torch.testing.assert_close(back, one_feature_after_the_other(layer, y)[0], rtol=1e-9, atol=1e-9)


def test_a_net_that_is_not_autoregressive_is_not_certified():
    torch.manual_seed(0)
    layer = Autoregressive(CausalNet(nn.Conv1d(1, 2, 3, padding=1), (1, 6), 2))
    for parameter in layer.parameters():
        parameter.data.mul_(3)
    _, certificate = layer.certified_inverse(torch.randn(8, 1, 6), on_error="nan")
    assert not certificate.converged.all()


def test_inverse_autoregressive_samples_in_one_run():
    net = MaskedMLP(6, 2, (8,))
    twin, layer = moved(Autoregressive(copy.deepcopy(net))), moved(InverseAutoregressive(net))
    z = torch.randn(3, 6, dtype=torch.float64)
    assert torch.equal(layer.inverse(z), twin(z))
    assert isinstance(layer.inv, Autoregressive)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_certified_or_flagged(dtype, scale):
    layer = moved(Chain(*[Autoregressive(MaskedMLP(8, 2, (16, 16))) for _ in range(3)])).to(dtype)
    x = scale * torch.randn(64, 8, dtype=dtype)
    with torch.no_grad():
        back, certificate = layer.certified_inverse(layer(x), on_error="nan")
    error = (back - x).norm(dim=1) / x.norm(dim=1)
    assert error[certificate.converged].max() < 10 * torch.finfo(dtype).eps ** 0.5
    assert certificate.converged.any()


def test_64_layers_train():
    torch.manual_seed(0)
    orders = [list(range(6)), list(range(5, -1, -1))]
    chain = Chain(*[Autoregressive(MaskedMLP(6, 2, (16,), order=orders[i % 2])) for i in range(64)])
    optimiser = torch.optim.Adam(chain.parameters(), lr=1e-3)
    x = torch.randn(64, 6) @ torch.randn(6, 6)
    losses = []
    for _ in range(12):
        z, log_det = chain.forward_and_log_det(x)
        loss = (0.5 * z.square().sum(1) - log_det).mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0]
    assert all(torch.tensor(losses).isfinite())
