"""Where the samples stand in every value: confirmed against the rows that really change."""

import pytest
import torch
from torch import nn

from preimage.capture import capture, evaluate
from preimage.capture.layout import Layout, fixed_layouts, separates
from preimage.errors import NotInvertibleError


class Function(nn.Module):
    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.modules_ = function, nn.ModuleList(modules)

    def forward(self, x):
        return self.function(*self.modules_, x)


def queries(linear, x):
    return linear(x).reshape(x.shape[0], 5, 3, 4).permute(2, 0, 1, 3)  # (3, N, 5, 4)


def windows(x):
    return x.unflatten(1, (2, 3)).reshape(-1, 3, 4) * 2  # (N windows, 3, 4), samples outermost


def windows_outermost(x):
    return x.unflatten(1, (2, 3)).transpose(0, 1).reshape(-1, 3, 4) * 2  # (windows N, 3, 4)


def sequence_first(linear, x):
    return linear(x.transpose(0, 1))  # (T, N, C)


CASES = {
    "plain": (Function(lambda x: x + 1), (5, 4), Layout()),
    "three, then samples": (Function(queries, nn.Linear(4, 12)), (5, 4), Layout(axis=1)),
    "windows": (Function(windows), (6, 4), Layout(fold=2)),
    "windows outermost": (Function(windows_outermost), (6, 4), None),
    "sequence first": (Function(sequence_first, nn.Linear(4, 2)), (5, 4), Layout(axis=1)),
    "one number": (Function(lambda x: x.sum()), (5, 4), None),
}


@pytest.mark.parametrize("name", CASES)
def test_layout_of_the_last_value(name):
    model, shape, wanted = CASES[name]
    graph = capture(model.eval(), torch.randn(2, *shape))
    assert graph.fixed_batch is None
    assert graph.layout(graph.outputs[0]) == wanted


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name][2] is not None])
def test_every_layout_separates_the_samples(name):
    model, shape, _ = CASES[name]
    graph = capture(model.eval(), torch.randn(2, *shape))
    one = torch.randn(3, *shape)
    other = torch.cat([one[:2], torch.randn(1, *shape)])
    names = [node.name for node in graph.nodes if node.inputs and node.layout is not None and not node.parts]
    first, second = (evaluate(graph, {graph.inputs[0]: x}, names) for x in (one, other))
    for value in names:
        layout = graph.layout(value)
        assert separates(first[value] != second[value], layout)
        assert first[value].shape == layout.sizes(graph.shape(value), 3)
        torch.testing.assert_close(layout.from_samples(layout.to_samples(first[value])), first[value])


def test_a_fixed_batch_is_decided_by_altering_one_sample():
    class Fixed(nn.Module):
        def forward(self, x):
            y = x.reshape(2, 3, 4) if x.shape[0] == 2 else x[:2].reshape(2, 3, 4)
            return y.transpose(0, 1) * 3  # (3, N, 4)

    graph = capture(Fixed(), torch.randn(2, 12))
    assert graph.fixed_batch == 2
    assert graph.layout(graph.outputs[0]) == Layout(axis=1)


def test_possible_layouts_of_plain_sizes():
    assert fixed_layouts((6, 2, 4), 2) == (Layout(1), Layout(0, 3), Layout(2, 2))


def test_sizes_that_grow_with_the_batch_are_computed_for_any_batch():
    model = Function(windows)
    graph = capture(model, torch.randn(1, 6, 4))
    for batch in (1, 4):
        x = torch.randn(batch, 6, 4)
        torch.testing.assert_close(
            evaluate(graph, {graph.inputs[0]: x}, graph.outputs)[graph.outputs[0]], model(x)
        )


def test_constants_of_the_shape_of_a_value_are_not_data():
    graph = capture(Function(lambda x: x * torch.ones_like(x) + torch.zeros_like(x)), torch.randn(2, 3))
    data = [node.operation for node in graph.nodes if node.inputs]
    assert data == ["mul", "add"]


def test_random_numbers_are_refused():
    with pytest.raises(NotInvertibleError, match="draws random numbers"):
        capture(Function(lambda x: x + torch.randn_like(x)), torch.randn(2, 3))
