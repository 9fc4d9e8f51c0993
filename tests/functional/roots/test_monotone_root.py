"""Roots of increasing functions: every magnitude, plateaus, gradients, compilers."""

import numpy as np
import pytest
import scipy.optimize
import torch

from preimage.functional.roots import bracket, monotone_root

FUNCTIONS = {
    "identity": lambda x: (x, torch.ones_like(x)),
    "cube": lambda x: (x**3, 3 * x * x),
    "cube and line": lambda x: (x**3 + 1e-3 * x, 3 * x * x + 1e-3),
    "sinh": lambda x: (x.sinh(), x.cosh()),
}
VALUES = [0.0, 1.0, -1.0, 1e-30, 1e6, -1e6, 1e30, 8.0, -1e-6]


def root(function, y):
    return monotone_root(function, y, *bracket(function, y, torch.zeros_like(y)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_magnitude(name, dtype):
    y = torch.tensor(VALUES, dtype=dtype)
    back = FUNCTIONS[name](root(FUNCTIONS[name], y))[0]
    torch.testing.assert_close(back, y, rtol=32 * torch.finfo(dtype).eps, atol=0)


def steps_of_a_mixture(x):
    z = (x[..., None] - torch.tensor([-8.0, 0.0, 0.1, 9.0], dtype=x.dtype)) * torch.tensor(
        [1.0, 50.0, 3.0, 20.0], dtype=x.dtype
    )
    s = z.sigmoid()
    slope = s * (1 - s) * torch.tensor([1.0, 50.0, 3.0, 20.0], dtype=x.dtype)
    return s.mean(-1) + 1e-4 * x, slope.mean(-1) + 1e-4


def test_plateaus_against_brent():
    y = torch.linspace(-2, 2, 41, dtype=torch.float64)
    wanted = [
        scipy.optimize.brentq(
            lambda x, v=v: float(steps_of_a_mixture(torch.tensor(x, dtype=torch.float64))[0]) - v, -1e5, 1e5
        )
        for v in y.tolist()
    ]
    np.testing.assert_allclose(root(steps_of_a_mixture, y).numpy(), wanted, rtol=1e-9, atol=1e-9)


def test_an_infinite_value_at_a_bracket_is_fine():
    y = torch.tensor([0.5], dtype=torch.float64)
    x = monotone_root(lambda x: (x.log(), 1 / x), y, torch.zeros_like(y), torch.full_like(y, 1e300))
    torch.testing.assert_close(x, y.exp())


def test_no_bracket_gives_nan_and_a_value_outside_gives_an_end():
    y = torch.tensor([2.0, 0.5], dtype=torch.float64)
    assert root(lambda x: (x.tanh(), 1 - x.tanh() ** 2), y).isnan().tolist() == [True, False]
    ends = monotone_root(FUNCTIONS["cube"], torch.tensor([9.0]), torch.tensor([0.0]), torch.tensor([2.0]))
    torch.testing.assert_close(ends, torch.tensor([2.0]))
    assert root(FUNCTIONS["cube"], torch.tensor([float("nan")])).isnan()


def _root_of(y, a):
    return root(lambda x: (x + a * x**3, 1 + 3 * a * x * x), y)


def test_first_and_second_derivatives():
    y = torch.tensor([1.5, -20.0], dtype=torch.float64, requires_grad=True)
    a = torch.tensor([0.3, 4.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(_root_of, (y, a))
    assert torch.autograd.gradgradcheck(_root_of, (y, a))


def test_compiled_and_vectorised():
    y, a = torch.tensor([1.5, -20.0, 1e5], dtype=torch.float64), torch.rand(3, dtype=torch.float64)
    wanted = _root_of(y, a)
    torch.testing.assert_close(torch.func.vmap(_root_of)(y, a), wanted)
    torch.testing.assert_close(torch.compile(_root_of, fullgraph=True, backend="eager")(y, a), wanted)
    slope = torch.func.vmap(torch.func.grad(_root_of))(y, a)
    torch.testing.assert_close(slope, 1 / (1 + 3 * a * wanted**2))
