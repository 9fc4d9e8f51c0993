"""Least norm, nearest, in a box, most probable: against closed forms and quadratic programs."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from small_networks import inverse_of, mlp, normal
from torch import nn

from preimage.errors import DomainError, NotInvertibleError, ShapeError
from preimage.inverse.preimages import Distance, Gaussian, NormStatistics, Together, TotalVariation


class TestLeastNorm:
    def test_of_a_linear_map_is_its_pseudo_inverse(self):
        network = nn.Linear(9, 3, bias=False).double()
        y = normal(4, 3)
        x, certificate = inverse_of(network, 9).minimum_norm(y, tol=1e-12)
        assert certificate.ok
        assert certificate.message == ""
        torch.testing.assert_close(x, y @ torch.linalg.pinv(network.weight.detach()).T)

    def test_of_a_curved_map_lies_in_the_row_space_of_the_jacobian(self):
        network = mlp(12, 10, 3, activation=nn.Tanh)
        y = network(normal(2, 12)).detach()
        x, certificate = inverse_of(network, 12).minimum_norm(y, tol=1e-10, steps=200)
        assert certificate.ok
        for row in x:
            jacobian = torch.autograd.functional.jacobian(network, row[None])[0, :, 0]  # (3, 12)
            rest = row - torch.linalg.pinv(jacobian) @ (jacobian @ row)
            assert rest.norm() < 1e-3 * row.norm()

    @pytest.mark.shows("2-3")
    def test_is_below_the_chain_of_pseudo_inverses(self):
        network = mlp(60, 20, 20, 5)
        inverse, y = inverse_of(network, 60), torch.eye(5).double()
        x, certificate = inverse.minimum_norm(y)
        chain, _ = inverse.data_free(y)
        assert certificate.residual.max() <= 1e-6
        assert (x.norm(dim=1) < 0.7 * chain.norm(dim=1)).all()


def test_nearest_to_a_point_of_the_preimage_is_that_point():
    network = mlp(12, 10, 3)
    x = normal(3, 12)
    found, certificate = inverse_of(network, 12).nearest(network(x).detach(), x)
    assert certificate.ok
    torch.testing.assert_close(found, x)


@pytest.mark.shows("2-3")
def test_nearest_is_no_farther_than_what_a_general_optimiser_finds():
    network = mlp(8, 6, 2, activation=nn.Tanh)
    y, to = network(normal(1, 8, seed=3)).detach(), normal(1, 8, seed=4)
    x, certificate = inverse_of(network, 8).nearest(y, to, tol=1e-9, steps=200)
    assert certificate.ok

    def outputs(v):
        with torch.no_grad():
            return (network(torch.from_numpy(v)[None]) - y)[0].numpy()

    other = minimize(
        lambda v: ((v - to[0].numpy()) ** 2).sum(),
        to[0].numpy(),
        constraints={"type": "eq", "fun": outputs},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert other.success
    assert (x - to).norm().item() <= 1.01 * np.sqrt(other.fun)


class TestBox:
    @pytest.mark.shows("2-3")
    def test_pixels_stay_pixels(self):
        network = mlp(40, 16, 4)
        y = network(torch.rand(5, 40, generator=torch.Generator().manual_seed(0)).double()).detach()
        x, certificate = inverse_of(network, 40).boxed(y, 0.0, 1.0)
        assert certificate.residual.max() <= 1e-6
        assert x.min() >= 0
        assert x.max() <= 1

    def test_bounds_of_each_number_and_each_sample(self):
        network = nn.Linear(4, 1, bias=False).double()
        network.weight.data.fill_(1.0)
        high = torch.tensor([[0.5, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0]]).double()
        zeros = torch.zeros(1, 4).double()
        x, certificate = inverse_of(network, 4).boxed(torch.full((2, 1), 3.2).double(), 0.0, high, to=zeros)
        assert certificate.ok
        torch.testing.assert_close(
            x, torch.tensor([[0.5, 0.9, 0.9, 0.9], [0.8, 0.8, 0.8, 0.8]]).double(), atol=1e-5, rtol=0
        )

    def test_an_empty_intersection_is_reported(self):
        network = nn.Linear(4, 1, bias=False).double()
        network.weight.data.fill_(1.0)
        x, certificate = inverse_of(network, 4).boxed(torch.full((1, 1), 9.0).double())
        assert not certificate.ok
        assert x.max() <= 1

    def test_bad_bounds(self):
        inverse = inverse_of(mlp(4, 3, 1), 4)
        with pytest.raises(DomainError, match="exceeds its upper"):
            inverse.boxed(normal(1, 1), 1.0, 0.0)
        with pytest.raises(ShapeError, match="low: got"):
            inverse.boxed(normal(1, 1), torch.zeros(7))


class TestPriors:
    @pytest.mark.shows("2-3")
    def test_gaussian_is_the_conditional_mean_of_a_linear_map(self):
        network = nn.Linear(5, 2, bias=False).double()
        data = normal(4000, 5) @ normal(5, 5, seed=1) + 2.0
        y = normal(3, 2, seed=2)
        x, certificate = inverse_of(network, 5).with_prior(y, Gaussian.of_data(data), tol=1e-10)
        assert certificate.ok
        mean, covariance, a = data.mean(0), data.T.cov(), network.weight.detach()
        gain = covariance @ a.T @ torch.linalg.inv(a @ covariance @ a.T)
        torch.testing.assert_close(x, mean + (y - a @ mean) @ gain.T, rtol=1e-5, atol=1e-5)

    def test_smooth_pictures_are_smoother_than_the_shortest(self):
        network = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=4), nn.Tanh(), nn.Flatten(), nn.Linear(36, 6)
        ).double()
        inverse = inverse_pictures(network)
        y = normal(2, 6) / 4
        smooth, certificate = inverse.with_prior(y, Gaussian.smooth((1, 12, 12)))
        shortest, _ = inverse.minimum_norm(y)
        assert certificate.residual.max() <= 1e-6
        assert (roughness(smooth) < roughness(shortest)).all()

    @pytest.mark.shows("2-3")
    def test_total_variation_falls_while_the_answer_stays(self):
        network = mlp(36, 12, 3, activation=nn.Tanh)
        inverse, prior = inverse_of(network, 36), TotalVariation((1, 6, 6))
        y = network(normal(2, 36)).detach()
        first, _ = inverse.nearest(y, normal(1, 36))
        x, certificate = inverse.with_prior(y, prior, start=normal(1, 36), steps=30)
        assert certificate.residual.max() <= 1e-6
        assert (prior.value(x) < 0.8 * prior.value(first)).all()

    def test_norm_statistics_are_those_of_a_loop(self):
        network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU()).double().eval()
        network[1].running_mean.copy_(normal(3))
        network[1].running_var.copy_(normal(3).square() + 0.5)
        inverse, x = inverse_pictures(network, channels=2), normal(2, 2, 12, 12)
        z = network[0](x)
        wanted = torch.zeros(2).double()
        for n in range(2):
            for c in range(3):
                mean, variance = z[n, c].mean(), z[n, c].var(correction=0) + 1e-5
                spread = network[1].running_var[c] + 1e-5
                off = (mean - network[1].running_mean[c]) ** 2 / spread
                wanted[n] += (off + variance / spread - 1 - (variance / spread).log()) / 3
        torch.testing.assert_close(NormStatistics(inverse).value(x), wanted.detach())

    def test_norm_statistics_need_a_batch_norm(self):
        with pytest.raises(NotInvertibleError, match="no batch norm"):
            NormStatistics(inverse_of(mlp(4, 3, 2), 4))

    def test_bad_priors(self):
        with pytest.raises(ShapeError, match="no neighbours"):
            Gaussian.smooth((7,))
        with pytest.raises(ShapeError, match="no neighbours"):
            TotalVariation().value(torch.zeros(2, 7))
        with pytest.raises(ShapeError, match="two at least"):
            Gaussian.of_data(torch.zeros(1, 3))
        with pytest.raises(ShapeError, match="sum of no"):
            Together([])

    def test_a_sum_of_objectives_keeps_the_anchors_of_each_sample(self):
        network = nn.Linear(4, 1).double()
        anchors = normal(3, 4)
        y = network(normal(3, 4, seed=5)).detach()
        sole, _ = inverse_of(network, 4).with_prior(y, Distance(anchors), tol=1e-10)
        both, _ = inverse_of(network, 4).with_prior(
            y, Together([(1.0, Distance(anchors)), (1.0, Distance(anchors))]), tol=1e-10, steps=300
        )
        torch.testing.assert_close(both, sole, atol=1e-3, rtol=0)


def inverse_pictures(network, channels=1):
    import preimage as pi

    return pi.invert(network, torch.zeros(1, channels, 12, 12).double())


def roughness(x):
    return x.diff(dim=2).square().flatten(1).sum(1) / x.flatten(1).square().sum(1)
