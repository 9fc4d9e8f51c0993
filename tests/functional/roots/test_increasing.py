"""Roots of functions whose derivatives come from autograd, against closed forms."""

import pytest
import torch

from preimage.functional.roots import monotone_root, with_slope


@pytest.mark.parametrize(
    ("function", "inverse"),
    [
        (torch.exp, torch.log),
        (torch.sinh, torch.asinh),
        (lambda x: x**3, lambda y: y.sign() * y.abs() ** (1 / 3)),
    ],
)
def test_against_closed_forms(function, inverse):
    y = torch.linspace(0.01, 50, 301, dtype=torch.float64)
    x = monotone_root(with_slope(function), y, torch.full_like(y, -40), torch.full_like(y, 40))
    torch.testing.assert_close(x, inverse(y), rtol=1e-11, atol=1e-11)


def test_values_beyond_the_bracket_end_on_it():
    y = torch.tensor([-100.0, 100.0], dtype=torch.float64)
    x = monotone_root(with_slope(torch.sinh), y, torch.full_like(y, -1), torch.full_like(y, 1))
    torch.testing.assert_close(x, torch.tensor([-1.0, 1.0], dtype=torch.float64), rtol=0, atol=1e-9)
