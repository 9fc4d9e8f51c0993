"""Whole numbers and categories."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal
from weighed_samples import Function, check_bound, generator

from preimage import Chain
from preimage.errors import DomainError, ShapeError
from preimage.layers import (
    Affine,
    ArgmaxSurjection,
    BinaryArgmaxSurjection,
    ConditionalGaussianNoise,
    Dequantisation,
    ExponentialNoise,
    GaussianNoise,
    GaussianUnitNoise,
    HalfNormalNoise,
    Logit,
    PositiveNoise,
    SurjectiveChain,
    UniformUnitNoise,
    UnitNoise,
    VariationalUnitNoise,
)


def _variational() -> VariationalUnitNoise:
    bijection = Affine(1).double()
    with torch.no_grad():
        for parameter in bijection.parameters():
            parameter.sub_(0.8)  # tails wider than those of the latent, so that the weights have a variance
    return VariationalUnitNoise(bijection)


UNIT = [UniformUnitNoise(), GaussianUnitNoise(0.3).double(), _variational()]


class _Edge(UnitNoise):
    """Always the same u."""

    def __init__(self, u: float) -> None:
        super().__init__()
        self.u = u

    def sample_and_log_prob(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        return torch.full_like(x, self.u), x.new_zeros(len(x))

    def log_prob(self, u: Tensor, x: Tensor) -> Tensor:
        return x.new_zeros(len(x))


def _shift(by: Tensor) -> Chain:
    """y + by, for ``(N, 2, 1)``."""
    layer = Affine(2)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(by if "shift" in name else torch.zeros_like(parameter))
    return Chain(layer)


@pytest.mark.shows("4-3")
@pytest.mark.parametrize("noise", UNIT, ids=lambda noise: type(noise).__name__)
@pytest.mark.parametrize("levels", [2, 5])
def test_dequantisation_bounds_the_probability_of_a_bin(noise: UnitNoise, levels: int) -> None:
    model = SurjectiveChain(Dequantisation(levels, noise), Logit())
    x = torch.arange(levels, dtype=torch.float64)[:, None]
    borders = torch.logit(torch.arange(levels + 1, dtype=torch.float64) / levels)
    exact = Normal(0.3, 1.0).cdf(borders).diff().log()
    assert exact.exp().sum().item() == pytest.approx(1.0)
    check_bound(model, x, exact)


@pytest.mark.shows("4-3")
@pytest.mark.parametrize("noise", UNIT, ids=lambda noise: type(noise).__name__)
def test_unit_noise_is_a_density(noise: UnitNoise) -> None:
    u = ((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000)[:, None]
    x = torch.zeros_like(u)
    assert noise.log_prob(u, x).exp().mean().item() == pytest.approx(1.0, abs=1e-4)
    drawn, log_prob = noise.sample_and_log_prob(x, generator())
    assert torch.allclose(noise.log_prob(drawn, x), log_prob, atol=1e-6)
    empirical = torch.stack([(drawn < edge).double().mean() for edge in (0.25, 0.5, 0.75)])
    cumulated = noise.log_prob(u, x).exp().cumsum(0)[[5000, 10_000, 15_000]] / 20_000
    assert torch.allclose(empirical, cumulated, atol=0.02)
    beyond = torch.tensor([[1.5], [-0.5]], dtype=torch.float64)
    assert noise.log_prob(beyond, x[:2]).tolist() == [-math.inf, -math.inf]


@pytest.mark.shows("4-3")
def test_three_points_have_equal_masses() -> None:
    """Uniform noise on data 1, 2, 5: a density of 1/3 on each bin gives each point its probability of 1/3."""
    surjection = Dequantisation(8)
    x = torch.tensor([[1.0], [2.0], [5.0]], dtype=torch.float64)
    y, weight = surjection.forward_and_log_weight(x, generator())
    density = torch.where(torch.isin(torch.floor(8 * y), x), 8 / 3, 0.0)[:, 0]
    assert torch.allclose(density.log() + weight, torch.tensor(1 / 3, dtype=torch.float64).log().expand(3))


@pytest.mark.parametrize("levels", [2, 3, 10, 100, 255, 256, 65_536])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("u", [0.0, 1e-30, 0.5, 1.0])
def test_rounding_brings_every_level_back(levels: int, dtype: torch.dtype, u: float) -> None:
    """Also where (255 + u) / 256 rounds to 1."""
    surjection = Dequantisation(levels, _Edge(u))
    x = torch.arange(levels)[:, None]
    y, weight = surjection.forward_and_log_weight(x.to(dtype))
    assert (y < 1).all()
    back, opposite = surjection.inverse_and_log_weight(y)
    assert torch.equal(back, x.to(dtype))
    assert torch.equal(weight, -opposite)


def test_bytes_and_other_integers_are_taken() -> None:
    x = torch.randint(0, 256, (2, 3, 4, 4), generator=generator())
    for values in (x.to(torch.uint8), x, x.float(), x.short()):
        y, weight = Dequantisation().forward_and_log_weight(values, generator())
        assert y.dtype == torch.float32
        assert torch.equal(Dequantisation().inverse(y), x.float())
        assert torch.allclose(weight, torch.full((2,), -48 * math.log(256)))
        Logit()(y)  # never on the border
    with pytest.raises(DomainError):
        Dequantisation()(torch.full((1, 1), 256.0))
    with pytest.raises(DomainError):
        Dequantisation()(torch.full((1, 1), 0.5))
    with pytest.raises(DomainError, match=r"\[0, 1\)"):
        Dequantisation().inverse(torch.ones(1, 1))
    with pytest.raises(ShapeError, match="whole numbers"):
        Dequantisation()(torch.ones(1, 1, dtype=torch.bool))
    with pytest.raises(ValueError, match="levels"):
        Dequantisation(1)
    with pytest.raises(ValueError, match="deviation"):
        GaussianUnitNoise(0.0)


def test_argmax_bounds_the_probability_of_a_category() -> None:
    """Two latents N(0.3, 1): either category has probability 1/2; with a shift of one of them another."""
    noise = ConditionalGaussianNoise(2, Function(lambda h: torch.cat([0.8 * h, 0.3 + 0 * h], dim=1)))
    x = torch.tensor([[0], [1]])
    check_bound(ArgmaxSurjection(noise), x, torch.tensor([0.5, 0.5]).log())
    shifted = SurjectiveChain(ArgmaxSurjection(noise), _shift(torch.tensor([0.7, -0.1])))
    chance = Normal(0.0, 1.0).cdf(torch.tensor((0.3 - 0.7 - (0.3 + 0.1)) / math.sqrt(2)))
    check_bound(shifted, x, torch.stack([chance, 1 - chance]).log())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("deviation", [1e-6, 1.0, 1e6])
def test_categories_come_back(dtype: torch.dtype, deviation: float) -> None:
    surjection = ArgmaxSurjection(GaussianNoise(7, deviation).to(dtype))
    x = torch.randint(0, 7, (50, 3, 4), generator=generator())
    y, weight = surjection.forward_and_log_weight(x, generator())
    assert y.shape == (50, 7, 3, 4)
    back, opposite = surjection.inverse_and_log_weight(y)
    assert torch.equal(back, x)
    assert torch.isfinite(weight).all()
    if deviation == 1.0:
        assert torch.allclose(opposite, -weight, rtol=1e-3 if dtype == torch.float32 else 1e-9)


def test_binary_argmax_bounds_the_probability_of_a_code() -> None:
    """Every digit of the latent N(0.3, 1) is 1 with the same probability, independently."""
    sizes = Function(lambda signs: 0.2 + 0.1 * signs)
    model = BinaryArgmaxSurjection(HalfNormalNoise(2, conditioner=sizes))
    one = Normal(0.0, 1.0).cdf(torch.tensor(0.3))
    exact = torch.stack([(1 - one) * (1 - one), one * (1 - one), one * one]).log()
    check_bound(model, torch.tensor([[0], [1], [3]]), exact)


@pytest.mark.parametrize("kind", [HalfNormalNoise, ExponentialNoise])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e6])
def test_codes_come_back(kind: type[PositiveNoise], scale: float) -> None:
    surjection = BinaryArgmaxSurjection(kind(9, scale))
    x = torch.randint(0, 512, (40, 2, 3), generator=generator())
    y, weight = surjection.forward_and_log_weight(x, generator())
    back, opposite = surjection.inverse_and_log_weight(y)
    assert torch.equal(back, x)
    assert torch.allclose(opposite, -weight)
    with pytest.raises(DomainError, match="between 0 and 511"):
        surjection(torch.tensor([[512]]))
    with pytest.raises(ShapeError, match="whole numbers"):
        surjection(torch.ones(2, 2))


def test_what_argmax_refuses() -> None:
    surjection = ArgmaxSurjection(GaussianNoise(3))
    with pytest.raises(ShapeError, match="whole numbers"):
        surjection(torch.ones(2, 2))
    with pytest.raises(DomainError, match="between 0 and 2"):
        surjection(torch.tensor([[3]]))
    with pytest.raises(ShapeError):
        surjection.inverse(torch.ones(2, 4))
