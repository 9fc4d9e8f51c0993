"""What the network does not see, and several inputs with one answer."""

import pytest
import torch
from small_networks import inverse_of, mlp, normal
from torch import nn

import preimage as pi
from preimage.errors import ShapeError
from preimage.inverse.preimages.targets import SomeOutputs


@pytest.fixture(scope="module")
def network():
    return mlp(40, 16, 16, 4)


@pytest.fixture(scope="module")
def space(network):
    return inverse_of(network, 40).null_space(normal(3, 40))


class TestBasis:
    def test_counts_the_directions_that_are_not_seen(self, space):
        assert space.is_counted
        assert space.dimension.tolist() == [36] * 3

    def test_is_orthonormal_and_spans_the_null_space_of_the_jacobian(self, network, space):
        basis, certificate = space.basis()
        assert certificate.ok
        assert basis.shape == (3, 36, 40)
        for row, vectors in zip(space.x, basis, strict=True):
            jacobian = torch.autograd.functional.jacobian(network, row[None])[0, :, 0]
            assert (jacobian @ vectors.T).abs().max() < 1e-12
            torch.testing.assert_close(vectors @ vectors.T, torch.eye(36).double(), atol=1e-12, rtol=0)

    def test_part_of_it(self, space):
        assert space.basis(5).vectors.shape == (3, 5, 40)
        assert space.basis(0).certificate.ok
        with pytest.raises(ShapeError, match="between 0 and 36"):
            space.basis(37)

    def test_a_dead_unit_adds_a_dimension(self):
        network = nn.Sequential(nn.Linear(5, 3), nn.ReLU()).double()
        network[0].bias.data = torch.tensor([9.0, 9.0, -9.0]).double()
        assert inverse_of(network, 5).null_space(torch.zeros(1, 5).double()).dimension.tolist() == [3]

    def test_too_many_outputs_to_write_down_give_a_bound_and_a_certified_part(self):
        network = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.Tanh()).double()
        x = normal(1, 3, 20, 20)
        space = pi.invert(network, x).null_space(x)
        assert not space.is_counted
        assert space.dimension.tolist() == [400]
        vectors, certificate = space.basis(2)
        assert certificate.residual.max() < 1e-6
        moved = network(x + 1e-4 * vectors[:, 0])
        assert (moved - network(x)).norm() < 1e-6


class TestMoves:
    @pytest.mark.shows("2-4")
    def test_far_away_with_the_same_answer(self, network, space):
        moved, certificate = space.move(5.0)
        assert certificate.ok
        assert (network(moved) - network(space.x)).abs().max() <= 1e-8
        assert ((moved - space.x).norm(dim=1) > 4.0).all()

    def test_along_a_direction_of_ones_own(self, network, space):
        along = torch.zeros(1, 40).double()
        along[0, 3] = 1.0
        moved, certificate = space.move(2.0, along=along)
        assert certificate.ok
        assert ((moved - space.x)[:, 3] > 1.0).all()
        assert (network(moved) - network(space.x)).abs().max() <= 1e-8

    @pytest.mark.shows("2-4")
    def test_towards_another_input(self, network, space):
        goal = 3 * normal(1, 40, seed=9)
        moved, certificate = space.towards(goal)
        assert certificate.ok
        assert (network(moved) - network(space.x)).abs().max() <= 1e-8
        assert ((moved - goal).norm(dim=1) < 0.5 * (space.x - goal).norm(dim=1)).all()

    def test_where_everything_is_seen_nothing_moves(self):
        network = nn.Linear(3, 3).double()
        space = inverse_of(network, 3).null_space(normal(2, 3))
        assert space.dimension.tolist() == [0, 0]
        moved, _ = space.move(1.0)
        torch.testing.assert_close(moved, space.x, atol=1e-9, rtol=0)

    def test_at_a_tap_inside(self, network):
        inverse, x = inverse_of(network, 40), normal(1, 40)
        moved, certificate = inverse.null_space(x, tap="1").move(3.0)
        assert certificate.ok
        assert (network[:2](moved) - network[:2](x)).abs().max() <= 1e-8

    def test_bad_input(self, network, space):
        with pytest.raises(ShapeError, match="goal: got"):
            space.towards(torch.zeros(1, 41).double())
        with pytest.raises(ShapeError, match="along: got"):
            space.move(1.0, along=torch.zeros(2, 40).double())


class TestSample:
    def test_members_differ_and_all_have_the_answer(self, network):
        y = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]]).double()
        x, certificate = inverse_of(network, 40).sample(y, 4, tol=1e-9)
        assert x.shape == (8, 40)
        assert certificate.ok
        torch.testing.assert_close(network(x), y.repeat_interleave(4, 0), atol=1e-7, rtol=0)
        assert torch.pdist(x[:4]).min() > 3.0

    def test_of_a_linear_map_are_draws_of_the_normal_distribution_on_the_preimage(self):
        network = nn.Linear(3, 1, bias=False).double()
        a = network.weight.detach()
        x, _ = inverse_of(network, 3).sample(torch.ones(1, 1).double(), 3000, tol=1e-9)
        projection = torch.eye(3).double() - a.T @ a / (a @ a.T)
        torch.testing.assert_close(x.T.cov(), projection, atol=0.08, rtol=0)
        torch.testing.assert_close(x.mean(0), (a / (a @ a.T))[0], atol=0.08, rtol=0)

    def test_the_seed_decides(self, network):
        inverse, y = inverse_of(network, 40), torch.ones(1, 4).double()
        first, again, other = (inverse.sample(y, 2, seed=seed)[0] for seed in (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    def test_of_a_target(self, network):
        x, certificate = inverse_of(network, 40).sample(SomeOutputs([2], torch.ones(1, 1).double()), 3)
        assert certificate.ok
        torch.testing.assert_close(network(x)[:, 2], torch.ones(3).double(), atol=1e-5, rtol=0)

    def test_none_is_refused(self, network):
        with pytest.raises(ShapeError, match="count=0"):
            inverse_of(network, 40).sample(torch.ones(1, 4).double(), 0)
