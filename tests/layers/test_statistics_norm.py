"""Norms over the values of one sample, with their statistics."""

import pytest
import torch
from torch import Tensor, nn

from preimage.errors import NonFiniteError, NotConvergedError, NotInvertibleError, ShapeError
from preimage.functional.statistics.moments import feature_moments
from preimage.layers import (
    EstimatedNorm,
    GroupNorm,
    LayerNorm,
    RMSNorm,
    StatisticsNorm,
)


def _data(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 5 + 3 * torch.randn(*shape, generator=generator, dtype=torch.float64)


NORMS = [
    (lambda: LayerNorm(6), (6,)),
    (lambda: LayerNorm(6), (3, 6)),
    (lambda: LayerNorm((2, 3)), (4, 2, 3)),
    (lambda: RMSNorm(6), (6,)),
    (lambda: RMSNorm((2, 3)), (4, 2, 3)),
    (lambda: GroupNorm(2, 4), (4,)),
    (lambda: GroupNorm(1, 4), (4, 3, 2)),
    (lambda: GroupNorm(4, 4), (4, 5)),
]


def _moved(layer: StatisticsNorm) -> StatisticsNorm:
    torch.manual_seed(4)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return layer


def _two_kinds(rows: int, seed: int) -> Tensor:
    """Rising rows are high and loud, falling rows low and quiet: the values tell the statistics."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(2, (rows, 1), generator=generator).double()
    ramp = torch.linspace(-1, 1, 8, dtype=torch.float64) * (2 * kind - 1)
    noise = 0.2 * torch.randn(rows, 8, generator=generator, dtype=torch.float64)
    return 3 * kind + (1 + 2 * kind) * (ramp + noise)


@pytest.mark.shows("0-13")
@pytest.mark.parametrize(("make", "event"), NORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_norms_are_exact_with_their_statistics(make, event: tuple[int, ...], dtype: torch.dtype) -> None:
    layer = _moved(make()).to(dtype)
    x = _data(4, *event).to(dtype)
    y, statistics = layer(x)
    assert statistics.shape[0] == 4
    assert (layer.inverse((y, statistics)) - x).abs().max() <= 300 * torch.finfo(dtype).eps
    assert layer.certified_inverse((y, statistics))[1].ok
    assert layer(x[:0])[0].shape == (0, *event)
    other = layer.certified_inverse((y + 1, statistics), on_error="nan")
    assert not other[1].converged.any()
    assert other[0].isnan().all()


@pytest.mark.shows("0-13")
@pytest.mark.parametrize(
    ("ours", "theirs", "event"),
    [
        (LayerNorm.from_layer_norm, nn.LayerNorm(6), (3, 6)),
        (LayerNorm.from_layer_norm, nn.LayerNorm(6, elementwise_affine=False), (6,)),
        (RMSNorm.from_rms_norm, nn.RMSNorm(6, eps=1e-3), (3, 6)),
        (GroupNorm.from_group_norm, nn.GroupNorm(2, 6), (6, 2, 3)),
    ],
)
def test_norms_equal_those_of_torch(ours, theirs: nn.Module, event: tuple[int, ...]) -> None:
    theirs = theirs.double()
    _moved(theirs)  # pyright: ignore[reportArgumentType]
    layer = ours(theirs)
    x = _data(4, *event)
    assert (layer(x)[0] - theirs(x)).abs().max() <= 1e-12
    assert all(a is b for a, b in zip(layer.parameters(), theirs.parameters(), strict=True))


@pytest.mark.shows("0-13")
@pytest.mark.parametrize(("layer", "lost"), [(nn.LayerNorm(8, eps=0), 2), (nn.RMSNorm(8, eps=0), 1)])
def test_values_alone_have_lost_some_dimensions(layer: nn.Module, lost: int) -> None:
    """The Jacobian of a plain layer norm has rank d - 2; with the statistics it has rank d."""
    x = _data(1, 8)[0]
    plain = torch.autograd.functional.jacobian(layer.double(), x)
    assert torch.linalg.matrix_rank(plain, rtol=1e-10) == 8 - lost
    assert torch.allclose(layer(3 * x + (5 if lost == 2 else 0)), layer(x))
    whole = (LayerNorm if lost == 2 else RMSNorm)(8, eps=1e-12).double()
    full = torch.autograd.functional.jacobian(
        lambda v: torch.cat([part.flatten() for part in whole(v[None])]), x
    )
    assert torch.linalg.matrix_rank(full, rtol=1e-10) == 8


def test_norms_refuse_what_they_cannot_undo() -> None:
    layer = LayerNorm(4)
    y, statistics = layer(torch.randn(2, 3, 4))
    assert statistics.shape == (2, 3, 2)
    with pytest.raises(ShapeError, match=r"wanted \(2, 3, 2\)"):
        layer.inverse((y, statistics[:, :1]))
    with pytest.raises(ShapeError, match=r"wanted \(N, ..., 4\)"):
        layer(torch.randn(2, 5))
    with pytest.raises(ShapeError, match="holds one tensor"):
        layer.inverse(y)
    with torch.no_grad():
        layer.weight[2] = 0
    with pytest.raises(NotInvertibleError, match="1 of 4 weights"):
        layer.inverse((y, statistics))
    with pytest.raises(ValueError, match="divisor"):
        GroupNorm(3, 4)


def test_a_certificate_fails_where_the_statistics_do_not_belong_to_y() -> None:
    layer = LayerNorm(4).double()
    with pytest.raises(NotConvergedError):
        layer.certified_inverse((torch.ones(1, 4).double(), torch.ones(1, 1, 2).double()))


def test_norms_compile_and_export() -> None:
    for layer, x in ((LayerNorm(4), torch.randn(2, 3, 4)), (GroupNorm(2, 4), torch.randn(2, 4, 3))):
        y, statistics = (part.detach() for part in layer(x))
        compiled = torch.compile(layer.inverse, fullgraph=True, backend="eager")
        assert torch.allclose(compiled((y, statistics)), x, atol=1e-5)
        program = torch.export.export(layer, (x,), strict=False)
        assert torch.allclose(program.module()(x)[0], y)


@pytest.mark.shows("0-13")
@pytest.mark.parametrize("norm", [LayerNorm(8, eps=1e-12), RMSNorm(8, eps=1e-12), GroupNorm(2, 8, eps=1e-12)])
def test_estimated_statistics_are_a_right_inverse_that_learns(norm: StatisticsNorm) -> None:
    layer = EstimatedNorm(norm.double(), (8,)).double()
    new = _two_kinds(200, seed=1)
    y = layer(new)
    before = (layer.inverse(y) - new).square().mean()
    assert layer.certified_inverse(y)[1].ok
    layer.fit(_two_kinds(500, seed=0))
    assert layer.certified_inverse(y)[1].ok
    after = (layer.inverse(y) - new).square().mean()
    assert after < 0.2 * before
    assert after < 0.1 * new.var()


def test_estimate_of_unrelated_statistics_is_their_mean() -> None:
    layer = EstimatedNorm(LayerNorm(4), (4,)).double()
    x = torch.randn(20000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 3
    error = layer.fit(x)
    statistics = layer.estimate(layer(x))
    assert statistics[..., 0].std() <= 0.05
    assert statistics[..., 0].mean().item() == pytest.approx(3.0, abs=0.02)
    assert error[0].item() == pytest.approx(0.5, abs=0.02)  # deviation of a mean of four
    with pytest.raises(NonFiniteError, match="leave such rows out"):
        layer.fit(x * float("nan"))


def test_moments_of_no_rows_are_not_numbers() -> None:
    assert feature_moments(torch.ones(0, 2)).mean.isnan().all()
