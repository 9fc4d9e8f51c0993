"""Metrics against scipy and against direct formulas."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from preimage import gallery
from preimage.errors import ShapeError


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(3)
    a = torch.rand(2, 3, 24, 31, generator=generator)
    return a, (a + 0.2 * torch.randn(a.shape, generator=generator)).clamp(0, 1)


def test_psnr_is_the_formula(pair):
    a, b = pair
    wanted = [
        10 * math.log10(1 / float(np.mean((x - y) ** 2))) for x, y in zip(a.numpy(), b.numpy(), strict=True)
    ]
    assert gallery.psnr(a, b).tolist() == pytest.approx(wanted, rel=1e-5)


def test_psnr_of_equal_pictures_is_capped(pair):
    assert gallery.psnr(pair[0], pair[0]).tolist() == pytest.approx([140.0, 140.0])


def test_ssim_equals_gaussian_filters_of_scipy(pair):
    def mean(plane):  # deviation 1.5, window of 11, only where it fits
        return gaussian_filter(plane, 1.5, truncate=3.5)[5:-5, 5:-5]

    def plane_ssim(x, y):
        mx, my = mean(x), mean(y)
        vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        return ((2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))).mean()

    a, b = pair[0].double(), pair[1].double()
    pictures = zip(a.numpy(), b.numpy(), strict=True)
    planes = [[plane_ssim(x, y) for x, y in zip(p, q, strict=True)] for p, q in pictures]
    assert gallery.ssim(a, b).tolist() == pytest.approx(np.mean(planes, axis=1), rel=1e-9)


def test_ssim_is_the_formula_for_one_window():
    generator = torch.Generator().manual_seed(4)
    a, b = torch.rand(2, 1, 1, 11, 11, generator=generator, dtype=torch.double)
    grid = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    w = np.outer(grid, grid) / grid.sum() ** 2
    x, y = a[0, 0].numpy(), b[0, 0].numpy()
    mx, my = (w * x).sum(), (w * y).sum()
    vx, vy, vxy = (w * (x - mx) ** 2).sum(), (w * (y - my) ** 2).sum(), (w * (x - mx) * (y - my)).sum()
    wanted = (2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert float(gallery.ssim(a, b)) == pytest.approx(wanted, rel=1e-9)


def test_ssim_refuses_tiny_pictures():
    with pytest.raises(ShapeError, match="11 x 11"):
        gallery.ssim(torch.zeros(1, 3, 10, 20), torch.zeros(1, 3, 10, 20))


def test_shapes_must_agree(pair):
    with pytest.raises(ShapeError, match="one shape"):
        gallery.psnr(pair[0], pair[1][:1])
    with pytest.raises(ShapeError, match="wanted"):
        gallery.feature_error(torch.zeros(1, 2), torch.zeros(1, 3))


def test_pairwise_distance_is_the_mean_over_pairs(pair):
    three = torch.cat([pair[0], pair[1][:1]]).flatten(1).numpy()
    pairs = [np.linalg.norm(three[i] - three[j]) for i in range(3) for j in range(i)]
    assert gallery.pairwise_distance(torch.from_numpy(three)) == pytest.approx(np.mean(pairs), rel=1e-6)
    assert gallery.pairwise_distance(pair[0][:1]) is None


@pytest.mark.parametrize("shape", [(2, 5, 4, 3), (2, 5, 7), (2, 5), (2, 5, 1, 1)])
def test_feature_error_of_the_mean_is_one(shape):
    y = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    axes = tuple(range(2, len(shape))) if y[0, 0].numel() > 1 else (1,)
    mean = y.mean(axes, keepdim=True).expand_as(y)
    assert gallery.feature_error(mean, y).tolist() == pytest.approx([1.0, 1.0], rel=1e-5)
    assert gallery.feature_error(y, y).tolist() == [0.0, 0.0]
    halfway = gallery.feature_error((mean + y) / 2, y)
    assert halfway.tolist() == pytest.approx([0.5, 0.5], rel=1e-5)


def test_shrink_and_enlarge_keeps_what_is_smooth():
    ramp = torch.linspace(0, 1, 32).expand(1, 3, 32, 32)
    smooth = gallery.shrink_and_enlarge(ramp, (16, 16))
    assert float((smooth - ramp).abs().max()) < 0.02
    noise = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert float(gallery.psnr(noise, gallery.shrink_and_enlarge(noise, (8, 8)))) < 12


def test_shrinking_to_the_own_size_changes_nothing():
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(gallery.shrink_and_enlarge(x, (16, 16)), x, atol=1e-6)


def test_mean_colour_is_the_best_flat_picture():
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    best = float(gallery.psnr(x, gallery.mean_colour(x)))
    assert best > float(gallery.psnr(x, gallery.mean_colour(x) + 0.01))
    assert best > float(gallery.psnr(x, gallery.mean_colour(x) - 0.01))
