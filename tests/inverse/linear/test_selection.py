"""Selections: every copying operation becomes a map whose pseudo-inverse fulfils the Penrose identities."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from preimage.capture import capture
from preimage.errors import ShapeError
from preimage.inverse import invert
from preimage.inverse.linear import Selection
from preimage.inverse.rules.selected import selection
from preimage.inverse.solvers import pseudo_inverse


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


COPYING = {
    "slice": (lambda x: x[:, 1:], (3, 4)),
    "select": (lambda x: x[:, :, 1], (3, 4)),
    "stride": (lambda x: x[:, ::2], (5, 2)),
    "index": (lambda x: x[:, torch.tensor([2, 0, 0])], (3, 2)),
    "repeat": (lambda x: x.repeat(1, 2, 1), (3, 2)),
    "expand": (lambda x: x.unsqueeze(2).expand(-1, -1, 3, -1), (3, 2)),
    "nearest": (lambda x: F.interpolate(x, scale_factor=2), (2, 3, 4)),
    "windows": (lambda x: F.unfold(x, 2, padding=1), (2, 4, 3)),
    "triangle": (lambda x: x.tril(), (3, 3)),
    "reflection": (lambda x: torch.ops.aten.reflection_pad1d(x, [2, 1]), (2, 4)),
}


@pytest.mark.parametrize("name", COPYING)
def test_selection_is_the_operation_and_its_inverse_is_that_of_the_matrix(name):
    function, shape = COPYING[name]
    graph = capture(Function(function), torch.randn(2, *shape, dtype=torch.float64))
    node = next(n for n in reversed(graph.nodes) if n.operation not in ("view", "reshape"))
    linear = selection(graph, node)
    assert isinstance(linear, Selection)
    x = torch.randn(2, *linear.in_shape, dtype=torch.float64)
    wanted = node.target(x, *node.args[1:], **node.kwargs) if name != "index" else function(x)
    torch.testing.assert_close(linear.apply(x), wanted)
    solver = pseudo_inverse(linear)
    y = torch.randn(2, *linear.out_shape, dtype=torch.float64)
    matrix = linear.dense()
    torch.testing.assert_close(solver.solve(y).flatten(1), y.flatten(1) @ torch.linalg.pinv(matrix).T)
    assert solver.facts.rank == torch.linalg.matrix_rank(matrix).item()
    assert solver.facts.condition == pytest.approx(_condition(matrix))


def _condition(matrix):
    values = torch.linalg.svdvals(matrix)
    values = values[values > 1e-9]
    return (values.max() / values.min()).item()


def test_an_index_outside_is_refused():
    with pytest.raises(ShapeError, match="between -1 and 2"):
        Selection(torch.tensor([0, 3]), (3,), (2,))


def merged(x):
    """Patch merging: the four pixels of every 2 x 2 square side by side."""
    return torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)


@pytest.mark.parametrize("function", [merged, lambda x: torch.cat([x[:, 2:].sinh(), x[:, :2]], 1)])
def test_slices_that_cover_a_value_give_it_back(function):
    x = torch.randn(2, 4, 4, 3, dtype=torch.float64)
    inverse = invert(Function(function), x[:1])
    assert inverse.plan().guarantee.value == "exact"
    torch.testing.assert_close(inverse(Function(function)(x)), x)


def test_overlapping_slices_are_a_left_inverse():
    x = torch.randn(2, 5, dtype=torch.float64)
    model = Function(lambda x: torch.cat([x[:, :3], x[:, 2:]], 1))
    inverse = invert(model, x)
    assert inverse.plan().guarantee.value == "left"
    torch.testing.assert_close(inverse(model(x)), x)
