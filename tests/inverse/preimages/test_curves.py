"""The nearest point of a function's graph, against brute force."""

import pytest
import torch
import torch.nn.functional as F
from small_networks import normal

from preimage.inverse.preimages.search.curves import nearest_on_graph

FUNCTIONS = {
    "relu": torch.relu,
    "folded": lambda t: F.leaky_relu(t, -0.6),
    "leaky": lambda t: F.leaky_relu(t, 0.3),
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "sine": torch.sin,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_point_of_a_fine_grid_is_nearer(name):
    phi = FUNCTIONS[name]
    z, q = 3 * normal(50, 1), 3 * normal(50, 1, seed=1)
    t, value = nearest_on_graph(phi, z, q)
    torch.testing.assert_close(value, phi(t))
    found = ((t - z).square() + (value - q).square()).sqrt()
    grid = torch.linspace(-15, 15, 60001).double()
    best = ((grid - z).square() + (phi(grid) - q).square()).amin(1, keepdim=True).sqrt()
    assert ((found - best) <= 0.13 * (phi(z) - q).abs() + 1e-9).all()  # what the docstring promises
    assert (found - best).median() <= (5e-3 if name == "sine" else 1e-6)


def test_points_of_the_graph_stay_where_they_are():
    z = normal(20, 3)
    t, value = nearest_on_graph(torch.tanh, z, torch.tanh(z))
    assert torch.equal(t, z)
    assert torch.equal(value, torch.tanh(z))


def test_where_the_function_is_not_defined_no_point_is_taken():
    t, value = nearest_on_graph(torch.log, torch.tensor([[0.5]]), torch.tensor([[3.0]]))
    assert t.isfinite().all()
    assert value.isfinite().all()
