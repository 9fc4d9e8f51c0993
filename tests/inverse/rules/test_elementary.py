"""Elementary functions and norms: f(g(y)) = y always, g(f(x)) = x where the rule says so."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from preimage.inverse import invert


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


UNIQUE = {
    "sqrt": (torch.sqrt, 0.1, 3),
    "rsqrt": (torch.rsqrt, 0.1, 3),
    "reciprocal": (torch.reciprocal, 0.5, 3),
    "exp2": (torch.exp2, -3, 3),
    "log2": (torch.log2, 0.1, 3),
    "log10": (torch.log10, 0.1, 3),
    "erf": (torch.erf, -2, 2),
    "logit": (torch.logit, 0.1, 0.9),
    "atanh": (torch.atanh, -0.9, 0.9),
    "acosh": (torch.acosh, 1.1, 3),
    "asin": (torch.asin, -0.9, 0.9),
    "acos": (torch.acos, -0.9, 0.9),
    "cube": (lambda x: x**3, -2, 2),
}
FOLDING = {
    "square": (torch.square, -2, 2),
    "fourth power": (lambda x: x**4, -2, 2),
    "abs": (torch.abs, -2, 2),
    "cosh": (torch.cosh, -2, 2),
    "sin": (torch.sin, -4, 4),
    "cos": (torch.cos, -4, 4),
    "tan": (torch.tan, -4, 4),
    "hardsigmoid": (F.hardsigmoid, -5, 5),
    "softshrink": (F.softshrink, -2, 2),
    "hardshrink": (F.hardshrink, -2, 2),
    "threshold": (lambda x: F.threshold(x, 0.3, 0.0), -2, 2),
    "softmax": (lambda x: x.softmax(-1), -2, 2),
    "log_softmax": (lambda x: x.log_softmax(-1), -2, 2),
}


def _inverted(function, low, high):
    x = torch.empty(3, 7, dtype=torch.float64).uniform_(low, high, generator=torch.Generator().manual_seed(1))
    model = Function(function)
    inverse = invert(model, x)
    y = model(x)
    return x, y, inverse, inverse(y)


@pytest.mark.parametrize("name", UNIQUE)
def test_functions_with_one_preimage(name):
    x, _, inverse, found = _inverted(*UNIQUE[name])
    assert len(inverse.plan().regions) == 1
    torch.testing.assert_close(found, x, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", FOLDING)
def test_functions_with_several_preimages(name):
    _, y, inverse, found = _inverted(*FOLDING[name])
    assert inverse.plan().guarantee.value == "right"
    torch.testing.assert_close(Function(FOLDING[name][0])(found), y, rtol=1e-7, atol=1e-9)
    assert inverse.run_plan(y).exact < 1.0


@pytest.mark.parametrize(("function", "bad"), [(torch.sqrt, -1.0), (torch.reciprocal, 0.0), (torch.sin, 2.0)])
def test_values_that_nothing_maps_to_are_flagged(function, bad):
    inverse = invert(Function(function), torch.rand(1, 2))
    found, certificate = inverse.data_free(torch.tensor([[0.5, 0.6], [0.5, bad]]))
    assert found.isfinite().all()
    assert certificate.converged.tolist() == [True, False]


NORMS = {
    "layer": (nn.LayerNorm(6), (5, 6)),
    "layer, two axes": (nn.LayerNorm((5, 6)), (5, 6)),
    "group": (nn.GroupNorm(2, 6), (6, 4, 4)),
    "instance": (nn.InstanceNorm2d(3, affine=True), (3, 4, 4)),
}


def _spread(module):
    with torch.no_grad():
        for number, parameter in enumerate(module.double().parameters()):
            parameter.add_(0.3 * torch.arange(parameter.numel()).view_as(parameter).cos() + 0.1 * number)
    return module.eval()


@pytest.mark.parametrize("name", NORMS)
def test_norms_lose_their_means_alone(name):
    norm, shape = NORMS[name]
    norm, x = _spread(norm), 2 * torch.randn(3, *shape, dtype=torch.float64) + 1
    inverse = invert(norm, x)
    y = norm(x).detach()
    found = inverse(y)
    torch.testing.assert_close(norm(found).detach(), y)
    plain = type(norm)(*_settings(norm)).double().eval()
    torch.testing.assert_close(plain(x).detach(), plain(found).detach(), atol=1e-8, rtol=1e-8)
    assert found.flatten(1).norm() < x.flatten(1).norm()  # the means are gone
    assert inverse.run_plan(y).exact == 0.0


def _settings(norm):
    if isinstance(norm, nn.LayerNorm):
        return (norm.normalized_shape,)
    return (2, 6) if isinstance(norm, nn.GroupNorm) else (3,)


def test_the_root_mean_square_norm_loses_nothing_in_double_precision():
    norm, x = _spread(nn.RMSNorm(6, eps=1e-5)), 2 * torch.randn(3, 5, 6, dtype=torch.float64)
    inverse = invert(norm, x)
    y = norm(x).detach()
    torch.testing.assert_close(inverse(y), x, rtol=1e-7, atol=1e-7)
    assert inverse.run_plan(y).exact == 1.0


def test_a_scale_that_is_rounded_away_is_not_called_exact():
    norm, x = nn.RMSNorm(6, eps=1e-5).eval(), 200 * torch.randn(3, 6)
    inverse = invert(norm, x)
    y = norm(x).detach()
    torch.testing.assert_close(norm(inverse(y)).detach(), y, rtol=1e-4, atol=1e-4)
    assert inverse.run_plan(y).exact == 0.0


def test_an_instance_norm_with_running_statistics_is_exact():
    norm, x = (
        _spread(nn.InstanceNorm2d(3, affine=True, track_running_stats=True)),
        torch.randn(2, 3, 4, 4).double(),
    )
    torch.testing.assert_close(invert(norm, x)(norm(x).detach()), x)
