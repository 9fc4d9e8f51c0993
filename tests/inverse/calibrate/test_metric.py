"""The spectrum of errors as a matrix."""

import pytest
import torch

from preimage.inverse.calibrate import Spectrum


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(apply, shape):
    eye = torch.eye(torch.Size(shape).numel(), dtype=torch.float64).view(-1, *shape)
    return apply(eye).flatten(1).T


@pytest.mark.parametrize("shape", [(3, 4, 6), (2, 5)])
def test_root_and_its_transpose_are_adjoint_and_make_the_matrix(shape):
    metric = Spectrum.of_errors(normal(8, *shape))
    root, transpose = dense(metric.root, shape), dense(metric.root_transpose, shape)
    torch.testing.assert_close(transpose, root.T)
    torch.testing.assert_close(dense(metric, shape), root @ root.T)


def test_covariance_of_vectors_is_kept():
    a = normal(4, 4)
    metric = Spectrum.of_covariance(a @ a.T)
    torch.testing.assert_close(dense(metric, (4,)), a @ a.T)


def test_white_errors_have_a_flat_spectrum_of_their_variance():
    metric = Spectrum.of_errors(3 * normal(1000, 2, 16, 16))
    assert (metric.gain / 3 - 1).abs().max() < 0.1


def test_smooth_errors_weigh_low_frequencies_more():
    coarse = torch.nn.functional.interpolate(normal(40, 1, 4, 4), size=(16, 16), mode="bilinear")
    gain = Spectrum.of_errors(coarse).gain[0]
    assert gain[0, 1] > 5 * gain[8, 8]


def test_power_keeps_the_mean_variance():
    metric = Spectrum.of_errors(normal(8, 2, 8, 8).cumsum(3))
    half = metric.power(0.5)
    torch.testing.assert_close(half.gain.square().mean(), metric.gain.square().mean())
    torch.testing.assert_close(metric.power(1.0).gain, metric.gain)
    assert half.gain.max() / half.gain.min() < metric.gain.max() / metric.gain.min()


def test_texture_has_the_variance_of_the_error_and_no_sample_differs():
    metric = Spectrum.of_errors(2 * normal(40, 3, 16, 16))
    texture = metric.texture(torch.zeros(5, 3, 16, 16, dtype=torch.float64))
    assert torch.equal(texture[0], texture[4])
    assert texture.square().mean() == pytest.approx(4, rel=0.15)
