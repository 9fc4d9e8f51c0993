"""The decoder against dense regression, known optima, and its own promises."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from preimage.errors import DomainError, NonFiniteError, ShapeError
from preimage.inverse.calibrate import Decoder, DecoderFit


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def fitted(x, y, group, ridge=None, **limits):
    fit = DecoderFit(x.shape[1:], y.shape[1:], **limits)
    fit.update(x, y, group)
    return fit.solve(ridge)


def numpy_ridge(y, x, ridge):
    y, x = y.numpy(), x.numpy()
    centred = y - y.mean(0)
    c_yy = centred.T @ centred / len(y)
    scale = np.trace(c_yy) / len(c_yy)
    weight = np.linalg.solve(c_yy + ridge * scale * np.eye(len(c_yy)), centred.T @ (x - x.mean(0)) / len(y))
    return x.mean(0) + centred @ weight


@pytest.mark.parametrize("ridge", [1e-6, 0.3, 10.0])
def test_vector_decoder_is_the_dense_ridge_regression(ridge):
    x = normal(200, 5)
    y = x @ normal(5, 7, seed=1) + 0.3 * normal(200, 7, seed=2)
    decoder = fitted(x, y, torch.arange(200) // 20, ridge)
    np.testing.assert_allclose(decoder(y).numpy(), numpy_ridge(y, x, ridge), atol=1e-9)


def test_map_decoder_is_the_dense_regression_of_windows_on_blocks():
    x = normal(6, 3, 12, 8)
    y = functional.conv2d(x, normal(4, 3, 2, 2, seed=1), stride=2).tanh()  # (6, 4, 6, 4)
    decoder = fitted(x, y, torch.arange(6), 1e-3, total_regressors=36)
    assert decoder.windows.size == 3
    padded = np.pad(y.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    rows = [
        padded[n, :, i : i + 3, j : j + 3].reshape(-1) for n in range(6) for i in range(6) for j in range(4)
    ]
    blocks = [
        x[n, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].reshape(-1)
        for n in range(6)
        for i in range(6)
        for j in range(4)
    ]
    wanted = numpy_ridge(torch.tensor(np.array(rows)), torch.stack(blocks), 1e-3)
    wanted = wanted.reshape(6, 6, 4, 3, 2, 2).transpose(0, 3, 1, 4, 2, 5).reshape(6, 3, 12, 8)
    np.testing.assert_allclose(decoder(y).numpy(), wanted, atol=1e-11, rtol=0)


def test_streaming_equals_one_batch():
    x = normal(24, 2, 10)
    y = functional.conv1d(x, normal(5, 2, 2, seed=1), stride=2).relu()
    group = torch.arange(24) // 3
    whole, parts = fitted(x, y, group), DecoderFit((2, 10), (5, 5))
    for start in range(0, 24, 5):
        parts.update(x[start : start + 5], y[start : start + 5], group[start : start + 5])
    torch.testing.assert_close(parts.solve()(y), whole(y), atol=1e-9, rtol=0)


def test_error_on_a_gaussian_toy_is_the_lmmse_bound():
    a, noise = normal(3, 6, seed=1), 0.5
    x = normal(24000, 6)
    y = x @ a.T + noise * normal(24000, 3, seed=2)
    decoder = fitted(x[:20000], y[:20000], torch.arange(20000) // 1000)
    bound = 6 - torch.trace(a.T @ torch.linalg.inv(a @ a.T + noise**2 * torch.eye(3)) @ a)
    error = (decoder(y[20000:]) - x[20000:]).square().sum(1).mean()
    assert abs(error / bound - 1) < 0.02
    assert abs(torch.trace(decoder.error_covariance) / bound - 1) < 0.02


def test_ridge_to_zero_recovers_the_input_of_an_invertible_linear_map():
    x = normal(40, 3, 8, 8)
    matrix = normal(12, 12, seed=1)
    y = functional.conv2d(functional.pixel_unshuffle(x, 2), matrix[:, :, None, None])
    decoder = fitted(x, y, torch.arange(40) // 4)
    torch.testing.assert_close(decoder(y), x, atol=1e-6, rtol=0)


def test_what_the_features_do_not_predict_shrinks_to_the_mean():
    x, y = normal(60, 3, 4, 4) + 2, normal(60, 2, 2, 2, seed=1)
    decoder = fitted(x, y, torch.arange(60) // 6)
    mean_error = (x - x.mean()).square().mean()
    assert (decoder(normal(60, 2, 2, 2, seed=2)) - x).square().mean() < 1.05 * mean_error


def test_the_ridge_is_chosen_on_other_groups_and_not_on_other_rows():
    # Within a group, y reveals which picture it is; across groups it says nothing.
    name, x = normal(8, 8), normal(8, 3, seed=1)
    group = torch.arange(8).repeat_interleave(20)
    y, x = name[group] + 0.01 * normal(160, 8, seed=2), x[group]
    honest = fitted(x, y, group)
    fooled = fitted(x, y, torch.arange(160))
    assert honest.ridges.min() > 100 * fooled.ridges.min()
    assert torch.trace(honest.error_covariance) > 5 * torch.trace(fooled.error_covariance)


@pytest.mark.parametrize(
    ("input_shape", "tap_shape"),
    [
        ((7,), (3,)),
        ((2, 9), (4, 4)),
        ((1, 9, 7), (2, 4, 3)),
        ((2, 4, 4), (3, 8, 8)),
        ((2, 6, 6), (11,)),
        ((5,), (2, 3, 3)),
        ((1, 5, 5), (6, 1, 1)),
        ((1, 2, 4, 4), (3, 2, 2, 2)),
        ((1, 9, 9), (2, 1, 9)),
    ],
)
def test_every_pair_of_shapes_is_decoded_better_than_by_the_mean(input_shape, tap_shape):
    x = normal(64, *input_shape)
    flat = x.flatten(1).repeat(1, 1 + torch.Size(tap_shape).numel() // x[0].numel())
    y = flat[:, : torch.Size(tap_shape).numel()].reshape(64, *tap_shape)
    found = fitted(x, y, torch.arange(64) // 4)(y)
    assert found.shape == x.shape
    assert (found - x).square().mean() < x.var() * 1.02


def test_blocks_of_a_grid_that_does_not_divide_are_laid_back_exactly():
    grid = DecoderFit((2, 11, 7), (3, 4, 3)).grid
    x = normal(2, 2, 11, 7)
    assert torch.equal(grid.assemble(grid.blocks(x)), x)


def test_very_wide_features_are_regressed_in_their_dual_form():
    x, y = normal(40, 3), normal(40, 300, seed=1)
    y[:, :3] += 4 * x
    decoder = fitted(x, y, torch.arange(40), 0.5, total_regressors=100)
    centred, scale = y - y.mean(0), y.var(0, correction=0).sum()
    gram = centred @ centred.T / 40
    alpha = torch.linalg.solve(gram + 0.5 * scale / 40 * torch.eye(40), x - x.mean(0)) / 40
    dual = x.mean(0) + centred @ centred.T @ alpha
    torch.testing.assert_close(decoder(y), dual, atol=1e-6, rtol=0)


def test_a_saved_decoder_answers_the_same():
    x, y = normal(12, 3, 9, 9, dtype=torch.float32), normal(12, 5, 4, 4, seed=1, dtype=torch.float32)
    decoder = fitted(x, y, torch.arange(12))
    again = Decoder.from_state(decoder.state_dict())
    assert torch.equal(again(y[:1]), decoder(y[:1]))
    assert torch.equal(again.metric.root(x), decoder.metric.root(x))


def test_linear_part_is_the_estimate_without_its_offset():
    x, y = normal(20, 3, 4, 4), normal(20, 5, 2, 2, seed=1)
    decoder = fitted(x, y, torch.arange(20))
    difference = decoder(y[:4] + y[4:8]) - decoder(y[:4])
    torch.testing.assert_close(decoder.linear(y[4:8]), difference)


def test_bad_input_is_named():
    fit = DecoderFit((4,), (2,))
    with pytest.raises(ShapeError, match="update wants x"):
        fit.update(torch.zeros(3, 4), torch.zeros(3, 3), [0, 1, 2])
    with pytest.raises(NonFiniteError):
        fit.update(torch.full((2, 4), torch.nan), torch.zeros(2, 2), [0, 1])
    fit.update(torch.zeros(3, 4), torch.zeros(3, 2), [0, 0, 0])
    with pytest.raises(DomainError, match="two groups"):
        fit.solve()
    fit.update(torch.ones(1, 4), torch.ones(1, 2), [1])
    with pytest.raises(ShapeError, match="reads features"):
        fit.solve()(torch.zeros(1, 5))
    with pytest.raises(DomainError, match="no pictures"):
        DecoderFit((4,), (2,)).solve(1e-3)
