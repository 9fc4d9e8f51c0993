"""Random steps: what stays stationary, what paths weigh, and which constants they find."""

import math

import pytest
import torch

from preimage.errors import ShapeError
from preimage.functional.statistics.importance import importance_summary
from preimage.layers import (
    Affine,
    GaussianNoise,
    HamiltonianMonteCarlo,
    InterpolatedDensity,
    Langevin,
    MetropolisLangevin,
    RandomWalk,
    Recording,
    SliceNoise,
    StochasticChain,
)

KERNELS = {
    "random walk": lambda density, steps: RandomWalk(density, 0.9, steps),
    "mala": lambda density, steps: MetropolisLangevin(density, 0.3, steps),
    "hmc": lambda density, steps: HamiltonianMonteCarlo(density, 0.4, 3, steps),
}


def double_well(x):
    """Two wells of unequal depth, not normalised, one dimension."""
    return -((x[:, 0] ** 2 - 1) ** 2) * 2 + 0.5 * x[:, 0]


def standard_normal(x):
    return -0.5 * x.square().flatten(1).sum(1)


def normalised_normal(x):
    return standard_normal(x) - x[0].numel() / 2 * math.log(2 * math.pi)


def quadrature(log_density):
    """The constant of a density in one dimension, and its distribution function on a grid."""
    grid = torch.linspace(-6, 6, 24001, dtype=torch.float64)
    density = log_density(grid[:, None]).exp()
    mass = torch.cumulative_trapezoid(density, grid)
    return grid[1:], mass / mass[-1], float(mass[-1])


def exact_samples(log_density, n, generator):
    grid, share, _ = quadrature(log_density)
    uniform = torch.rand(n, generator=generator, dtype=torch.float64)
    return grid[torch.searchsorted(share, uniform).clamp_max(len(grid) - 1)][:, None]


def kolmogorov(samples, log_density):
    """The largest difference of distribution functions, times the root of the number of samples."""
    grid, share, _ = quadrature(log_density)
    ordered = samples[:, 0].sort().values
    wanted = share[torch.searchsorted(grid, ordered).clamp_max(len(grid) - 1)]
    found = (torch.arange(len(ordered), dtype=torch.float64) + 0.5) / len(ordered)
    return float((found - wanted).abs().max()) * len(ordered) ** 0.5


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_density_is_stationary(kernel):
    generator = torch.Generator().manual_seed(1)
    start = exact_samples(double_well, 20_000, generator)
    end = KERNELS[kernel](double_well, 4)(start, generator)
    assert kolmogorov(end, double_well) < 1.63  # 99 % of the distribution of Kolmogorov
    assert (end != start).double().mean() > 0.5


def test_without_correction_the_density_is_not_stationary():
    generator = torch.Generator().manual_seed(1)
    end = Langevin(double_well, 0.1, 30).double()(exact_samples(double_well, 20_000, generator), generator)
    assert kolmogorov(end, double_well) > 3


@pytest.mark.parametrize("kernel", KERNELS)
def test_detailed_balance(kernel):
    """In equilibrium, steps from one region to another are as frequent as steps back."""
    generator = torch.Generator().manual_seed(2)
    start = exact_samples(double_well, 40_000, generator)
    end = KERNELS[kernel](double_well, 1)(start, generator)
    edges = torch.tensor([-0.9, 0.0, 0.8], dtype=torch.float64)
    a, b = torch.bucketize(start[:, 0], edges), torch.bucketize(end[:, 0], edges)
    for i in range(4):
        for j in range(i):
            there, back = int(((a == i) & (b == j)).sum()), int(((a == j) & (b == i)).sum())
            assert abs(there - back) <= 4.5 * math.sqrt(there + back + 1)


@pytest.mark.parametrize("kernel", KERNELS)
def test_reversible_steps_weigh_the_change_of_density(kernel):
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(50, 1, generator=generator, dtype=torch.float64)
    for run in ("forward_and_log_weight", "inverse_and_log_weight"):
        end, weight = getattr(KERNELS[kernel](double_well, 3), run)(start, generator)
        torch.testing.assert_close(weight, double_well(start) - double_well(end), atol=1e-12, rtol=0)


def test_the_weight_of_a_langevin_path_is_the_ratio_of_its_transition_densities():
    step_size, generator = 0.07, torch.Generator().manual_seed(4)
    layer = Langevin(double_well, step_size, 1).double()
    a = torch.randn(200, 1, generator=generator, dtype=torch.float64)
    b, weight = layer.inverse_and_log_weight(a, generator)

    def log_transition(start, end):
        start = start.clone().requires_grad_()
        (score,) = torch.autograd.grad(double_well(start).sum(), start)
        normal = torch.distributions.Normal(start.detach() + step_size * score, math.sqrt(2 * step_size))
        return normal.log_prob(end)[:, 0]

    wanted = log_transition(b, a) - log_transition(a, b)
    torch.testing.assert_close(weight, wanted, atol=1e-6, rtol=1e-6)  # the step size was stored in float32


def test_langevin_gradients():
    """By the start, the step size and the density's parameter, against finite differences."""
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    start = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    layer = Langevin(lambda x: -scale * (x.square() + x.sin()).sum(1), 0.1, 2).double()

    def run(start, scale, step):
        return layer.forward_and_log_weight(start, torch.Generator().manual_seed(0))

    assert torch.autograd.gradcheck(run, (start, scale, layer.log_step_size))


def annealed(kernel, stages=6):
    """A flow from a normal latent to the double well: every stage aims at a density in between."""
    between = [
        InterpolatedDensity(normalised_normal, double_well, (k + 1) / stages) for k in reversed(range(stages))
    ]
    return StochasticChain(*(kernel(density) for density in between))


@pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(lambda d: RandomWalk(d, 0.8, 3), id="random walk"),
        pytest.param(lambda d: MetropolisLangevin(d, 0.1, 3), id="mala"),
        pytest.param(lambda d: HamiltonianMonteCarlo(d, 0.3, 3, 2), id="hmc"),
        pytest.param(lambda d: Langevin(d, 0.02, 3).double(), id="langevin"),
    ],
)
def test_importance_weights_find_the_constant(kernel):
    generator = torch.Generator().manual_seed(5)
    latent = torch.randn(10_000, 1, generator=generator, dtype=torch.float64)
    chain = annealed(kernel)
    with torch.no_grad():
        x, weight = chain.inverse_and_log_weight(latent, generator)
    found = importance_summary(double_well(x) - normalised_normal(latent) + weight)
    wanted = math.log(quadrature(double_well)[2])
    assert found.standard_error < 0.03
    assert abs(found.log_constant - wanted) < 4 * found.standard_error
    plain = importance_summary(double_well(latent) - normalised_normal(latent))
    assert found.effective_samples > 1.2 * plain.effective_samples


def test_the_other_direction_bounds_the_density_of_the_model():
    """With reversible steps at the latent's own density the model is that density: the bound is tight."""
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(500, 3, generator=generator, dtype=torch.float64)
    chain = StochasticChain(MetropolisLangevin(normalised_normal, 0.2, 5))
    latent, weight = chain.forward_and_log_weight(x, generator)
    torch.testing.assert_close(normalised_normal(latent) + weight, normalised_normal(x))


def test_a_chain_of_all_kinds_adds_up():
    generator = torch.Generator().manual_seed(7)
    affine, walk = Affine(2).double(), RandomWalk(standard_normal, 0.5)
    slicing = SliceNoise(1, GaussianNoise(1)).double()
    chain = StochasticChain(affine, walk, slicing)
    x = torch.randn(4, 2, generator=generator, dtype=torch.float64)
    y, total = chain.forward_and_log_weight(x, torch.Generator().manual_seed(8))
    middle, first = affine.forward_and_log_det(x)
    end, second = walk.forward_and_log_weight(middle, torch.Generator().manual_seed(8))
    wanted, third = slicing.forward_and_log_weight(end)
    torch.testing.assert_close(y, wanted)
    torch.testing.assert_close(total, first + second + third)
    assert chain.inverse(y, generator).shape == (4, 2)


def test_acceptance_is_recorded():
    with Recording() as recording:
        RandomWalk(standard_normal, 1e-6, 4)(torch.randn(5, 2))
    assert recording.forward.values["acceptance"][0].tolist() == [1.0] * 5


def test_pictures_and_regions_without_density():
    inside = lambda x: torch.where(x.flatten(1).abs().amax(1) < 1, 0.0, -math.inf)  # noqa: E731
    end = RandomWalk(inside, 0.5, 20)(torch.zeros(50, 2, 3, 3), torch.Generator().manual_seed(0))
    assert end.abs().max() < 1
    assert end.std() > 0.1


def test_a_proposal_without_a_number_is_refused():
    broken = lambda x: torch.where(x[:, 0] == 0, 0.0, math.nan)  # noqa: E731
    assert torch.equal(RandomWalk(broken, 0.5, 3)(torch.zeros(5, 1)), torch.zeros(5, 1))


@pytest.mark.parametrize("make", [RandomWalk, Langevin, MetropolisLangevin, HamiltonianMonteCarlo])
def test_wrong_arguments(make):
    with pytest.raises(ValueError, match="wanted"):
        make(standard_normal, 0.0)
    with pytest.raises(ValueError, match="wanted"):
        make(standard_normal, 0.1, steps=0)
    with pytest.raises(ShapeError, match="one number per row"):
        make(lambda x: -x.square())(torch.zeros(3, 2))
    with pytest.raises(ShapeError, match="wanted"):
        make(standard_normal)(torch.zeros(3, 2, dtype=torch.long))


def test_wrong_chains_and_densities():
    with pytest.raises(ValueError, match="no layers"):
        StochasticChain()
    with pytest.raises(TypeError, match="wanted bijections"):
        StochasticChain(torch.nn.Linear(2, 2))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="share"):
        InterpolatedDensity(standard_normal, standard_normal, 1.5)
    with pytest.raises(ValueError, match="wanted"):
        importance_summary(torch.zeros(1))
    with pytest.raises(ValueError, match="leapfrog"):
        HamiltonianMonteCarlo(standard_normal, leapfrog_steps=0)
