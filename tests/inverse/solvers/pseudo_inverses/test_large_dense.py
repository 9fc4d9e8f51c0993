"""Large matrices: the Gram route agrees with the singular value decomposition, also where rank is lost."""

import pytest
import torch

from preimage.inverse.linear import Dense
from preimage.inverse.solvers import pseudo_inverse
from preimage.inverse.solvers.pseudo_inverses.routes import LargeDense


def _matrix(rows, columns, dtype, *, deficient):
    weight = torch.randn(rows, columns, dtype=dtype, generator=torch.Generator().manual_seed(0))
    if deficient:
        weight[0], weight[:, 0] = weight[1], weight[:, 1]
    return weight


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(400, 700), (700, 400), (400, 400)])
@pytest.mark.parametrize("deficient", [False, True])
def test_agrees_with_the_pseudo_inverse_of_the_matrix(dtype, shape, deficient):
    weight = _matrix(*shape, dtype, deficient=deficient)
    solver = pseudo_inverse(Dense(weight, (3, shape[1])))
    assert isinstance(solver, LargeDense)
    z = torch.randn(2, 3, shape[0], dtype=torch.float64)
    tolerance = torch.finfo(dtype).eps * max(shape)
    inverse = torch.linalg.pinv(weight.double(), rtol=tolerance)
    torch.testing.assert_close(solver.solve(z), z @ inverse.T, rtol=1e-7, atol=1e-7 * inverse.norm().item())
    values = torch.linalg.svdvals(weight.double())
    kept = values[values > tolerance * values[0]]
    assert solver.facts.rank == 3 * len(kept)
    assert solver.facts.condition == pytest.approx((kept[0] / kept[-1]).item(), rel=1e-4)


def test_differentiable_in_the_known_values():
    weight = _matrix(400, 500, torch.float64, deficient=False)
    z = torch.randn(2, 400, dtype=torch.float64, requires_grad=True)
    solver = pseudo_inverse(Dense(weight, (500,)))
    (gradient,) = torch.autograd.grad(solver.solve(z).sum(), z)
    torch.testing.assert_close(gradient, torch.linalg.pinv(weight).sum(0).expand(2, -1))
