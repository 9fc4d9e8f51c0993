"""Coordinates in which a set has no bounds."""

import pytest
import torch

from preimage.inverse.solvers.nonlinear.allowed import Box, Everywhere

INF = float("inf")
BOUNDS = {"both": (-1.0, 3.0), "below": (-1.0, INF), "above": (-INF, 3.0), "none": (-INF, INF)}


def box(low, high):
    return Box(torch.full((1, 5), low).double(), torch.full((1, 5), high).double())


@pytest.mark.parametrize("name", BOUNDS)
def test_inside_and_back(name):
    allowed = box(*BOUNDS[name])
    x = torch.tensor([[-0.9, -0.5, 0.0, 1.0, 2.9]]).double()
    torch.testing.assert_close(allowed.inside(allowed.coordinates(x)), x)


@pytest.mark.parametrize("name", BOUNDS)
def test_whatever_the_coordinates_the_point_is_allowed(name):
    allowed = box(*BOUNDS[name])
    x = allowed.inside(torch.tensor([[-1e3, -10.0, 0.0, 10.0, 1e3]]).double())
    assert torch.equal(allowed.project(x), x)
    assert x.isfinite().all()


@pytest.mark.parametrize("name", BOUNDS)
def test_a_point_at_a_bound_can_move(name):
    allowed = box(*BOUNDS[name])
    u = allowed.coordinates(allowed.project(torch.tensor([[-9.0, -1.0, 1.0, 3.0, 9.0]]).double()))
    slope = torch.func.jvp(allowed.inside, (u,), (torch.ones_like(u),))[1]
    assert (slope > 1e-3).all()


def test_the_middle_keeps_the_scale():
    allowed = box(0.0, 10.0)
    u = torch.full((1, 5), 5.0).double()
    slope = torch.func.jvp(allowed.inside, (u,), (torch.ones_like(u),))[1]
    torch.testing.assert_close(slope, torch.ones_like(u))
    assert torch.equal(Everywhere().inside(u), u)
    assert torch.equal(Everywhere().coordinates(u), u)


def test_a_box_without_room():
    allowed = box(2.0, 2.0)
    x = allowed.inside(allowed.coordinates(torch.zeros(1, 5).double()))
    torch.testing.assert_close(x, torch.full((1, 5), 2.0).double())
