"""Capture: the graph computes what the module computes, with live parameters and a free batch axis."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from preimage.capture import capture, evaluate
from preimage.errors import CaptureError, NotInvertibleError


class InPlace(nn.Module):
    """Overwrites its values, folds an axis into the batch and makes constants on the way."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        y = self.convolution(x)
        F.relu_(y)
        y += 1
        a, b = y.chunk(2, 1)
        z = torch.cat([a, b * torch.tensor([2.0])], 1)
        rows, channels, high, wide = z.shape
        z = z.reshape(rows, channels, high * wide).mean(-1)
        z = z.view(rows, 2, channels // 2).transpose(1, 2).reshape(rows * 2, -1)
        return self.head(z.reshape(rows, channels)).softmax(-1), z.reshape(rows, channels)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.activation = nn.Linear(3, 3), nn.Linear(3, 3), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.activation(self.b(self.activation(self.a(x))))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_graph_computes_what_the_module_computes(batch):
    model, x = InPlace().eval(), torch.randn(batch, 3, 8, 8)
    graph = capture(model, torch.randn(1, 3, 8, 8))
    found = evaluate(graph, {graph.inputs[0]: x}, graph.outputs)
    for name, wanted in zip(graph.outputs, model(x), strict=True):
        torch.testing.assert_close(found[name], wanted)


def test_parameters_are_shared_and_live():
    model, x = Shared().eval(), torch.randn(2, 3)
    graph = capture(model, x)
    with torch.no_grad():
        model.a.weight.mul_(2)
    model.b = nn.Linear(3, 3)  # a module that was replaced is followed too
    found = evaluate(graph, {graph.inputs[0]: x}, graph.outputs)[graph.outputs[0]]
    torch.testing.assert_close(found, model(x))


def test_only_what_is_needed_runs():
    model = Shared().eval()
    graph = capture(model, torch.randn(2, 3))
    first = graph.nodes[0].name
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    evaluate(graph, {graph.inputs[0]: torch.randn(2, 3)}, [first])
    handle.remove()
    assert graph.nodes[0].operation == "linear"
    assert not calls  # the module itself is never called again


def test_batch_norm_and_dropout_in_training_mode_are_refused_by_name():
    with pytest.raises(NotInvertibleError, match=r"'1' \(BatchNorm1d\) is in training mode.*model.eval\(\)"):
        capture(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), torch.randn(2, 3))
    with pytest.raises(NotInvertibleError, match="Dropout"):
        capture(nn.Sequential(nn.Dropout(0.5)), torch.randn(2, 3))


def test_functional_dropout_in_training_mode_is_refused():
    class Functional(nn.Module):
        def forward(self, x):
            return F.dropout(x, 0.5, training=True)

    with pytest.raises(NotInvertibleError, match="training"):
        capture(Functional(), torch.randn(2, 3))


def test_failure_shows_the_line():
    class Branching(nn.Module):
        def forward(self, x):
            if x.sum() > 0:  # the line to show
                return x
            return -x

    with pytest.raises(CaptureError, match=r"the line to show(?s:.*)torch.where"):
        capture(Branching(), torch.randn(2, 3))


class WritesIntoViews(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3).eval()

    def forward(self, x):
        y = x * 1
        y[:, :1].mul_(2)
        y[:, 2] = y[:, 0] + 1
        return self.norm(y)


def test_writing_into_a_view_is_made_functional():
    model, x = WritesIntoViews().eval(), torch.randn(4, 3)
    graph = capture(model, torch.randn(2, 3))
    torch.testing.assert_close(
        evaluate(graph, {graph.inputs[0]: x}, graph.outputs)[graph.outputs[0]], model(x)
    )
    assert "batch_norm" in {node.operation for node in graph.nodes}


def test_writing_into_a_buffer_is_refused():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls.add_(1)
            return x * self.calls

    with pytest.raises(CaptureError, match="writes in place into the buffer"):
        capture(Counts(), torch.randn(2, 3))


def test_a_batch_fixed_by_the_code_is_reported():
    class Fixed(nn.Module):
        def forward(self, x):
            return x.reshape(2, 6) if x.shape[0] == 2 else x.reshape(x.shape[0], 6) * 2

    graph = capture(Fixed(), torch.randn(2, 2, 3))
    assert graph.fixed_batch == 2


def test_dominators_and_between():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 3)

        def forward(self, x):
            y = x * 2
            return y + self.inner(y).tanh()

    graph = capture(Residual(), torch.randn(1, 3))
    names = {node.operation: node.name for node in graph.nodes}
    assert names["mul"] in graph.dominators[names["add"]]
    assert names["linear"] not in graph.dominators[names["add"]]
    inside = [node.operation for node in graph.between(names["mul"], names["add"])]
    assert inside == ["linear", "tanh", "add"]
