"""Planar, Sylvester and radial layers: every direction, roots that Newton misses, digits of the log_det."""

import pytest
import torch
from lipschitz_networks import jacobians

from preimage.layers import (
    HouseholderDirections,
    OrthogonalDirections,
    Planar,
    Radial,
    ReversedDirections,
    Sylvester,
)


@pytest.mark.parametrize("features", [1, 3])
def test_planar_with_any_direction(features):
    """Also where w^T u is far below -1: the bent direction keeps the map increasing."""
    torch.manual_seed(0)
    for scale in (0.1, 1.0, 10.0, 300.0):
        layer = Planar(features).double()
        with torch.no_grad():
            layer.vectors.base.normal_().mul_(scale)
        x = torch.randn(50, features, dtype=torch.float64)
        y, log_det = layer.forward_and_log_det(x)
        matrices = jacobians(layer, x)
        wanted = torch.linalg.det(matrices)
        assert (wanted >= 0).all()
        usable = wanted > 1e-6
        torch.testing.assert_close(log_det[usable], wanted[usable].log(), atol=1e-7, rtol=1e-6)
        back, certificate = layer.certified_inverse(y, on_error="nan")
        assert (back - x)[certificate.converged].abs().max() < 1e-5 if certificate.converged.any() else True


def test_planar_log_det_keeps_its_digits_where_the_map_is_almost_flat():
    """w^T u near -1 at the middle: 1 + h' w^T u would be rounded away."""
    layer = Planar(1).double()
    with torch.no_grad():
        layer.vectors.base.copy_(torch.tensor([-40.0, 1.0, 0.0]))
    _, log_det = layer.forward_and_log_det(torch.zeros(1, 1, dtype=torch.float64))
    torch.testing.assert_close(log_det, torch.tensor([-40.0], dtype=torch.float64))


def test_sylvester_finds_what_newton_misses():
    """Entries of 30 above the diagonal: one increasing equation after the other is solved."""
    torch.manual_seed(0)
    layer = Sylvester(ReversedDirections(6)).double()
    with torch.no_grad():
        layer.raw_outer.normal_().mul_(30)
        layer.raw_inner.normal_().mul_(30)
        x = torch.randn(40, 6, dtype=torch.float64)
        y = layer(x)
        back = layer.inverse(y)
    assert back.isfinite().all()
    torch.testing.assert_close(layer(back), y, atol=1e-9, rtol=1e-12)


def test_sylvester_with_one_direction_is_planar_like():
    torch.manual_seed(0)
    layer = Sylvester(OrthogonalDirections(4, 1)).double()
    x = torch.randn(5, 4, dtype=torch.float64)
    moved = layer(x) - x
    assert torch.linalg.matrix_rank(moved) == 1


@pytest.mark.parametrize("reflections", [1, 5])
def test_directions_are_orthonormal(reflections):
    for directions in (
        HouseholderDirections(5, reflections),
        OrthogonalDirections(5, 3),
        ReversedDirections(5),
    ):
        q = directions.double().matrix()
        torch.testing.assert_close(q.T @ q, torch.eye(q.shape[1], dtype=torch.float64))


def test_radial_at_its_centre_and_on_both_sides():
    layer = Radial(3).double()
    centre = layer.vectors.base[:3].detach()[None]
    x = torch.cat([centre, centre + 1e-9, centre + 1e9])
    y, log_det = layer.forward_and_log_det(x)
    assert log_det.isfinite().all()
    torch.testing.assert_close(layer.inverse(y), x)
    torch.testing.assert_close(y[:1], centre)
