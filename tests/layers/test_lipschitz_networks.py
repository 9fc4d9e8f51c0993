"""Networks with a bounded slope: the bound holds, in every norm and after a loud start."""

import pytest
import torch
from lipschitz_networks import NETWORKS, jacobians, loud

from preimage.layers import (
    ConcatenatedLipSwish,
    InducedNorms,
    LipschitzMLP,
    LipSwish,
)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("factor", [1.0, 30.0])
def test_the_bound_holds(name, factor):
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    network = loud(make(), factor).double()
    x = 2 * torch.randn(6, *shape, dtype=torch.float64)
    assert (torch.linalg.matrix_norm(jacobians(network, x), 2) <= network.bound).all()
    assert network.bound < 1


@pytest.mark.parametrize("p", [1.5, 4.0])
def test_the_bound_holds_in_other_norms(p):
    torch.manual_seed(0)
    network = LipschitzMLP(4, (16, 8), norms=InducedNorms([p, 3.0, p])).double()
    loud(network.layers)
    a, b = (torch.randn(500, 4, dtype=torch.float64) for _ in range(2))
    order = network.norms.order(0).item()
    assert order == pytest.approx(p)
    ratio = (network(a) - network(b)).norm(p, dim=1) / (a - b).norm(p, dim=1)
    assert (ratio <= network.bound).all()


def test_activations_stretch_nothing():
    x = torch.linspace(-30, 30, 200_001, dtype=torch.float64)[:, None].requires_grad_()
    for activation in (LipSwish(), LipSwish(3.0), ConcatenatedLipSwish(), ConcatenatedLipSwish(-2.0)):
        y = activation.double()(x)
        slopes = torch.cat(
            [torch.autograd.grad(column.sum(), x, retain_graph=True)[0] for column in y.T], dim=1
        )
        steepest = slopes.norm(dim=1).max()
        assert 0.99 < steepest <= 1
