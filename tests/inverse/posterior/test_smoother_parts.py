"""The parts of the smoother against formulas and dense algebra."""

import math

import pytest
import torch
from torch import nn

from preimage.capture import capture
from preimage.inverse.posterior.gaussian.gates import ROOT, Gates
from preimage.inverse.posterior.gaussian.linearise import linearised, linearised_pointwise
from preimage.inverse.posterior.gaussian.normal import Normal, Observation, Step

EPS = torch.finfo(torch.float64).eps


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spread(size, seed=0):
    root = normal(size, size, seed=seed)
    return root @ root.T / size


def test_noisy_observations_weigh_by_their_precision():
    prior = Normal(normal(1, 4), spread(4))
    h, r, z = normal(6, 4, seed=1), spread(6, seed=2), normal(3, 6, seed=3)
    found = prior.given(Observation(h, z, r), EPS)
    precision = torch.linalg.inv(prior.covariance) + h.T @ torch.linalg.inv(r) @ h
    wanted = torch.linalg.inv(precision)
    right = prior.mean @ torch.linalg.inv(prior.covariance) + z @ torch.linalg.inv(r) @ h
    torch.testing.assert_close(found.covariance, wanted, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.mean, right @ wanted, atol=1e-8, rtol=1e-8)


def test_precisions_of_independent_estimates_add_up():
    parts = [Observation(torch.eye(2).double(), normal(1, 2, seed=s), spread(2, seed=s)) for s in (1, 2)]
    wide = Normal(torch.zeros(1, 2).double(), 1e9 * torch.eye(2).double())
    found = wide.given(Observation.fused(parts), EPS)
    inverses = [torch.linalg.inv(part.noise) for part in parts]
    wanted = torch.linalg.inv(sum(inverses))
    torch.testing.assert_close(found.covariance, wanted, atol=1e-6, rtol=1e-6)
    mean = sum(part.value @ inverse for part, inverse in zip(parts, inverses, strict=True)) @ wanted
    torch.testing.assert_close(found.mean, mean, atol=1e-6, rtol=1e-6)


def test_a_step_adds_its_noise_to_what_it_was_given():
    step = Step(normal(3, 4), normal(3, seed=1), torch.tensor([0.1, 0.2, 0.3]).double(), exact=False)
    seen = Observation(normal(2, 3, seed=2), normal(1, 2, seed=3), spread(2, seed=4)).before(step)
    h = normal(2, 3, seed=2)
    torch.testing.assert_close(seen.matrix, h @ step.matrix)
    torch.testing.assert_close(seen.noise, spread(2, seed=4) + h @ step.noise.diag() @ h.T)
    torch.testing.assert_close(seen.value, normal(1, 2, seed=3) - step.offset @ h.T)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (1.0, 0.5), (-1.0, 2.0)])
def test_a_rectifier_has_the_moments_of_the_formulas(mean, deviation):
    around = Normal(torch.full((1, 1), mean).double(), torch.full((1, 1), deviation**2).double())
    step = linearised_pointwise(torch.relu, around, EPS)
    ratio = mean / deviation
    density = math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    positive = (1 + math.erf(ratio / math.sqrt(2))) / 2
    expected = mean * positive + deviation * density
    square = (mean**2 + deviation**2) * positive + mean * deviation * density
    assert step.matrix.item() == pytest.approx(positive, abs=0.02)  # the mean slope
    assert (step.matrix * mean + step.offset).item() == pytest.approx(expected, abs=0.02)
    noise = square - expected**2 - (positive * deviation) ** 2
    assert step.noise.item() == pytest.approx(noise, abs=0.05 * deviation**2)
    assert not step.exact


def test_linear_maps_are_their_own_linearisation():
    matrix, offset = normal(3, 4), normal(3, seed=1)
    around = Normal(normal(1, 4, seed=2), spread(4, seed=3))
    step = linearised(lambda x: x @ matrix.T + offset, around, EPS)
    assert step.exact
    torch.testing.assert_close(step.matrix, matrix)
    torch.testing.assert_close(step.offset, offset)
    assert linearised_pointwise(lambda x: 3 * x - 1, around, EPS).exact
    assert not linearised(lambda x: (x @ matrix.T).sin(), around, EPS).exact
    flat = linearised(lambda x: torch.ones(len(x), 2).double(), around, EPS)  # does not see its input
    assert flat.exact
    assert not flat.matrix.any()


def test_a_product_is_linearised_at_its_mean():
    around = Normal(torch.tensor([[1.0, 2.0]]).double(), 0.01 * torch.eye(2).double())
    step = linearised(lambda x: x[:, :1] * x[:, 1:], around, EPS)
    torch.testing.assert_close(step.matrix, torch.tensor([[2.0, 1.0]]).double(), atol=1e-9, rtol=0)
    assert step.noise.item() == pytest.approx(0.01**2, rel=0.5)


def test_recorded_moments_replace_those_of_the_forward_pass():
    before = Normal(normal(1, 3), spread(3))
    after = before.scaled(torch.ones(3).double(), torch.tensor([1.0, 2.0, 3.0]).double())
    torch.testing.assert_close(after.variance, torch.tensor([1.0, 4.0, 9.0]).double())
    torch.testing.assert_close(torch.corrcoef(after.covariance).isfinite().all(), torch.tensor(True))
    ratio = after.covariance[0, 1] / (1.0 * 2.0)
    wanted = before.covariance[0, 1] / (before.covariance[0, 0] * before.covariance[1, 1]).sqrt()
    torch.testing.assert_close(ratio, wanted)


def test_gates_are_where_everything_passes():
    class Block(nn.Module):
        def forward(self, x):
            h = torch.tanh(x)
            return h + torch.sigmoid(h).flip(1)

    graph = capture(Block(), torch.zeros(1, 3))
    gates = Gates.of(graph, graph.outputs)
    operations = [graph.by_name[name].operation for name in gates.parents]
    assert operations == ["tanh", "add"]
    first, last = gates.parents
    assert gates.parents == {first: ROOT, last: first}
    assert gates.is_pointwise(first)
    assert not gates.is_pointwise(last)
    x = normal(2, 3)
    made = gates.step(last, x)(gates.step(first, x)(x))
    torch.testing.assert_close(made, Block()(x))
