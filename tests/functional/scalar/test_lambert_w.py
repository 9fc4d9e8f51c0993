"""Lambert's W against arbitrary precision, on both branches up to the branch point."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special
import torch

from preimage.functional.scalar.lambert_w import BRANCH_POINT, lambert_w

ONE_OVER_E = math.exp(-1)


def _points(branch: int) -> torch.Tensor:
    near = -ONE_OVER_E + np.logspace(-17, -0.5, 150)
    small = -np.logspace(-307, -1, 150)
    ends = np.array([-ONE_OVER_E, -0.25, -0.1, -1e-6, -5e-324])
    parts = [near, small, ends, *([np.logspace(-307, 308, 150), [0.0, math.e]] if branch == 0 else [])]
    points = np.concatenate(parts)
    return torch.from_numpy(points[points < 0] if branch else points)


def _exact(z: float, branch: int) -> mpmath.mpf:
    with mpmath.workdps(40):
        below = mpmath.mpf(z) < -mpmath.exp(-1)
        return mpmath.mpf(-1) if below else mpmath.re(mpmath.lambertw(mpmath.mpf(z), branch))


@pytest.mark.shows("0-6")
@pytest.mark.parametrize("branch", [0, -1])
def test_all_digits_on_both_branches(branch: int) -> None:
    z = _points(branch)
    for value, w in zip(z.tolist(), lambert_w(z, branch).tolist(), strict=True):
        exact = _exact(value, branch)
        assert abs(w - exact) <= 4e-15 * abs(exact), value


@pytest.mark.shows("0-6")
@pytest.mark.parametrize("branch", [0, -1])
def test_float32_against_scipy(branch: int) -> None:
    z = _points(branch).float()
    z = z[z.isfinite() & (z.abs() > 1e-37) & (z.double() > -ONE_OVER_E)]
    wanted = torch.from_numpy(scipy.special.lambertw(z.double().numpy(), branch).real)
    torch.testing.assert_close(lambert_w(z, branch).double(), wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize("branch", [0, -1])
def test_rounding_below_the_branch_point_is_moved_up_to_it(branch: int) -> None:
    for dtype in (torch.float32, torch.float64):
        z = torch.tensor([BRANCH_POINT - 1e-3, BRANCH_POINT - 1e-9], dtype=dtype)
        torch.testing.assert_close(lambert_w(z, branch), -torch.ones_like(z), rtol=1e-3, atol=0)


def test_limits_and_what_is_undefined() -> None:
    assert lambert_w(torch.tensor([math.inf]), 0).item() == math.inf
    assert lambert_w(torch.tensor([0.0]), -1).item() == -math.inf
    assert lambert_w(torch.tensor([1.0]), -1).isnan().all()
    assert lambert_w(torch.tensor([math.nan]), 0).isnan().all()
    assert lambert_w(torch.tensor([math.nan]), -1).isnan().all()
    with pytest.raises(ValueError, match="0 and -1"):
        lambert_w(torch.zeros(1), 1)


@pytest.mark.parametrize("branch", [0, -1])
def test_derivatives_up_to_the_second(branch: int) -> None:
    z = torch.tensor([-0.36, -0.3, -0.2, -0.05, -1e-7], dtype=torch.float64)
    z = torch.cat([z, torch.tensor([0.0, 1e-7, 0.5, 3.0, 1e5], dtype=torch.float64)]) if branch == 0 else z
    z = z.requires_grad_()
    w = lambert_w(z, branch)
    (slope,) = torch.autograd.grad(w.sum(), z, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), z)
    w = w.detach()
    wanted = 1 / (w.exp() * (1 + w))
    torch.testing.assert_close(slope.detach(), wanted, rtol=1e-9, atol=0)
    torch.testing.assert_close(bend, -wanted.square() * (2 + w) / (1 + w), rtol=1e-6, atol=0)


@pytest.mark.parametrize("branch", [0, -1])
def test_no_nan_in_the_gradient_of_finite_values(branch: int) -> None:
    z = _points(branch).requires_grad_()
    w = lambert_w(z, branch)
    (slope,) = torch.autograd.grad(w[w.isfinite()].sum(), z)
    assert not slope.isnan().any()


def test_compiles_and_maps() -> None:
    z = torch.linspace(-0.36, -0.01, 7, dtype=torch.float64)
    for branch in (0, -1):
        wanted = lambert_w(z, branch)
        compiled = torch.compile(lambert_w, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(z, branch), wanted)
        mapped = torch.func.vmap(lambda value: lambert_w(value, branch))(z)  # noqa: B023
        torch.testing.assert_close(mapped, wanted)
