"""Presets: exact normal cases, depth with real steps, fast sampling paths, and the start from data."""

import time

import pytest
import torch

from preimage import flows
from preimage.flows import Flow, Normal
from preimage.layers import Autoregressive, LULinear, QRLinear, WhiteningNorm
from preimage.layers.attention.transformer_block import TransformerBlock
from preimage.nets import MaskedNet

SMALL = {"hidden_features": (16,)}
VECTORS = ("nice", "realnvp", "glow", "maf", "nsf", "nsf_coupling")


def whitening(matrix):
    """A whitening norm that has seen data of a dense covariance."""
    layer = WhiteningNorm(len(matrix)).double()
    generator = torch.Generator().manual_seed(0)
    layer.initialise(torch.randn(300, len(matrix), dtype=torch.float64, generator=generator) @ matrix + 2)
    return layer


@pytest.mark.shows("4-2")
@pytest.mark.parametrize("make", [LULinear.from_matrix, QRLinear.from_matrix, whitening])
def test_linear_flows_are_the_normal_that_they_should_be(make):
    torch.manual_seed(0)
    matrix = torch.randn(5, 5, dtype=torch.float64)
    flow = Flow(make(matrix), Normal(5)).double().eval()
    inverse = torch.linalg.inv(flow.bijection.matrix.detach())
    mean = flow.decode(torch.zeros(1, 5, dtype=torch.float64))[0].detach()
    exact = torch.distributions.MultivariateNormal(mean, inverse @ inverse.mT)
    x = 3 * torch.randn(200, 5, dtype=torch.float64)
    torch.testing.assert_close(flow.log_prob(x).detach(), exact.log_prob(x), rtol=0, atol=1e-6)
    drawn = flow.sample(40_000)
    spread = (exact.variance[:, None] * exact.variance + exact.covariance_matrix.square()).sqrt() / 200
    assert ((torch.cov(drawn.mT) - exact.covariance_matrix) / spread).abs().max() < 5
    assert ((drawn.mean(0) - mean) / exact.stddev).abs().max() < 5 / 200


@pytest.mark.slow
@pytest.mark.parametrize("name", VECTORS)
def test_two_hundred_steps_at_depth_64(name):
    """Data of very different scales, the default start, and no loss that is not finite."""
    torch.manual_seed(0)
    deep = {"steps": 64} if name == "glow" else {"transforms": 64}
    flow = flows.PRESETS[name](2, **deep, **SMALL)
    optimiser = torch.optim.Adam(flow.parameters(), 1e-3)
    losses = []
    for _ in range(200):
        optimiser.zero_grad()
        loss = -flow.log_prob(torch.randn(64, 2) * torch.tensor([1.0, 30.0]) + 5).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimiser.step()
        losses.append(loss.item())
    assert torch.tensor(losses).isfinite().all()


@pytest.mark.parametrize("name", ["maf", "nsf"])
def test_sampling_runs_no_network_once_a_feature(name, monkeypatch):
    """The masked networks are solved a few units at a time: their forward is not called at all."""
    flow = flows.PRESETS[name](32, transforms=2, **SMALL).eval()
    layers = [layer for layer in flow.bijection if isinstance(layer, Autoregressive)]
    assert len(layers) == 2
    assert all(isinstance(layer.net, MaskedNet) for layer in layers)
    z = torch.randn(4, 32)
    slow = z
    for layer in reversed(list(flow.bijection)):
        slow = one_by_one(layer, slow) if layer in layers else layer.inverse(slow)
    calls = []
    monkeypatch.setattr(MaskedNet, "forward", lambda *_: calls.append(1))
    torch.testing.assert_close(flow.decode(z), slow, rtol=1e-4, atol=1e-4)
    assert not calls


def one_by_one(layer, y):
    """The inverse by as many runs of the network as there are features."""
    x = torch.zeros_like(y)
    for _ in range(y.shape[1]):
        x, _ = layer.element_map.inverse_elements(y, layer.net(x))
    return x.detach()


@pytest.mark.parametrize("name", ["maf", "nsf"])
def test_sampling_costs_a_few_densities(name):
    flow = flows.PRESETS[name](64, transforms=2).eval()
    x = torch.randn(512, 64)

    def seconds(function):
        started = time.process_time()
        function()
        return time.process_time() - started

    with torch.no_grad():
        taken = [(seconds(lambda: flow.sample(512)), seconds(lambda: flow.log_prob(x))) for _ in range(4)]
    sampling, density = (min(values) for values in zip(*taken[1:], strict=True))
    assert sampling < 20 * density  # feature after feature it would be 64 and more


def test_tarflow_keeps_keys_and_values():
    """While it samples, no token of a picture goes through a transformer twice."""
    flow = flows.tarflow((1, 8, 8), patch=2, transforms=2, hidden_features=8, heads=2, depth=1).eval()
    blocks = [module for module in flow.modules() if isinstance(module, TransformerBlock)]
    seen = []
    for block in blocks:
        first = next(module for module in block.modules() if isinstance(module, torch.nn.Linear))
        first.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[-2]))
    flow.sample(2)
    assert len(blocks) == 2
    assert 2 <= sum(seen) <= 2 * 16


@pytest.mark.parametrize("name", ["maf", "nsf", "nsf_coupling"])
def test_the_start_is_the_fitted_normal(name):
    """Correlated columns: before the first step the loss is that of a normal distribution."""
    torch.manual_seed(0)
    x = torch.randn(2000, 6) @ torch.randn(6, 6) + 3
    flow = flows.PRESETS[name](6, transforms=2, **SMALL)
    exact = torch.distributions.MultivariateNormal(x.mean(0), torch.cov(x.mT)).log_prob(x).mean()
    assert abs(flow.log_prob(x).mean() - exact) < 0.05


def test_many_features_start_without_a_dense_map():
    flow = flows.maf(1500, transforms=1, hidden_features=(8,))
    assert not any(isinstance(module, WhiteningNorm) for module in flow.modules())
