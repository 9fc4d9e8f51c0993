"""Surjections: densities, bounds, ways back."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import LogNormal, Normal
from weighed_samples import Function, check_bound, generator, normal

from preimage.errors import DomainError, ShapeError
from preimage.layers import (
    AbsoluteValueSurjection,
    Affine,
    ArgmaxSurjection,
    Ascending,
    AugmentNoise,
    BinaryArgmaxSurjection,
    ConditionalGaussianNoise,
    Dequantisation,
    Exp,
    ExponentialNoise,
    GaussianNoise,
    GaussianUnitNoise,
    HalfNormalNoise,
    MaxPoolSurjection,
    PositiveNoise,
    ReLUSurjection,
    SliceNoise,
    SortSurjection,
    Surjection,
    SurjectiveChain,
    VariationalUnitNoise,
)


def _log_prob(model: Surjection, x: Tensor) -> Tensor:
    y, weight = model.forward_and_log_weight(x)
    return normal(y) + weight


def _grid(low: float, high: float, count: int) -> tuple[Tensor, float]:
    """All pairs of midpoints ``(count^2, 2)``, and the area of a cell."""
    step = (high - low) / count
    line = low + step * (torch.arange(count, dtype=torch.float64) + 0.5)
    return torch.cartesian_prod(line, line), step * step


def _models() -> list[tuple[Surjection, Tensor]]:
    """One of each kind with an input."""
    return [
        (ReLUSurjection(ExponentialNoise(2)), torch.zeros(3, 2)),
        (Dequantisation(4, GaussianUnitNoise()), torch.ones(3, 2)),
        (Dequantisation(4, VariationalUnitNoise(Affine(2))), torch.ones(3, 2)),
        (ArgmaxSurjection(GaussianNoise(3)), torch.ones(3, 2, dtype=torch.long)),
        (BinaryArgmaxSurjection(ExponentialNoise(3)), torch.full((3, 2), 5)),
        (MaxPoolSurjection(1, 2, HalfNormalNoise(3)), torch.randn(3, 1, 4, 4)),
        (AbsoluteValueSurjection(nn.Linear(2, 2)), torch.randn(3, 2)),
        (SortSurjection(), torch.randn(3, 2)),
        (SliceNoise(1, GaussianNoise(1)), torch.randn(3, 2)),
        (AugmentNoise(2, ConditionalGaussianNoise(1, nn.Linear(2, 2))), torch.randn(3, 2)),
    ]


def test_absolute_value_has_a_density() -> None:
    odds = Function(lambda y: torch.sin(3 * y) - 0.5)
    model = SurjectiveChain(AbsoluteValueSurjection(odds), Exp().inv)
    t = torch.linspace(-14, 3.4, 40_001, dtype=torch.float64)  # log of |x|, where the density is smooth
    x = torch.cat([-t.exp(), t.exp()])[:, None]
    density = (_log_prob(model, x) + x.abs().log()[:, 0]).exp().view(2, -1)
    total = torch.trapezoid(density, t).sum()
    assert total.item() == pytest.approx(1.0, abs=1e-3)
    draws, _ = model.inverse_and_log_weight(0.3 + torch.randn(20_000, 1, generator=generator()).double())
    share = torch.trapezoid(density[1], t)
    assert (draws > 0).double().mean().item() == pytest.approx(share.item(), abs=0.02)


def test_sorted_sets_have_an_exchangeable_density() -> None:
    model = SurjectiveChain(SortSurjection(), Ascending(2))
    x = torch.randn(50, 2, generator=generator()).double()
    low, gap = x.amin(1), (x[:, 0] - x[:, 1]).abs()
    wanted = Normal(0.3, 1.0).log_prob(low) + LogNormal(0.3, 1.0).log_prob(gap) - math.log(2)
    assert torch.allclose(_log_prob(model, x), wanted)
    three = torch.randn(10, 3, generator=generator()).double()
    model = SurjectiveChain(SortSurjection(), Ascending(3))
    wanted = _log_prob(model, three)
    for order in ([0, 2, 1], [2, 1, 0], [1, 2, 0]):
        assert torch.equal(_log_prob(model, three[:, order]), wanted)


def test_sets_of_vectors_are_sorted_by_their_first_value() -> None:
    x = torch.randn(4, 5, 3, 2, generator=generator())
    y, weight = SortSurjection().forward_and_log_weight(x)
    assert (y[:, 1:, 0, 0] >= y[:, :-1, 0, 0]).all()
    assert torch.equal(y.sum(1).sort()[0].round(decimals=4), x.sum(1).sort()[0].round(decimals=4))
    assert torch.allclose(weight, torch.full((4,), -math.log(120.0)))
    back, opposite = SortSurjection().inverse_and_log_weight(y, generator(1))
    assert torch.equal(SortSurjection()(back), y)
    assert torch.equal(opposite, -weight)
    assert not torch.equal(back, y)


def test_every_order_is_drawn_equally_often() -> None:
    y = torch.arange(3.0).expand(6000, 3)
    draws = SortSurjection().inverse(y, generator())
    numbers = (draws * torch.tensor([9.0, 3.0, 1.0])).sum(1)
    counts = torch.stack([(numbers == number).sum() for number in numbers.unique()])
    assert len(counts) == 6
    assert (counts - 1000).abs().max() < 150


@pytest.mark.parametrize("kind", [ExponentialNoise, HalfNormalNoise])
def test_max_pooling_has_a_density(kind: type[PositiveNoise]) -> None:
    noise = kind(1, conditioner=Function(lambda y: 0.3 * torch.cos(y)))
    places = Function(lambda y: torch.cat([y, -0.5 * y], dim=1))
    model = MaxPoolSurjection(1, (2,), noise, places)
    x, area = _grid(-12, 6, 1200)
    total = _log_prob(model, x[:, None]).exp().sum() * area
    assert total.item() == pytest.approx(1.0, abs=3e-3)


@pytest.mark.parametrize(
    ("factors", "sizes"), [((3,), (6,)), ((2, 2), (4, 6)), ((1, 3), (2, 3)), ((2, 1, 2), (2, 2, 4))]
)
def test_max_pooling_is_undone_by_drawing(factors: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    window = math.prod(factors)
    pool = MaxPoolSurjection(2, factors, ExponentialNoise(2 * (window - 1)))
    x = torch.randn(3, 2, *sizes, generator=generator())
    y, weight = pool.forward_and_log_weight(x)
    wanted = [nn.functional.max_pool1d, nn.functional.max_pool2d, nn.functional.max_pool3d][len(sizes) - 1]
    assert torch.equal(y, wanted(x, factors))
    deficits = y.sum((1, *range(2, y.dim()))) * window - x.flatten(1).sum(1)
    assert torch.allclose(weight, -y[0].numel() * math.log(window) - deficits, atol=1e-4)
    drawn, opposite = pool.inverse_and_log_weight(y, generator(1))
    again, back = pool.forward_and_log_weight(drawn)
    assert torch.equal(again, y)
    assert torch.allclose(back, -opposite, atol=1e-4)


def test_places_are_drawn_as_their_probabilities_say() -> None:
    odds = torch.tensor([0.5, -1.0, 0.2])
    places = Function(lambda y: odds.view(1, 3, 1).expand(len(y), 3, y.shape[2]))
    pool = MaxPoolSurjection(1, (3,), ExponentialNoise(2), places)
    x = pool.inverse(torch.zeros(20_000, 1, 1), generator())
    counts = torch.bincount(x[:, 0].argmax(1), minlength=3) / 20_000
    assert torch.allclose(counts, odds.softmax(0), atol=0.015)


@pytest.mark.parametrize("kind", [ExponentialNoise, HalfNormalNoise])
def test_relu_bounds_the_censored_normal(kind: type[PositiveNoise]) -> None:
    model = ReLUSurjection(kind(1, 1.5).double())
    x = torch.tensor([[0.0], [0.7], [2.0]], dtype=torch.float64)
    base = Normal(0.3, 1.0)
    exact = torch.where(x > 0, base.log_prob(x), base.cdf(torch.zeros_like(x)).log())[:, 0]
    check_bound(model, x, exact)
    y = model(x.expand(3, 1), generator())
    assert (y[0] < 0).all()
    assert torch.equal(model.inverse(y), x)


def test_relu_with_the_posterior_is_exact() -> None:
    """For a half-normal latent below zero the best q is known: every draw then gives log p."""
    model = ReLUSurjection(HalfNormalNoise(1).double())
    y, weight = model.forward_and_log_weight(torch.zeros(100, 1, dtype=torch.float64), generator())
    assert torch.allclose(normal(y, 0.0) + weight, torch.tensor(0.5, dtype=torch.float64).log())


def test_absolute_value_backwards_is_exact_with_the_posterior() -> None:
    """p(x) = p(y = x) + p(y = -x): the odds of the signs are the ratio of the two."""
    base = Normal(0.3, 1.0)
    odds = Function(lambda x: base.log_prob(x) - base.log_prob(-x))
    model = AbsoluteValueSurjection(odds).inv
    assert model.likelihood == "bound"
    x = torch.rand(200, 1, generator=generator()).double() * 3
    exact = torch.logaddexp(base.log_prob(x), base.log_prob(-x))[:, 0]
    assert torch.allclose(_log_prob(model, x), exact)
    check_bound(AbsoluteValueSurjection().inv, x[:3], exact[:3])


def test_swapped_views_and_chains_say_what_holds() -> None:
    exact = [AbsoluteValueSurjection(), SortSurjection(), SliceNoise(1, GaussianNoise(1))]
    bound = [Dequantisation(), ArgmaxSurjection(GaussianNoise(2)), AugmentNoise(1, GaussianNoise(1))]
    for surjections, word, other in ((exact, "exact", "bound"), (bound, "bound", "exact")):
        for surjection in surjections:
            assert (surjection.likelihood, surjection.inv.likelihood) == (word, other)
            assert surjection.inv.inv is surjection
    chain = SurjectiveChain(Affine(2), AugmentNoise(2, GaussianNoise(1)), Affine(3))
    assert chain.likelihood == "bound"
    assert chain.inv.likelihood == "exact"
    assert SurjectiveChain(*exact[:2], *bound[:1]).likelihood == "bound"
    x = torch.ones(4, 2)
    y, weight = chain.forward_and_log_weight(x, generator())
    back, opposite = chain.inv.forward_and_log_weight(y)
    assert torch.allclose(back, x)
    assert torch.allclose(opposite, -weight, atol=1e-5)


def test_values_outside_are_refused() -> None:
    with pytest.raises(DomainError):
        AbsoluteValueSurjection().inverse(torch.tensor([[-1.0]]))
    with pytest.raises(DomainError, match="sorted"):
        SortSurjection().inverse(torch.tensor([[2.0, 1.0]]))
    with pytest.raises(DomainError):
        Ascending(2)(torch.tensor([[2.0, 1.0]]))
    with pytest.raises(DomainError):
        ReLUSurjection(ExponentialNoise(1))(torch.tensor([[-1.0]]))
    with pytest.raises(ShapeError):
        SortSurjection()(torch.ones(2))
    with pytest.raises(ShapeError, match="2k"):
        MaxPoolSurjection(1, (2,), ExponentialNoise(1))(torch.ones(1, 1, 3))
    with pytest.raises(ValueError, match="2 channels"):
        MaxPoolSurjection(2, (2,), ExponentialNoise(1))
    with pytest.raises(ValueError, match="windows"):
        MaxPoolSurjection(2, (1,), ExponentialNoise(1))
    with pytest.raises(ValueError, match="scale"):
        HalfNormalNoise(1, 0.0)


@pytest.mark.parametrize("kind", [ExponentialNoise, HalfNormalNoise])
def test_positive_noise_is_a_density(kind: type[PositiveNoise]) -> None:
    noise = kind(1, 0.7).double()
    e = (torch.arange(40_000, dtype=torch.float64)[:, None] + 0.5) * 2.5e-4
    x = torch.zeros_like(e)
    assert (noise.log_prob(e, x).exp().sum() * 2.5e-4).item() == pytest.approx(1.0, abs=1e-5)
    drawn = noise.sample(x, generator())
    mean = (noise.log_prob(e, x).exp() * e[:, 0]).sum() * 2.5e-4
    assert drawn.mean().item() == pytest.approx(mean.item(), rel=0.02)
    assert noise.log_prob(-e[:1], x[:1]).item() == -math.inf


def test_gradients_reach_every_parameter() -> None:
    for model, x in _models():
        if isinstance(model, SortSurjection):
            continue  # has none
        y, weight = model.forward_and_log_weight(x, generator())
        (y.square().sum() + weight.sum()).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name


@pytest.mark.parametrize("number", range(len(_models())))
def test_compiled_exported_and_vmapped(number: int) -> None:
    model, x = _models()[number]
    for direction, value in (("forward", x), ("inverse", model(x).detach())):
        run = getattr(model, f"{direction}_and_log_weight")
        torch._dynamo.reset()
        torch.manual_seed(1)
        wanted, weight = run(value)
        torch.manual_seed(1)
        actual, actual_weight = torch.compile(run, fullgraph=True, backend="eager")(value)
        assert torch.allclose(actual, wanted)
        assert torch.allclose(actual_weight, weight)
        rows = torch.func.vmap(lambda row, run=run: run(row[None])[0][0], randomness="different")(value)
        assert rows.shape == wanted.shape
        torch.export.export(model if direction == "forward" else model.inv, (value,), strict=False)
