"""Every preset is a density, in both directions, with and without a context."""

import inspect

import pytest
import torch
from samples_presets import SHAPED, SMALL, VECTORS
from scipy import stats
from torch import nn

from preimage import flows
from preimage.flows import PRESETS, Flow

MAKERS = {name: (make, (2,)) for name, make in VECTORS.items()} | SHAPED


COSTLY = ("naf", "umnn", "residual_flow", "ffjord")  # each number takes a root search or an equation


def curved(make, **more):
    """A flow in float64 with no parameter at its start."""
    torch.manual_seed(0)
    flow = make(**more).double().eval()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return flow


# Other rooms register presets of their own when they are imported.
OWN = {name: build for name, build in PRESETS.items() if build.__module__.startswith("preimage.flows.")}


def test_every_preset_is_in_the_table():
    assert set(OWN) == {name.split(",")[0] for name in MAKERS}


@pytest.mark.shows("4-2")
@pytest.mark.parametrize("name", VECTORS)
def test_integrates_to_one(name):
    flow = curved(VECTORS[name])
    reach = 1.5 * flow.sample(3000, generator=torch.Generator().manual_seed(1)).abs().max().item()
    points = 141 if name in COSTLY else 521  # the sum over a grid converges fast for smooth densities
    side = torch.linspace(-reach, reach, points, dtype=torch.float64)
    with torch.no_grad():
        total = sum(
            flow.log_prob(part).exp().sum() for part in torch.cartesian_prod(side, side).split(400_000)
        )
    assert abs(total.item() * (2 * reach / (points - 1)) ** 2 - 1) < 1e-3


SLOW_TO_DRAW = ("ffjord", "umnn")  # benchmarks/flow_presets.py tests their samples too


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW_TO_DRAW else []) for name in VECTORS]
)
def test_samples_follow_the_density(name):
    flow = curved(VECTORS[name])
    drawn = flow.sample(1500, generator=torch.Generator().manual_seed(1))
    weights, points = _importance(flow)
    chosen = points[
        torch.multinomial(weights, 1500, replacement=True, generator=torch.Generator().manual_seed(2))
    ]
    for axis in ([1.0, 0.0], [0.0, 1.0], [0.7, 0.7]):
        along = torch.tensor(axis, dtype=torch.float64)
        assert stats.ks_2samp((drawn @ along).numpy(), (chosen @ along).numpy()).pvalue > 1e-3


def _importance(flow):
    """A fine grid, weighted by the density."""
    side = torch.linspace(-13, 13, 401, dtype=torch.float64)
    points = torch.cartesian_prod(side, side)
    with torch.no_grad():
        return flow.log_prob(points).exp(), points + (torch.rand_like(points) - 0.5) * 26 / 400


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("context", [0, 3])
def test_round_trips_and_one_pass_densities(name, context):
    make, shape = MAKERS[name]
    flow = curved(make, context=context)
    rows = torch.randn(4, context, dtype=torch.float64) if context else None
    x = torch.randn(4, *shape, dtype=torch.float64)
    torch.testing.assert_close(flow.decode(flow.encode(x, rows), rows), x)
    drawn, log_prob = flow.rsample_and_log_prob(2, rows)
    flat = drawn.reshape(-1, *shape)
    repeated = None if rows is None else rows.repeat(2, 1)
    torch.testing.assert_close(flow.log_prob(flat, repeated), log_prob.flatten())


@pytest.mark.parametrize("name", MAKERS)
def test_memory_saving_gradients_are_the_same(name):
    make, shape = MAKERS[name]
    x = torch.randn(5, *shape, dtype=torch.float64)
    gradients = []
    for memory in ("autograd", "reversible"):
        flow = curved(make, memory=memory)
        flow.log_prob(x).mean().backward()
        gradients.append([parameter.grad for parameter in flow.parameters()])
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-7)


def trained(flow):
    """The losses of twenty steps on skewed data of two very different scales."""
    x = torch.randn(256, 2).exp() * torch.tensor([1.0, 30.0]) + 5
    optimiser = torch.optim.Adam(flow.parameters(), 1e-3)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = -flow.log_prob(x).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return torch.tensor(losses)


@pytest.mark.parametrize("name", ["nice", "realnvp", "glow", "maf", "nsf", "nsf_coupling"])
def test_a_flow_of_depth_64_trains_from_its_start(name):
    torch.manual_seed(0)
    deep = {"steps": 64} if name == "glow" else {"transforms": 64}
    losses = trained(PRESETS[name](2, **deep, **SMALL))
    assert losses.isfinite().all()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["naf", "umnn", "residual_flow", "planar", "radial", "sylvester", "ffjord"])
def test_other_flows_train_from_their_start(name):
    torch.manual_seed(0)
    losses = trained(PRESETS[name](2, transforms=2, **SMALL))
    assert losses.isfinite().all()
    assert losses[-1] < losses[0]


def test_multi_scale_latents_have_names_and_a_learned_prior():
    flow = curved(SHAPED["glow, signal"][0])
    z = flow.encode(torch.randn(2, 4, 16, dtype=torch.float64))
    assert z._fields == ("level_3", "level_2", "level_1")
    assert [part.shape[1:] for part in z] == [(8, 2), (4, 4), (4, 8)]
    assert flow.tempered(0.5).sample(3).shape == (3, 4, 16)


def test_starts_near_the_data_whatever_their_scale():
    torch.manual_seed(0)
    x = torch.randn(500, 2) * torch.tensor([1e-3, 1e4]) + torch.tensor([5.0, -1e5])
    flow = flows.nsf(2, **SMALL)
    normal = torch.distributions.Normal(x.mean(0), x.std(0)).log_prob(x).sum(1).mean()
    assert abs(flow.log_prob(x).mean() - normal) < 0.05


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: flows.nice(1),
        lambda: flows.realnvp(3, transforms=0),
        lambda: flows.maf(0),
        lambda: flows.nsf(2.5),
        lambda: flows.glow((3, 9, 8)),
        lambda: flows.glow((3, 8, 8), levels=0),
        lambda: flows.nsf(3, context=-1),
        lambda: flows.jet(3),
        lambda: flows.tarflow((8,)),
    ],
)
def test_bad_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match=r"wanted|use nsf"):
        wrong()


def test_presets_use_the_words_of_the_library():
    for name, build in OWN.items():
        known = inspect.signature(build).parameters
        assert {"context", "hidden_features", "memory"} <= set(known), name
        assert isinstance(build, object)
        assert "https://" in build.__doc__, name


def test_embedding_of_a_picture_as_context():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    plain = flows.maf(2, context=3, **SMALL)
    flow = Flow(plain.bijection, plain.base, embedding=net)
    assert flow.log_prob(torch.zeros(5, 2), torch.zeros(5, 1, 4, 4)).shape == (5,)
