"""Naming a value inside a network."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from preimage.capture import capture
from preimage.capture.taps import resolve_tap
from preimage.errors import UnknownTapError


@dataclass
class Tap:
    path: str
    at: str = "output"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4))
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.body(self.act(x)))


@pytest.fixture(scope="module")
def graph():
    return capture(Net(), torch.randn(1, 3))


def test_by_value_path_and_following_activation(graph):
    assert resolve_tap(graph, "body.0") == "linear"
    assert resolve_tap(graph, "body") == "linear_1"
    assert resolve_tap(graph, "linear") == "linear"
    assert resolve_tap(graph, Tap("body", "activation")) == graph.outputs[0]


def test_a_module_called_twice_is_ambiguous(graph):
    with pytest.raises(UnknownTapError, match=r"2 outputs.*relu.*relu_1"):
        resolve_tap(graph, "act")


def test_unknown_suggests_the_nearest(graph):
    with pytest.raises(UnknownTapError, match=r"no tap 'body.9'.*body"):
        resolve_tap(graph, "body.9")
