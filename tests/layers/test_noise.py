"""Noise that enters a density, in both directions, against the exact Gaussian."""

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from preimage import Bijection
from preimage.errors import ShapeError
from preimage.layers import (
    Affine,
    AugmentNoise,
    ConditionalGaussianNoise,
    GaussianNoise,
    SliceNoise,
    SurjectiveChain,
)


class _Dense(Bijection):
    """A fixed matrix, y = A x."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = matrix

    def forward_and_log_det(self, x: Tensor, context: object = None) -> tuple[Tensor, Tensor]:
        return x @ self.matrix.T, torch.linalg.slogdet(self.matrix).logabsdet.expand(len(x))

    def inverse_and_log_det(self, y: Tensor, context: object = None) -> tuple[Tensor, Tensor]:
        return torch.linalg.solve(self.matrix, y.T).T, -torch.linalg.slogdet(self.matrix).logabsdet.expand(
            len(y)
        )


class _LinearNoise(nn.Module):
    """Mean w x, fixed log standard deviation."""

    def __init__(self, weight: Tensor, log_scale: float) -> None:
        super().__init__()
        self.weight, self.log_scale = weight, log_scale

    def forward(self, x: Tensor) -> Tensor:
        mean = x @ self.weight
        return torch.cat([mean, torch.full_like(mean, self.log_scale)], dim=1)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


MATRIX = torch.tensor([[1.0, 0.4, -0.3], [0.2, 0.8, 0.5], [0.6, -0.1, 1.2]], dtype=torch.float64)


def _standard(x: Tensor) -> Tensor:
    return MultivariateNormal(torch.zeros(x.shape[1]).double(), torch.eye(x.shape[1]).double()).log_prob(x)


@pytest.mark.shows("3-10")
def test_noise_in_the_generator_gives_the_exact_density() -> None:
    """x = A^-1 [z; e]: log p(x) = log p(z) + log q(e) + log_det, row by row."""
    noise = GaussianNoise(1, deviation=0.5).double()
    chain = SurjectiveChain(_Dense(MATRIX), SliceNoise(2, noise))
    x = torch.randn(20, 3, generator=_generator(), dtype=torch.float64)
    z, weight = chain.forward_and_log_weight(x)
    inverse = torch.linalg.inv(MATRIX)
    spread = torch.diag(torch.cat([torch.ones(2).double(), (2 * noise.log_scale).exp()])).detach()
    exact = MultivariateNormal(torch.zeros(3).double(), inverse @ spread @ inverse.T).log_prob(x)
    assert weight.shape == (20,)
    assert (_standard(z) + weight - exact).abs().max() < 1e-12


@pytest.mark.shows("3-10")
def test_noise_in_the_encoder_is_tight_for_the_posterior_and_a_bound_otherwise() -> None:
    """z = A [x; e]: with q = p(e | x) every single draw gives log p(x) exactly."""
    covariance = torch.linalg.inv(MATRIX.T @ MATRIX)  # of [x; e] when z is standard normal
    x = torch.randn(2000, 2, generator=_generator(), dtype=torch.float64)
    exact = MultivariateNormal(torch.zeros(2).double(), covariance[:2, :2]).log_prob(x)
    weight = torch.linalg.solve(covariance[:2, :2], covariance[:2, 2:])  # (2, 1)
    variance = covariance[2, 2] - (covariance[2:, :2] @ weight).squeeze()
    posterior = ConditionalGaussianNoise(1, _LinearNoise(weight, 0.5 * variance.log().item()))
    tight = SurjectiveChain(AugmentNoise(2, posterior), _Dense(MATRIX))
    z, log_weight = tight.forward_and_log_weight(x, _generator())
    assert (_standard(z) + log_weight - exact).abs().max() < 1e-10
    loose = SurjectiveChain(AugmentNoise(2, GaussianNoise(1).double()), _Dense(MATRIX))
    z, log_weight = loose.forward_and_log_weight(x, _generator())
    assert (_standard(z) + log_weight).mean() < exact.mean() - 0.01


@pytest.mark.shows("3-10", "3-23")
@pytest.mark.parametrize("kind", [AugmentNoise, SliceNoise])
def test_the_other_direction_has_the_opposite_weight_and_recovers_the_noise(kind: type) -> None:
    noise = GaussianNoise(2, 0.3).double()
    layer = kind(3, noise)
    draw = layer.forward_and_log_weight if kind is AugmentNoise else layer.inverse_and_log_weight
    drop = layer.inverse_and_log_weight if kind is AugmentNoise else layer.forward_and_log_weight
    x = torch.randn(6, 3, 4, generator=_generator(), dtype=torch.float64)
    joined, weight = draw(x, _generator())
    back, opposite = drop(joined)
    assert torch.equal(back, x)
    assert torch.equal(weight, -opposite)
    assert torch.equal(joined[:, 3:], noise.sample(x, _generator()))
    wanted = torch.distributions.Normal(0.0, 0.3).log_prob(joined[:, 3:]).sum((1, 2))
    assert torch.allclose(opposite, wanted)


@pytest.mark.shows("3-23")
def test_an_image_from_pure_noise_gives_the_noise_back() -> None:
    """Noise enters before every stage of a generator; encoding finds all of it."""
    layers: list = []
    for channels in (4, 3, 2, 1):
        layers += [Affine(channels + 1), SliceNoise(channels, GaussianNoise(1))]
    net = SurjectiveChain(*layers).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5, generator=_generator())
    z = torch.randn(5, 1, generator=_generator(), dtype=torch.float64)
    x, weight = net.inverse_and_log_weight(z, _generator())
    found, back = net.forward_and_log_weight(x)
    assert (found - z).abs().max() < 1e-12
    assert torch.allclose(back, -weight)


def test_gradients_reach_the_noise() -> None:
    noise = ConditionalGaussianNoise(2, nn.Linear(3, 4))
    y, weight = AugmentNoise(3, noise).forward_and_log_weight(torch.ones(4, 3))
    (y.sum() + weight.sum()).backward()
    assert all(p.grad is not None and p.grad.any() for p in noise.parameters())


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"AugmentNoise.*wanted \(N, 3, \.\.\.\)"):
        AugmentNoise(3, GaussianNoise(1))(torch.ones(2, 4))
    with pytest.raises(ShapeError, match=r"SliceNoise.*wanted \(N, 4, \.\.\.\)"):
        SliceNoise(3, GaussianNoise(1))(torch.ones(2, 3))
    with pytest.raises(ValueError, match="positive"):
        GaussianNoise(1, deviation=0.0)
    with pytest.raises(ValueError, match="channels"):
        GaussianNoise(0)
    with pytest.raises(TypeError, match="wanted bijections"):
        SurjectiveChain(nn.Linear(2, 2))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="no layers"):
        SurjectiveChain()
