"""Affine map and saturation as one: answers and, above all, certificates are compared with the truth."""

import math

import pytest
import torch

from preimage.errors import DomainError, ShapeError
from preimage.inverse import linear as li
from preimage.inverse.solvers import Prior, Saturation, pseudo_inverse, saturation_inverse
from preimage.inverse.solvers.linear_systems.normal_equations import solve_masked
from preimage.inverse.solvers.saturated.regions import MaskedRows, PerPosition, WindowConsensus


def _random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _expansion(inside=8, ratio=4, size=(5, 5), seed=0):
    weight = _random(inside * ratio, inside, 1, 1, seed=seed)
    offset = _random(inside * ratio, 1, 1, seed=seed + 1) - 0.5
    return li.AffineMap(li.Convolution(weight, (inside, *size)), offset)


def _stem(size=(12, 10), out=16, seed=0, padding=((0, 1), (0, 1))):
    weight = _random(out, 3, 3, 3, seed=seed)
    return li.AffineMap(li.Convolution(weight, (3, *size), 2, padding), _random(out, 1, 1, seed=seed + 1))


def _relative(x, truth):
    return (x - truth).norm(dim=1) / truth.norm(dim=1)


def test_masked_systems_agree_with_dense_least_squares():
    matrix, mask = _random(9, 4), torch.rand(50, 9, generator=torch.Generator().manual_seed(1)) > 0.5
    target = _random(50, 9, seed=2)
    solved = solve_masked(matrix, mask, target)
    for i in range(50):
        rows = matrix[mask[i]]
        want = torch.linalg.pinv(rows) @ target[i][mask[i]]
        assert torch.allclose(solved.x[i], want, atol=1e-8)
        assert solved.rank[i] == torch.linalg.matrix_rank(rows)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_expansions_are_recovered_where_the_certificate_says_so(dtype):
    affine = _expansion(ratio=3)
    x = _random(6, 8, 5, 5, seed=3)
    y = affine.apply(x.to(dtype)).clamp(0, 2)
    found = saturation_inverse(affine, Saturation(0, 2))(y)
    error = _relative(found.x.double(), x)
    assert isinstance(saturation_inverse(affine), PerPosition)
    assert 0.02 < found.exact.double().mean() < 0.98  # the example holds both kinds of positions
    assert (error[found.exact] <= 1e-5).all()
    assert (found.nullity[found.exact] == 0).all()
    assert found.certificate.ok
    assert torch.allclose(affine.apply(found.x.double()).clamp(0, 2), y.double(), atol=1e-4)


def test_nullity_is_that_of_the_active_rows():
    affine = _expansion(ratio=2)
    y = affine.apply(_random(2, 8, 5, 5)).clamp(0, 2)
    found = saturation_inverse(affine, Saturation(0, 2))(y)
    weight = affine.linear.weight.flatten(1)
    for n, h, w in ((0, 0, 0), (0, 3, 4), (1, 2, 2), (1, 4, 0)):
        active = (y[n, :, h, w] > 0) & (y[n, :, h, w] < 2)
        assert found.nullity[n, h, w] == 8 - torch.linalg.matrix_rank(weight[active])


@pytest.mark.parametrize("seed", range(12))
def test_certificate_is_never_wrong_on_ill_conditioned_or_contradictory_outputs(seed):
    generator = torch.Generator().manual_seed(seed)
    inside = 6
    scales = torch.logspace(0, -seed / 2, inside, dtype=torch.float64)  # condition up to 10^5.5
    weight = _random(4 * inside, inside, seed=seed) * scales
    affine = li.AffineMap(li.Dense(weight, (40, inside)), _random(4 * inside, seed=seed + 50))
    x = torch.randn(5, 40, inside, dtype=torch.float64, generator=generator)
    for noise in (0.0, 1e-6, 1e-3):
        y = affine.apply(x.float()).relu()
        y = y + noise * torch.randn(y.shape, generator=generator) * (y > 0)
        found = saturation_inverse(affine)(y)
        error = (found.x.double() - x).norm(dim=-1) / x.norm(dim=-1)
        assert (error[found.exact] <= 1e-5).all()


def test_outputs_that_contradict_each_other_are_not_certified():
    affine = _expansion(ratio=4)
    y = affine.apply(_random(1, 8, 5, 5)).relu() + 0.1
    found = saturation_inverse(affine)(y)
    assert not found.exact.any()
    assert not found.certificate.ok


def test_open_directions_respect_the_inequalities_and_the_box():
    affine = _expansion(inside=8, ratio=2)
    x = _random(3, 8, 5, 5, seed=4).clamp(-0.5, 0.5)
    y = affine.apply(x).clamp(0, 1)
    found = saturation_inverse(affine, Saturation(0, 1, box=(-0.5, 0.5)))(y)
    again = affine.apply(found.x).clamp(0, 1)
    assert (found.nullity > 0).any()
    assert torch.allclose(again, y, atol=1e-6)
    assert found.x.abs().max() <= 0.5 + 1e-3


def test_the_prior_fills_open_directions_by_gaussian_conditioning():
    matrix = _random(2, 4)
    affine = li.Dense(matrix)
    root = _random(4, 4, seed=1)
    prior = Prior(_random(4, seed=2), root @ root.T + torch.eye(4))
    x = _random(1, 4, seed=3)
    found = saturation_inverse(affine, Saturation(-math.inf, math.inf, prior=prior))(x @ matrix.T)
    gain = prior.covariance @ matrix.T @ torch.linalg.inv(matrix @ prior.covariance @ matrix.T)
    want = prior.mean + (x - prior.mean) @ matrix.T @ gain.T
    assert torch.allclose(found.x, want, atol=1e-8)
    assert found.nullity.item() == 2


def test_groups_and_disjoint_windows():
    weight = _random(24, 2, 2, 2)
    affine = li.AffineMap(li.Convolution(weight, (4, 6, 8), 2, groups=2), _random(24, 1, 1))
    x = _random(3, 4, 6, 8, seed=3)
    found = saturation_inverse(affine, Saturation(-5, 5))(affine.apply(x).clamp(-5, 5))
    patches = ((found.x - x) ** 2).unflatten(2, (3, 2)).unflatten(4, (4, 2)).sum((1, 3, 5)).sqrt()
    assert found.exact.any()
    assert (patches[found.exact] < 1e-6).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_overlapping_windows_are_recovered_where_certified(dtype):
    stem = _stem(out=40)
    dark = torch.zeros(40, 6, 5, dtype=torch.float64)
    dark[:, :3] = -100  # the upper half is saturated throughout
    affine = li.AffineMap(stem.linear, stem.offset + dark)
    x = _random(3, 3, 12, 10, seed=5).clamp(-1, 1)
    y = affine.apply(x.to(dtype)).clamp(0, 6)
    inverse = saturation_inverse(affine, Saturation(0, 6))
    found = inverse(y)
    windows = li.Convolution(torch.ones(1, 3, 3, 3, dtype=torch.float64), (3, 12, 10), 2, ((0, 1), (0, 1)))
    error = (windows.apply((found.x.double() - x) ** 2) / windows.apply(x**2)).sqrt()[:, 0]
    assert isinstance(inverse, WindowConsensus)
    assert found.exact[:, 4:].double().mean() > 0.5
    assert not found.exact[:, :3].any()
    assert (error[found.exact] <= 1e-5).all()
    assert found.certificate.ok


@pytest.mark.parametrize("route", [WindowConsensus, MaskedRows])
@pytest.mark.parametrize("out", [4, 9, 40])
def test_overlapping_certificates_agree_with_the_dense_rank(route, out):
    affine = _stem((6, 6), out, padding=((1, 0), (0, 1)))
    x = _random(1, 3, 6, 6, seed=out)
    y = affine.apply(x).clamp(0, 6)
    found = route(affine, Saturation(0, 6))(y)
    rows = affine.linear.dense()[((y > 0) & (y < 6)).flatten()]
    null = torch.linalg.svd(rows).Vh[torch.linalg.matrix_rank(rows) :]  # (k, 108)
    if route is MaskedRows:
        assert not (found.exact.item() and null.shape[0])
        return
    window = li.Convolution(torch.ones(1, 3, 3, 3, dtype=torch.float64), (3, 6, 6), 2, ((1, 0), (0, 1)))
    seen = window.apply(null.view(-1, 3, 6, 6) ** 2).sum(0)[0] > 1e-8 if null.shape[0] else None
    open_ = torch.zeros(3, 3, dtype=torch.bool) if seen is None else seen
    assert not ((found.nullity[0] == 0) & open_).any()
    assert not (found.exact[0] & open_).any()
    assert bool(found.exact.all()) == (out == 40)


@pytest.mark.parametrize("route", [WindowConsensus, MaskedRows])
def test_broken_inequalities_are_added(route):
    affine = _stem((8, 8), 6)
    y = affine.apply(_random(1, 3, 8, 8)).relu()
    found = route(affine, Saturation())(y, tolerance=1e-4)
    equations_only = route(affine, Saturation())
    equations_only.rounds = 0
    assert found.certificate.ok
    assert not equations_only(y, tolerance=1e-4).certificate.ok


def test_saturation_is_not_the_identity():
    """The obvious chain, which reads saturated outputs as equations, is far off where the region is exact."""
    affine = _stem(out=40)
    x = _random(1, 3, 12, 10, seed=5).clamp(-1, 1)
    y = affine.apply(x).clamp(0, 6)
    naive = pseudo_inverse(affine).solve(y)
    found = saturation_inverse(affine, Saturation(0, 6))(y)
    assert found.exact.all()
    assert (found.x - x).abs().max() < 1e-7
    assert (naive - x).norm() > 0.2 * x.norm()


@pytest.mark.shows("0-5")
def test_relu_alone_returns_a_preimage_of_every_output_in_its_range():
    y = _random(2, 5).relu()
    found = saturation_inverse(li.Identity((5,)))(y)
    assert torch.allclose(found.x.relu(), y)
    assert found.certificate.ok
    assert not saturation_inverse(li.Identity((5,)))(y - 1).certificate.ok
    assert (saturation_inverse(li.Identity((5,)))(y - 1).certificate.domain_violation > 0.5).all()


def test_changed_weights_are_seen():
    affine = _expansion(ratio=6)
    inverse = saturation_inverse(affine)
    x = _random(1, 8, 5, 5)
    inverse(affine.apply(x).relu())
    affine.linear.weight.mul_(2)
    found = inverse(affine.apply(x).relu())
    assert (_relative(found.x, x)[found.exact] < 1e-8).all()
    assert found.exact.double().mean() > 0.5


@pytest.mark.parametrize("affine", [_expansion(), _stem(), li.Identity((3,))])
def test_an_empty_batch_gives_an_empty_answer(affine):
    found = saturation_inverse(affine)(torch.zeros(0, *affine.out_shape))
    assert found.x.shape == (0, *affine.in_shape)
    assert len(found.certificate) == 0


@pytest.mark.parametrize("affine", [_expansion(), _stem(), li.Identity((3,))])
def test_not_a_number_is_never_certified(affine):
    y = torch.ones(1, *affine.out_shape)
    y.view(-1)[0] = math.nan
    found = saturation_inverse(affine)(y)
    assert not found.certificate.ok


@pytest.mark.parametrize("affine", [_expansion(), _stem()])
def test_fully_saturated_outputs_leave_everything_open(affine):
    found = saturation_inverse(affine)(torch.zeros(1, *affine.out_shape))
    assert not found.exact.any()
    assert (found.nullity != 0).all()
    assert found.x.isfinite().all()


def test_answers_do_not_touch_the_global_random_state():
    state = torch.get_rng_state()
    saturation_inverse(_stem())(torch.ones(1, 16, 6, 5))
    assert torch.equal(state, torch.get_rng_state())


def test_bad_arguments():
    with pytest.raises(DomainError, match="low < high"):
        Saturation(1, 0)
    with pytest.raises(ShapeError, match="takes a tensor"):
        saturation_inverse(_stem())(torch.ones(1, 3, 6, 5))
