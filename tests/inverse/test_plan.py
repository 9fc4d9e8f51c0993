"""The planner works on pure data: no tensor is computed here."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from preimage.capture import capture
from preimage.errors import NotInvertibleError
from preimage.inverse import Guarantee, plan, rules
from preimage.inverse.planning.plan import Compute


def planned(model, *shape):
    graph = capture(model.eval(), torch.zeros(1, *shape))
    return plan(graph, graph.outputs)


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def split_and_scale(x):
    a, b = x.chunk(2, 1)
    return torch.cat([a, b * a.exp()], 1)


SAMPLES = {
    "square linear": (nn.Linear(3, 3), (3,), Guarantee.EXACT, ["affine"]),
    "expanding linear": (nn.Linear(3, 5), (3,), Guarantee.LEFT, ["affine"]),
    "contracting linear": (nn.Linear(5, 3), (5,), Guarantee.RIGHT, ["affine"]),
    "expand, contract": (
        nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)),
        (3,),
        Guarantee.RIGHT,
        ["affine"],
    ),
    "conv+norm+relu": (
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        (3, 6, 6),
        Guarantee.CERTIFIED,
        ["saturation"],
    ),
    "pad+conv+relu6": (
        nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 16, 3, stride=2), nn.ReLU6()),
        (3, 6, 6),
        Guarantee.CERTIFIED,
        ["saturation"],
    ),
    "conv+leaky": (
        nn.Sequential(nn.Conv1d(2, 2, 1), nn.LeakyReLU()),
        (2, 5),
        Guarantee.EXACT,
        ["leaky_relu", "affine"],
    ),
    "duplicate": (Function(lambda x: torch.cat([x, 2 * x], 1)), (3,), Guarantee.LEFT, ["cat"]),
    "coupling": (
        Function(split_and_scale),
        (4,),
        Guarantee.EXACT,
        ["cat", "cat", "mul", "gather", "chunk"],
    ),
    "norm after relu": (
        nn.Sequential(nn.Linear(3, 9), nn.ReLU(), nn.BatchNorm1d(9)),
        (3,),
        Guarantee.CERTIFIED,
        ["affine", "saturation"],
    ),
    "square of itself": (Function(lambda x: x * x), (3,), Guarantee.OPAQUE, ["opaque"]),
    "part of a split": (Function(lambda x: x.chunk(2, 1)[0]), (4,), Guarantee.OPAQUE, ["opaque"]),
    "gate": (
        Function(lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True))),
        (3, 4, 4),
        Guarantee.ITERATIVE,
        ["gate"],
    ),
    "residual": (Function(lambda x: x + 0.1 * torch.tanh(x)), (3,), Guarantee.ITERATIVE, ["residual"]),
    "residual, then relu": (
        Function(lambda x: F.relu(x + 0.1 * torch.sin(x))),
        (3,),
        Guarantee.ITERATIVE,
        ["residual"],
    ),
    "merge of known": (
        Function(lambda x: torch.cat([x[:, :2].sinh(), x[:, 2:]], 1)),
        (4,),
        Guarantee.EXACT,
        ["assemble", "cat", "cat", "sinh"],
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_guarantee_and_steps(name):
    model, shape, guarantee, kinds = SAMPLES[name]
    found = planned(model, *shape)
    if kinds is not None:
        assert sorted(region.kind for region in found.regions) == sorted(kinds)
    assert found.guarantee is guarantee


def test_an_exact_step_is_preferred_and_the_other_pruned():
    """x reaches the output twice: through a lossy and through an exact step."""
    found = planned(Function(lambda x: torch.cat([F.relu(x), x.sinh()], 1)), 3)
    assert [region.kind for region in found.regions] == ["cat", "sinh"]
    assert found.guarantee is Guarantee.LEFT  # the other half of the output is redundant


def test_known_values_are_computed_forward_before_anything_is_inverted():
    found = planned(Function(split_and_scale), 4)
    computed = [step for step in found.steps if isinstance(step, Compute)]
    assert [step.name for step in computed] == ["exp"]


def test_skip_connections_are_read_from_the_concatenation():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.up = nn.Conv2d(3, 8, 2, 2), nn.Upsample(scale_factor=2)

        def forward(self, x):
            return torch.cat([x, self.up(self.down(x).relu())], 1)

    found = planned(Skip(), 3, 4, 4)
    assert [region.kind for region in found.regions] == ["cat"]


def test_the_plan_prints_and_counts():
    found = planned(nn.Linear(5, 3), 5)
    assert str(found).startswith("right: 3 numbers known, 5 wanted")
    assert (found.known_size, found.wanted_size) == (3, 5)


def test_a_tap_without_influence_is_refused():
    class Two(nn.Module):
        def forward(self, x, y):
            return x * 2, y * 3

    graph = capture(Two(), (torch.zeros(1, 2), torch.zeros(1, 2)))
    with pytest.raises(NotInvertibleError, match="no influence"):
        plan(graph, graph.outputs[:1])


def test_rules_are_registered_by_import():
    assert "saturated" in rules.__all__
