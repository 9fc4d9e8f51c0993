"""Flows of pictures: contexts of maps, learnt noise, noise that is found again, flow matching on pictures."""

import math

import pytest
import torch

from preimage import Chain, flows
from preimage.domains import Reals
from preimage.errors import ShapeError
from preimage.flows import ClampedDequantisation, Flow, Normal, fit_flow_matching
from preimage.layers import ActNorm, HutchinsonTrace, NeuralODE, VelocityConvNet
from preimage.nets import MapContextConvNet

SMALL = {"levels": 2, "steps": 2, "hidden_features": (8,)}


def moved(flow, by=0.05):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(by * torch.randn_like(parameter))
    return flow.eval()


@pytest.mark.shows("4-18")
@pytest.mark.parametrize(
    ("shape", "context", "size"),
    [((3, 8, 8), (2, 8, 8), (8, 8)), ((1, 8, 16), (3, 8, 16), (5, 5)), ((2, 16), (3, 16), (16,))],
)
@pytest.mark.parametrize("memory", ["autograd", "reversible"])
def test_contexts_of_maps_reach_every_level(shape, context, size, memory):
    torch.manual_seed(0)
    flow = moved(flows.glow(shape, context=context, memory=memory, **SMALL).double())
    x = torch.randn(3, *shape, dtype=torch.float64)
    maps = torch.randn(3, context[0], *size, dtype=torch.float64, requires_grad=True)
    z = flow.encode(x, maps)
    assert torch.allclose(flow.decode(z, maps), x, atol=1e-8)
    other = flow.encode(x, torch.randn_like(maps))
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(z, other, strict=True))
    flow.log_prob(x, maps).sum().backward()
    assert maps.grad.abs().max() > 0
    assert flow.sample(2, maps).shape == (2, 3, *shape)


def test_log_det_with_a_context_of_maps_is_that_of_autograd():
    flow = moved(flows.glow((1, 4, 4), context=(2, 4, 4), levels=1, steps=2, hidden_features=(4,)).double())
    x, maps = torch.randn(1, 1, 4, 4).double(), torch.randn(1, 2, 4, 4).double()
    jacobian = torch.func.jacrev(lambda row: flow.bijection(row.view(1, 1, 4, 4), maps).flatten())(
        x.flatten()
    )
    log_det = flow.bijection.forward_and_log_det(x, maps)[1]
    assert torch.allclose(log_det, torch.linalg.slogdet(jacobian).logabsdet)


def test_a_conditional_glow_learns_what_the_picture_says():
    """x is the context picture with noise of 0.1: the log-density must approach that of the noise."""
    torch.manual_seed(0)
    maps = torch.randn(600, 1, 8, 8)
    x = maps + 0.1 * torch.randn_like(maps)
    flow = flows.glow((1, 8, 8), context=(1, 8, 8), levels=1, steps=2, hidden_features=(16,))
    flow.fit(x, context=maps, epochs=20, batch_size=50, learning_rate=1e-2, progress=False)
    drawn = flow.sample(1, maps[:50])[0]
    assert (drawn - maps[:50]).square().mean().sqrt() < 0.6  # 1.4 for a flow that does not look
    blind = 0.5 * math.log(2 * math.pi * math.e * 1.01)
    assert -flow.log_prob(x, maps).mean().item() / 64 < blind - 0.5


def test_resolutions_of_the_context_are_seen_without_loss():
    """Pixel by pixel: with a stride of 4 each pixel of the context still moves the output."""
    net = MapContextConvNet(1, 1, (4,), context_channels=1, stride=4)
    torch.nn.init.normal_(net.layers[-1].weight)
    context = torch.zeros(1, 1, 8, 8, requires_grad=True)
    net(torch.zeros(1, 1, 2, 2), context).sum().backward()
    assert (context.grad != 0).all()


class TestLearntNoise:
    def test_is_a_bound_that_counts_whole_numbers(self):
        torch.manual_seed(0)
        flow = flows.glow((1, 4, 4), levels=1, steps=1, hidden_features=(8,), grey_levels=4, noise_steps=2)
        x = torch.randint(4, (64, 1, 4, 4))
        flow.fit(x, epochs=3, batch_size=16, learning_rate=3e-3, progress=False)
        assert flow.likelihood == "bound"
        assert flow.bits_per_dim(x).mean().item() > 2 - 0.3  # the entropy is 2 bits
        assert torch.equal(flow.decode(flow.encode(x)), x.float())

    def test_is_refused_for_vectors(self):
        with pytest.raises(ValueError, match="signals and pictures"):
            flows.glow(4, grey_levels=8, noise_steps=1)


@pytest.mark.parametrize("context", [(1, 2), (0, 8, 8), (2, 8), -1, (3, 8, 8, 8)])
def test_bad_contexts_are_refused(context):
    with pytest.raises(ValueError, match="wanted"):
        flows.glow((3, 8, 8), context=context, **SMALL)


@pytest.mark.shows("3-23")
def test_a_picture_generator_gives_its_noise_back():
    flow = moved(flows.glow((3, 16, 16), levels=3, steps=4, hidden_features=(16, 16)).double(), 0.02)
    torch.manual_seed(1)
    z = flow.base.draw(4)
    again = flow.encode(flow.decode(z))
    assert max((a - b).abs().max().item() for a, b in zip(z, again, strict=True)) <= 1e-9


def test_flow_matching_trains_on_pictures_and_gives_densities():
    torch.manual_seed(0)
    x = torch.randint(16, (200, 1, 4, 4)) // 4 * 2  # levels 0, 2, 4, 6
    ode = NeuralODE(VelocityConvNet(1, (8,)), Reals(1, 4, 4), trace=HutchinsonTrace(1))
    flow = Flow(Chain(ActNorm(1), ode), Normal(1, 4, 4), surjection=ClampedDequantisation(16))
    fit_flow_matching(flow, x, epochs=8, batch_size=50, learning_rate=1e-2, progress=False)
    losses = flow.history.column("loss")
    assert losses[-1] < losses[0]
    draws = torch.stack([flow.log_prob(x[:8]).detach() for _ in range(3)])
    assert draws.isfinite().all()
    assert flow.sample(2).shape == (2, 1, 4, 4)


@pytest.mark.parametrize("name", ["jet", "tarflow"])
def test_transformers_train_on_small_pictures(name):
    torch.manual_seed(0)
    x = torch.randint(8, (128, 1, 8, 8)) // 4 * 3
    more = {"depth": 1} if name == "tarflow" else {}
    flow = flows.PRESETS[name]((1, 8, 8), transforms=2, hidden_features=16, heads=2, grey_levels=8, **more)
    flow.fit(x, epochs=4, batch_size=32, learning_rate=3e-3, progress=False)
    losses = flow.history.column("validation_loss")
    assert losses[-1] < losses[0]
    assert flow.sample(2).shape == (2, 1, 8, 8)


def test_map_networks_refuse_bad_sizes():
    with pytest.raises(ValueError, match="stride"):
        MapContextConvNet(1, 1, context_channels=1, stride=0)
    with pytest.raises(ValueError, match="odd kernel"):
        MapContextConvNet(1, 1, context_channels=1, kernel_size=2)
    with pytest.raises(ShapeError, match="context"):
        flows.glow((1, 8, 8), context=(2, 8, 8), **SMALL).log_prob(
            torch.zeros(2, 1, 8, 8), torch.zeros(2, 3, 8, 8)
        )
