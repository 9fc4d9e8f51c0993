"""Divergences of encoded data from latents, against closed forms."""

import math

import pytest
import torch
from scipy import stats

from preimage import flows
from preimage.errors import ShapeError
from preimage.flows import (
    Flow,
    Normal,
    check_latents,
    classifier_divergence,
    moment_divergence,
    neighbour_divergence,
)
from preimage.layers import Affine
from preimage.training import FitSettings, fit


def normal_sample(rows, mean, root, seed):
    noise = torch.randn(rows, len(mean), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return noise @ torch.tensor(root, dtype=torch.float64).T + torch.tensor(mean, dtype=torch.float64)


MEAN, ROOT = [0.5, -0.3], [[1.2, 0.0], [0.6, 0.7]]


def closed_form():
    distribution = torch.distributions.MultivariateNormal
    p = distribution(torch.tensor(MEAN), scale_tril=torch.tensor(ROOT))
    return torch.distributions.kl_divergence(p, distribution(torch.zeros(2), torch.eye(2))).item()


@pytest.mark.shows("3-24")
def test_all_three_estimates_find_the_divergence_of_normals():
    z, base = normal_sample(6000, MEAN, ROOT, 0), normal_sample(6000, [0.0, 0.0], [[1.0, 0], [0, 1.0]], 1)
    wanted = closed_form()
    assert moment_divergence(z).item() == pytest.approx(wanted, abs=0.03)
    each = neighbour_divergence(z, base)
    assert each.mean().item() == pytest.approx(wanted, abs=0.05)
    told = classifier_divergence(z.float(), base.float(), epochs=15, progress=False)
    assert wanted - 0.12 < told.divergence < wanted + 3 * told.standard_error
    assert 0.6 < told.accuracy < 0.8


@pytest.mark.shows("3-24")
def test_the_divergence_is_the_same_number_in_latents_and_in_data():
    """KL of encoded data from the base is KL of data from the flow, for any flow."""
    torch.manual_seed(0)
    flow = flows.nsf_coupling(2, transforms=2, hidden_features=(8,)).double().eval()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    x = normal_sample(4000, [0.0, 0.0], [[1.0, 0], [0.8, 0.4]], 0)
    truth = stats.multivariate_normal([0, 0], [[1, 0.8], [0.8, 0.8]]).logpdf(x.numpy())
    with torch.no_grad():
        in_data = (torch.from_numpy(truth) - flow.log_prob(x)).mean().item()
    check = check_latents(flow, x, generator=torch.Generator().manual_seed(1))
    assert in_data > 0.1
    assert check.neighbours == pytest.approx(in_data, abs=0.15 * in_data + 0.05)


def test_neighbours_are_those_of_brute_force():
    x, y = torch.randn(2, 30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = []
    for i in range(30):
        within = sorted((x[i] - x[j]).norm().item() for j in range(30) if j != i)[1]
        across = sorted((x[i] - other).norm().item() for other in y)[1]
        wanted.append(3 * math.log(across / within) + math.log(30 / 29))
    found = neighbour_divergence(x, y, neighbours=2)
    assert torch.allclose(found, torch.tensor(wanted, dtype=torch.float64))


@pytest.mark.parametrize("loss", [moment_divergence, lambda z: neighbour_divergence(z, BASE).mean()])
def test_as_losses_they_move_encoded_data_to_the_base(loss):
    x = normal_sample(500, [0.5, -1.0], [[0.5, 0], [0, 3.0]], 0).float()
    flow = Flow(Affine(2), Normal(2))
    optimiser = torch.optim.Adam(flow.parameters(), 0.05)
    for _ in range(200):
        optimiser.zero_grad()
        loss(flow.encode(x)).backward()
        optimiser.step()
    z = flow.encode(x).detach()
    assert z.mean(0).abs().max() < 0.15
    assert (z.std(0) - 1).abs().max() < 0.15


BASE = torch.randn(500, 2, generator=torch.Generator().manual_seed(5))


def test_gradients_are_those_of_differences():
    z = normal_sample(12, MEAN, ROOT, 0).requires_grad_()
    assert torch.autograd.gradcheck(moment_divergence, z)
    y = normal_sample(12, MEAN, ROOT, 1)
    assert torch.autograd.gradcheck(lambda x: neighbour_divergence(x, y, 2), z)


@pytest.mark.shows("3-24")
def test_moments_trained_in_the_loop_leave_the_shape_to_other_losses():
    """Two-sided: matched moments of the latents do not make the samples right; the likelihood does."""
    x = torch.cat([torch.randn(500, 1) * 0.1 + side for side in (-1.0, 1.0)])
    flow = Flow(Affine(1), Normal(1))

    def losses(model, batch):
        return moment_divergence(model(batch[0])).expand(len(batch[0]))

    fit(flow.bijection, losses, x, FitSettings(epochs=60, batch_size=100, learning_rate=0.03, progress=False))
    check = check_latents(flow, x, generator=torch.Generator().manual_seed(0))
    assert check.moments < 0.02
    assert check.neighbours > 0.5
    assert check.worst_distance > 3 * check.expected_distance


def test_an_exact_flow_passes_the_check():
    x = normal_sample(3000, [0.0] * 4, torch.eye(4).tolist(), 0)
    flow = Flow(Affine(4), Normal(4)).double()
    check = check_latents(flow, x, generator=torch.Generator().manual_seed(1))
    assert abs(check.neighbours) < 4 * check.neighbours_error
    assert check.moments < 0.01
    assert check.worst_distance < 2 * check.expected_distance


def test_several_latents_and_contexts_are_checked_too():
    glow = flows.glow((1, 4, 4), levels=2, steps=1, hidden_features=(4,)).eval()
    check = check_latents(glow, torch.randn(10, 1, 4, 4))
    assert check.moments is None
    flow = flows.maf(2, context=3).eval()
    assert check_latents(flow, torch.randn(50, 2), torch.randn(50, 3)).worst_distance < 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: moment_divergence(torch.zeros(3, 3)),
        lambda: neighbour_divergence(torch.zeros(9, 2), torch.zeros(9, 3)),
        lambda: neighbour_divergence(torch.zeros(3, 2), torch.zeros(9, 2), 3),
        lambda: neighbour_divergence(torch.zeros(9, 2), torch.zeros(9, 2), 0),
        lambda: classifier_divergence(torch.zeros(3, 2), torch.zeros(9, 2)),
    ],
)
def test_bad_samples_are_refused(wrong):
    with pytest.raises(ShapeError, match="wanted"):
        wrong()
