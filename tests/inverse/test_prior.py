"""Moments that batch norm recorded, against sampling."""

import pytest
import torch
from torch import nn

from preimage.capture import capture, evaluate
from preimage.inverse.prior import priors


@pytest.fixture(scope="module")
def measured():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU6(), nn.Conv2d(4, 5, 1), nn.BatchNorm2d(5)
    )
    with torch.no_grad():
        for norm in (model[1], model[4]):
            norm.weight.uniform_(0.5, 2)
            norm.bias.normal_()
        model.train()
        for _ in range(60):
            model(torch.randn(64, 3, 4, 4))
    model.eval()
    x = torch.randn(2000, 3, 4, 4)
    graph = capture(model, x[:1])
    names = [node.name for node in graph.nodes]
    with torch.no_grad():
        values = evaluate(graph, {graph.inputs[0]: x}, names)
    return priors(graph), values


def test_mean_and_spread_agree_with_the_data(measured):
    found, values = measured
    assert set(found) == set(values)  # every value is informed by a norm next to it
    for name, prior in found.items():
        data = values[name].double().movedim(1, 0).flatten(1)
        torch.testing.assert_close(prior.mean.flatten(), data.mean(1), rtol=0.05, atol=0.06)
        torch.testing.assert_close(prior.spread.flatten(), data.std(1), rtol=0.08, atol=0.03)


def test_what_no_norm_informs_is_absent():
    graph = capture(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), torch.zeros(1, 3))
    assert priors(graph) == {}
