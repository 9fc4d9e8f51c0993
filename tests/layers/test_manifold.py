"""Circles, tori and spheres: group laws, surface measure, seams and poles."""

import math

import pytest
import torch

from preimage import Chain
from preimage.errors import DomainError, NotInvertibleError
from preimage.layers import (
    Affine,
    Bias,
    CircularSplineMap,
    Coupling,
    ElementMap,
    LearnedMap,
    MoebiusMap,
    Orthogonal,
    PeriodicFeatures,
    Permutation,
    ProjectionMap,
    RecursiveSphere,
    SlicePartition,
    SphereMoebius,
    SpherePush,
    SphericalCoordinates,
    Torus,
)
from preimage.nets import MLP

CIRCLES = {"spline": CircularSplineMap(5), "moebius": MoebiusMap(3), "projection": ProjectionMap()}


def _random(layer, deviation=0.7):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(deviation * torch.randn_like(parameter))
    return layer.double()


@pytest.mark.parametrize("name", CIRCLES)
def test_turns_with_the_circle_and_goes_around_once(name):
    torch.manual_seed(0)
    circle = CIRCLES[name]
    raw = torch.randn(50, circle.count, dtype=torch.float64)
    x = torch.linspace(-8, 8, 50, dtype=torch.float64)
    y, log_slope = circle.forward_elements(x, raw)
    for turns in (-3, 1, 50):
        again, again_slope = circle.forward_elements(x + 2 * math.pi * turns, raw)
        torch.testing.assert_close(again, y + 2 * math.pi * turns, rtol=0, atol=1e-11)
        torch.testing.assert_close(again_slope, log_slope, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", CIRCLES)
def test_density_on_the_circle_has_the_integral_1(name):
    torch.manual_seed(0)
    circle = CIRCLES[name]
    raw = torch.randn(7, 1, circle.count, dtype=torch.float64)
    x = torch.linspace(-math.pi, math.pi, 20001, dtype=torch.float64)[:-1].expand(7, -1)
    slope = circle.forward_elements(x, raw)[1].exp()
    torch.testing.assert_close(slope.mean(1), torch.ones(7, dtype=torch.float64), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", CIRCLES)
def test_float32_with_extreme_parameters(name):
    torch.manual_seed(0)
    circle = CIRCLES[name]
    x = torch.cat([3.2 * (2 * torch.rand(3000) - 1), torch.tensor([math.pi, -math.pi, 0.0])]).requires_grad_()
    raw = (5 * torch.randn(len(x), circle.count)).requires_grad_()
    y, log_slope = circle.forward_elements(x, raw)
    back, back_log_slope = circle.inverse_elements(y, raw)
    gradients = torch.autograd.grad((y + log_slope + back + back_log_slope).sum(), (x, raw))
    assert all(tensor.isfinite().all() for tensor in (y, log_slope, back, back_log_slope, *gradients))
    assert (back - x).abs().max() < 3e-4


def test_one_moebius_transform_in_complex_numbers():
    circle = MoebiusMap(1)
    raw = torch.tensor([0.0, 0.8, -0.5, 0.3], dtype=torch.float64)
    x = torch.linspace(-3, 3, 20, dtype=torch.float64)
    limit = 15 / 17 / math.sqrt(1 + 0.64 + 0.25)
    omega, z = limit * torch.complex(raw[1], raw[2]), torch.exp(1j * x)
    wanted = (z - omega) / (1 - omega.conj() * z)
    y, _ = circle.forward_elements(x, raw.expand(20, 4))
    torch.testing.assert_close(torch.exp(1j * (y - 0.3)), wanted)


def test_projection_in_tangents():
    raw = torch.tensor([0.4, -0.7, 0.2], dtype=torch.float64)
    x = torch.linspace(-3, 3, 20, dtype=torch.float64)
    y, _ = ProjectionMap().forward_elements(x, raw.expand(20, 3))
    root = math.sqrt(8)
    alpha = math.exp(math.log(8) * math.tanh(0.4 / math.log(8)))
    beta = root * math.tanh(-0.7 / root)
    torch.testing.assert_close(((y - 0.2) / 2).tan(), alpha * (x / 2).tan() + beta)


def _torus() -> Torus:
    net = PeriodicFeatures(MLP(2, 2 * 16, (16,)))
    return _random(Torus(Coupling(SlicePartition(3), net, CircularSplineMap(5))))


def test_torus_has_no_seam():
    torus = _torus()
    x = torch.tensor([[0.5, 1.0, math.pi - 1e-9], [math.pi - 1e-9, 1.0, 2.0]], dtype=torch.float64)
    other = torch.tensor([[0.5, 1.0, -math.pi + 1e-9], [-math.pi + 1e-9, 1.0, 2.0]], dtype=torch.float64)
    (y, log_det), (near, near_log_det) = torus.forward_and_log_det(x), torus.forward_and_log_det(other)
    torch.testing.assert_close(torch.exp(1j * y), torch.exp(1j * near), rtol=0, atol=1e-6)
    torch.testing.assert_close(log_det, near_log_det, rtol=0, atol=1e-6)


def test_torus_refuses_other_numbers_and_certifies():
    torus = _torus()
    with pytest.raises(DomainError):
        torus(torch.full((1, 3), 4.0, dtype=torch.float64))
    y = torus(6 * torch.rand(20, 3, dtype=torch.float64) - 3)
    _, certificate = torus.certified_inverse(y, on_error="nan")
    assert certificate.ok


def test_torus_refuses_maps_that_do_not_turn_with_the_circle():
    """Such a map is not injective on angles: an inverse that only looks right would be the silent result."""
    plain = Coupling(SlicePartition(2), MLP(1, 16, (4,)), CircularSplineMap(5))
    for layer in (
        LearnedMap(_Stretch(), 2),
        Affine(2),
        plain,
        Chain(Bias(2), plain),
        SphericalCoordinates(2),
    ):
        with pytest.raises(NotInvertibleError, match="full turn"):
            Torus(layer)


def test_torus_of_a_chain():
    parts = [_torus().layer, Permutation([2, 0, 1]), Bias(3), LearnedMap(MoebiusMap(2), 3, deviation=1.0).inv]
    torus = Torus(Chain(*parts)).double()
    x = 6 * torch.rand(5, 3, dtype=torch.float64) - 3
    torch.testing.assert_close(torus.inverse(torus(x)), x, rtol=0, atol=1e-9)


class _Stretch(ElementMap):
    """Three times the angle: no map of the circle."""

    def __init__(self):
        super().__init__(count=1)

    def forward_elements(self, x, raw):
        return 3 * x + raw[..., 0], torch.full_like(x, math.log(3))

    def inverse_elements(self, y, raw):
        return (y - raw[..., 0]) / 3, torch.full_like(y, -math.log(3))


SPHERES = {
    "recursive, 2": lambda: RecursiveSphere(2, bins=4, hidden_features=(16,)),
    "recursive, 3": lambda: RecursiveSphere(3, bins=4, hidden_features=(16,)),
    "moebius, 2": lambda: SphereMoebius(2),
    "moebius, 4": lambda: SphereMoebius(4),
    "push, 2": lambda: SpherePush(2, centres=4),
    "push, 3": lambda: SpherePush(3, centres=2),
    "chain": lambda: Chain(
        RecursiveSphere(2, bins=4, hidden_features=(16,)), Orthogonal(3, bias=False), SphereMoebius(2)
    ),
}


def _tangents(x):
    """An orthonormal basis of the plane that touches the sphere, ``(N, D + 1, D)``."""
    full = torch.cat(
        [x[:, :, None], torch.eye(x.shape[1], dtype=x.dtype).expand(len(x), -1, -1)[:, :, 1:]], 2
    )
    return torch.linalg.qr(full).Q[:, :, 1:]


@pytest.mark.parametrize("name", SPHERES)
def test_log_det_is_that_of_the_surface(name):
    """The Jacobian between tangent planes, whatever the layer does to vectors off the sphere."""
    layer = _random(SPHERES[name]())
    size = layer.domain.fixed[0]
    x = torch.nn.functional.normalize(torch.randn(6, size, dtype=torch.float64), dim=1)
    y, log_det = layer.forward_and_log_det(x)
    torch.testing.assert_close(y.norm(dim=1), torch.ones(6, dtype=torch.float64))
    jacobian = torch.stack(
        [torch.autograd.functional.jacobian(lambda v: layer(v[None])[0], row) for row in x]
    )
    between = _tangents(y.detach()).mT @ jacobian @ _tangents(x)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(between).logabsdet)


@pytest.mark.parametrize("name", ["recursive, 2", "moebius, 2", "push, 2", "chain"])
def test_density_on_the_sphere_has_the_integral_1(name):
    """Gauss-Legendre in height, which is uniform on the sphere, times the trapezoidal rule in longitude."""
    layer = _random(SPHERES[name](), 0.4)
    count = 300
    height = (torch.arange(count, dtype=torch.float64) + 0.5) / count * 2 - 1
    angle = torch.arange(count, dtype=torch.float64) / count * 2 * math.pi
    height, angle = (grid.flatten() for grid in torch.meshgrid(height, angle, indexing="ij"))
    ring = (1 - height**2).sqrt()
    x = torch.stack([ring * angle.cos(), ring * angle.sin(), height], dim=1)
    with torch.no_grad():
        mean = layer.forward_and_log_det(x)[1].exp().mean()
    assert abs(mean.item() - 1) < 2e-3


def test_lengths_do_not_matter():
    layer = _random(SPHERES["chain"]())
    x = torch.randn(5, 3, dtype=torch.float64)
    for size in (1e-6, 1e6):
        y, log_det = layer.forward_and_log_det(size * x)
        torch.testing.assert_close(y / size, layer(x), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(log_det, layer.forward_and_log_det(x)[1])


def test_near_the_poles_in_float32():
    """No digits are lost there beyond rounding: latitudes, not heights, are what moves."""
    layer = _random(RecursiveSphere(2, bins=4, hidden_features=(16,)), 0.3).float()
    ring = torch.logspace(-6, 0, 200)[:, None]
    angle = torch.linspace(0, 6, 200)[:, None]
    for sign in (1, -1):
        x = torch.cat([ring * angle.cos(), ring * angle.sin(), torch.full_like(ring, sign)], dim=1)
        x = torch.nn.functional.normalize(x, dim=1)
        y, log_det = layer.forward_and_log_det(x)
        assert log_det.isfinite().all()
        assert (layer.inverse(y) - x).abs().max() < 1e-5


def test_poles_are_refused():
    for layer in (SphericalCoordinates(2), RecursiveSphere(2)):
        with pytest.raises(DomainError):
            layer(torch.tensor([[0.0, 0.0, 1.0]]))
    with pytest.raises(DomainError):
        SphereMoebius(2)(torch.zeros(1, 3))


def test_moebius_transforms_are_undone_by_the_opposite_centre():
    layer = _random(SphereMoebius(3))
    opposite = _random(SphereMoebius(3))
    opposite.raw.data = -layer.raw.data
    x = torch.randn(5, 4, dtype=torch.float64)
    torch.testing.assert_close(opposite(layer(x)), x)
    centre = layer.centre[None]
    pole = centre / centre.norm()
    torch.testing.assert_close(layer(pole), pole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_push_at_its_limit_is_found_back_everywhere(dtype):
    """The largest amounts allowed, centres from dull to sharp, and starts next to and opposite of them."""
    torch.manual_seed(0)
    layer = SpherePush(2, centres=3).to(dtype)
    layer.raw_amounts.data = torch.tensor([20.0, 19.0, 17.0], dtype=dtype)
    layer.log_sharpness.data = torch.tensor([-3.0, 1.0, 4.0], dtype=dtype)
    centres = torch.nn.functional.normalize(layer.raw_centres.detach(), dim=1)
    x = torch.cat([torch.randn(3000, 3, dtype=dtype), centres, -centres, centres + 1e-3])
    x = torch.nn.functional.normalize(x, dim=1)
    with torch.no_grad():
        y, log_det = layer.forward_and_log_det(x)
        back, back_log_det = layer.inverse_and_log_det(y)
    assert log_det.isfinite().all()
    tolerance = 100 * torch.finfo(dtype).eps
    torch.testing.assert_close(layer(back), y, rtol=0, atol=tolerance)
    torch.testing.assert_close(back, x, rtol=0, atol=20 * tolerance)
    torch.testing.assert_close(back_log_det, -log_det, rtol=0, atol=2000 * tolerance)


def test_volume_of_the_sphere():
    """The mean cell of the chart, integrated over the angles, is the surface: 2 pi^2 for dimension 3."""
    chart = SphericalCoordinates(3)
    count = 60
    latitude = (torch.arange(count, dtype=torch.float64) + 0.5) / count * math.pi - math.pi / 2
    first, second = (grid.flatten() for grid in torch.meshgrid(latitude, latitude, indexing="ij"))
    ones = torch.ones(count**2, 1, dtype=torch.float64)
    log_det = chart.inverse_and_log_det((ones, torch.stack([first, second], 1), 0 * ones))[1]
    surface = log_det.exp().mean() * math.pi**2 * 2 * math.pi
    assert abs(surface.item() - 2 * math.pi**2) < 1e-2


@pytest.mark.parametrize(
    "make",
    [
        lambda: CircularSplineMap(1),
        lambda: MoebiusMap(0),
        lambda: ProjectionMap(1.0),
        lambda: SphericalCoordinates(1),
        lambda: RecursiveSphere(1),
        lambda: SphereMoebius(0),
        lambda: SpherePush(0),
    ],
)
def test_settings_are_checked(make):
    with pytest.raises(ValueError, match="wanted"):
        make()
