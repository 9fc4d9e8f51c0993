"""The whitening norm: its first batch, shrinkage, odd data; and composed maps."""

import copy
import math

import pytest
import torch
from torch import Tensor

from preimage.errors import NonFiniteError, NotInvertibleError
from preimage.layers import (
    AdaptiveWhitening,
    AffineMap,
    ComposedMap,
    FrozenLinear,
    RationalQuadraticMap,
    WhiteningNorm,
)
from preimage.layers.norm.whitening_norm import best_share, shrunk


def mixed(rows: int, features: int) -> Tensor:
    """Rows of a normal distribution with a dense covariance."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(features, features, generator=generator, dtype=torch.float64)
    return 3 + torch.randn(rows, features, generator=generator, dtype=torch.float64) @ mixing


def test_first_batch_is_white_and_later_ones_change_nothing():
    layer, x = WhiteningNorm(4).double(), mixed(20_000, 4)
    y = layer(x)
    assert y.mean(0).abs().max() < 1e-12
    assert (torch.cov(y.detach().mT) - torch.eye(4)).abs().max() < 0.05  # shrinkage is small, not zero
    again = layer(x + 5)
    torch.testing.assert_close(again - y, layer(x + 5) - layer(x))
    assert (again - y).abs().max() > 0.1


def test_agrees_with_a_dense_cholesky_factor():
    layer, x = WhiteningNorm(4).double(), mixed(200, 4)
    y, log_det = layer.forward_and_log_det(x)
    covariance = torch.cov(x.mT, correction=0)
    deviation = covariance.diagonal().sqrt()
    pairs = deviation * deviation[:, None]
    halves = [torch.cov(half.mT, correction=0) / pairs for half in (x[::2], x[1::2])]
    wanted = shrunk(covariance / pairs, best_share(*halves))
    factor = torch.linalg.cholesky(wanted * pairs)
    dense = torch.linalg.solve(factor, (x - x.mean(0)).mT).mT
    torch.testing.assert_close(y, dense)
    torch.testing.assert_close(log_det, -factor.diagonal().log().sum().expand(200))


def test_density_of_normal_data_is_that_of_the_fitted_normal():
    x = mixed(5000, 6)
    layer = WhiteningNorm(6).double()
    z, log_det = layer.forward_and_log_det(x)
    log_prob = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) + log_det
    exact = torch.distributions.MultivariateNormal(x.mean(0), torch.cov(x.mT)).log_prob(x)
    assert abs((log_prob - exact).mean()) < 2e-3


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_fewer_rows_than_features(rows):
    layer = WhiteningNorm(8).double()
    x = mixed(rows, 8)
    y, log_det = layer.forward_and_log_det(x)
    assert y.isfinite().all()
    assert log_det.isfinite().all()
    torch.testing.assert_close(layer.inverse(y), x)


def test_columns_that_repeat_and_columns_that_never_change():
    x = mixed(300, 3).float()
    x = torch.cat([x, x[:, :1], torch.full((300, 1), 7.0)], dim=1)
    layer = WhiteningNorm(5)
    y = layer(x)
    assert y.isfinite().all()
    assert y[:, 4].abs().max() == 0
    torch.testing.assert_close(layer.inverse(y), x, rtol=1e-4, atol=1e-3)


def test_the_share_is_the_likeliest_to_the_other_half():
    x = torch.randn(60, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, second = x[::2], x[1::2]
    share = best_share(torch.cov(first.mT, correction=0), torch.cov(second.mT, correction=0))
    scored = {}
    for candidate in (1e-3, 0.03, 0.3, share.item()):
        matrix = (1 - candidate) * torch.cov(first.mT, correction=0) + candidate * torch.eye(20)
        normal = torch.distributions.MultivariateNormal(second.mean(0), matrix)
        scored[candidate] = normal.log_prob(second).mean().item()
    assert max(scored, key=scored.__getitem__) == share.item()
    assert share > 0.3  # there is nothing but noise


def test_many_rows_are_hardly_shrunk():
    x = mixed(4000, 4)
    halves = [torch.corrcoef(half.mT) for half in (x[::2], x[1::2])]
    assert best_share(*halves) < 3e-3


@pytest.mark.parametrize("layer", [WhiteningNorm(3), AdaptiveWhitening(3)])
def test_frozen_it_is_the_same_map(layer):
    layer = layer.double()
    layer(mixed(300, 3))
    layer.eval()
    x = mixed(5, 3) - 2
    frozen = FrozenLinear(layer)
    for got, want in zip(frozen.forward_and_log_det(x), layer.forward_and_log_det(x), strict=True):
        torch.testing.assert_close(got, want)
    torch.testing.assert_close(frozen.inverse(frozen(x)), x)


def test_not_finite_data_are_refused():
    with pytest.raises(NonFiniteError, match="clean"):
        WhiteningNorm(2)(torch.tensor([[1.0, math.nan], [0.0, 1.0]]))


def test_inverse_waits_for_the_first_batch():
    layer = WhiteningNorm(3)
    with pytest.raises(NotInvertibleError, match="first batch"):
        layer.inverse(torch.zeros(2, 3))
    assert torch.equal(layer.eval().inverse(torch.ones(2, 3)), torch.ones(2, 3))
    layer.train().settle()
    assert torch.equal(layer(torch.ones(2, 3)), torch.ones(2, 3))


def test_saved_and_copied_layers_are_ready():
    layer = WhiteningNorm(3)
    layer(mixed(50, 3).float())
    fresh = WhiteningNorm(3)
    fresh.load_state_dict(layer.state_dict())
    x = mixed(5, 3).float() + 9
    for other in (fresh, copy.deepcopy(layer)):
        assert torch.equal(other(x), layer(x))


def test_pictures_share_the_map_at_every_position():
    layer = WhiteningNorm(3).double()
    x = mixed(400, 3).reshape(4, 10, 10, 3).movedim(-1, 1)
    y, log_det = layer.forward_and_log_det(x)
    rows = y.movedim(1, -1).reshape(-1, 3)
    assert (torch.cov(rows.detach().mT) - torch.eye(3)).abs().max() < 0.05
    single = layer.forward_and_log_det(x[:, :, 0, 0])[1]
    torch.testing.assert_close(log_det, 100 * single)


class TestComposedMap:
    def test_is_one_map_after_the_other(self):
        first, second = AffineMap(), RationalQuadraticMap(bins=4)
        both = ComposedMap(first, second)
        x, raw = torch.randn(50), torch.randn(50, both.count)
        middle, one = first.forward_elements(x, raw[:, :2])
        wanted, two = second.forward_elements(middle, raw[:, 2:])
        y, log_slope = both.forward_elements(x, raw)
        torch.testing.assert_close((y, log_slope), (wanted, one + two))
        back, minus = both.inverse_elements(y, raw)
        torch.testing.assert_close((back, minus), (x, -log_slope), rtol=1e-4, atol=1e-4)

    def test_zeros_are_the_identity(self):
        both = ComposedMap(AffineMap(), RationalQuadraticMap(bins=4))
        x = torch.linspace(-9, 9, 7)
        torch.testing.assert_close(both.forward_elements(x, torch.zeros(7, both.count))[0], x)

    def test_none_is_refused(self):
        with pytest.raises(ValueError, match="one or more"):
            ComposedMap()
