"""Normalisations beyond the laws that every bijection keeps."""

import copy
import io
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, multiprocessing, nn

from preimage import Chain
from preimage.errors import NonFiniteError, NotConvergedError, NotInvertibleError, ShapeError
from preimage.functional.moments import feature_moments
from preimage.layers import (
    ActNorm,
    AdaptiveWhitening,
    BatchNorm,
    EluScale,
    EstimatedNorm,
    ExpScale,
    GroupNorm,
    LayerNorm,
    LULinear,
    PositiveScale,
    RMSNorm,
    StatisticsNorm,
    TwiceSigmoidScale,
)

SCALES = [ExpScale(), TwiceSigmoidScale(), EluScale()]


def _data(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 5 + 3 * torch.randn(*shape, generator=generator, dtype=torch.float64)


def _statistics(y: Tensor) -> tuple[Tensor, Tensor]:
    rows = y.movedim(1, -1).reshape(-1, y.shape[1])
    return rows.mean(0), rows.std(0, correction=0)


# Positive scales


@pytest.mark.shows("4-1")
@pytest.mark.parametrize("scale", SCALES)
def test_scale_parametrisations_are_inverted(scale: PositiveScale) -> None:
    wanted = torch.tensor([0.02, 0.3, 1.0, 1.7, 1.98], dtype=torch.float64)
    assert (scale.log_scale(scale.raw(wanted)) - wanted.log()).abs().max() <= 1e-12
    raw = torch.linspace(-50, 50, 201, dtype=torch.float64)
    assert scale.log_scale(raw).isfinite().all()
    assert scale.log_scale(torch.zeros(())).abs() <= 1e-6


def test_twice_sigmoid_is_bounded() -> None:
    scale = TwiceSigmoidScale(0.1)
    reached = scale.log_scale(scale.raw(torch.tensor([1e-9, 1e9]))).exp()
    assert reached.tolist() == pytest.approx([0.1, 1.9], rel=2e-2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        TwiceSigmoidScale(1.0)


# ActNorm


@pytest.mark.shows("4-1")
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", [(200, 3), (20, 3, 10), (10, 3, 4, 5)])
def test_first_batch_is_standardised(scale: PositiveScale, shape: tuple[int, ...]) -> None:
    layer = ActNorm(3, scale).double()
    y = layer(_data(*shape))
    mean, deviation = _statistics(y)
    assert mean.abs().max() <= 1e-12
    assert (deviation - 1).abs().max() <= 1e-12
    again, _ = _statistics(layer(2 * _data(*shape)))
    assert again.abs().min() > 0.5


def test_twice_sigmoid_cannot_standardise_small_data() -> None:
    layer = ActNorm(1, TwiceSigmoidScale()).double()
    _, deviation = _statistics(layer(0.05 * _data(100, 1)))
    assert deviation.item() < 0.5


def test_the_inverse_never_initialises() -> None:
    layer = ActNorm(2)
    with pytest.raises(NotInvertibleError, match="waits for its first batch"):
        layer.inverse(torch.randn(4, 2))
    with pytest.raises(NotInvertibleError):
        layer.certified_inverse(torch.randn(4, 2))
    assert not layer.initialised
    layer.eval()
    x = torch.randn(4, 2)
    assert torch.equal(layer(x), x)
    assert torch.equal(layer.inverse(x), x)
    assert not layer.initialised


def test_state_is_saved_with_the_flag() -> None:
    layer = ActNorm(2).double()
    layer(_data(10, 2))
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = ActNorm(2).double()
    other.load_state_dict(torch.load(file, weights_only=True))
    fresh = 100 * _data(5, 2)
    assert torch.equal(other(fresh), layer(fresh))
    for same in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(same(fresh), layer(fresh))
    waiting = ActNorm(2).double()
    waiting.load_state_dict(ActNorm(2).state_dict())
    assert _statistics(waiting(fresh))[0].abs().max() <= 1e-9


def test_constant_features_are_only_shifted() -> None:
    layer = ActNorm(3)
    x = torch.randn(50, 3)
    x[:, 1] = 0.1  # its mean is not exactly 0.1 in float32
    x[:, 2] = 0.0
    y = layer(x)
    assert y.isfinite().all()
    assert y[:, 1:].abs().max() <= 1e-6
    assert layer.raw_scale[1:].tolist() == [0.0, 0.0]
    assert torch.allclose(layer.inverse(y), x, atol=1e-6)


def test_one_row_and_no_rows() -> None:
    layer = ActNorm(2)
    assert layer(torch.ones(0, 2)).shape == (0, 2)
    assert not layer.initialised
    assert torch.equal(layer(torch.tensor([[3.0, -1.0]])), torch.zeros(1, 2))
    assert layer.initialised


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_a_first_batch_without_finite_statistics_is_refused(bad: float) -> None:
    layer = ActNorm(2)
    x = torch.randn(4, 2)
    x[1, 1] = bad
    with pytest.raises(NonFiniteError, match="1 of 2 features"):
        layer(x)
    assert not layer.initialised
    assert not layer.shift.any()


def test_float64_statistics_keep_their_digits() -> None:
    layer = ActNorm(1).double()
    x = 1e6 + _data(1000, 1)
    mean, deviation = _statistics(layer(x))
    assert mean.abs().item() <= 1e-9
    assert deviation.item() == pytest.approx(1.0, abs=1e-9)


def test_initialisation_compiles_without_a_break() -> None:
    x = _data(20, 3, 4)
    layer, compiled = ActNorm(3).double(), ActNorm(3).double()
    run = torch.compile(compiled.forward_and_log_det, fullgraph=True, backend="eager")
    for batch in (x, 3 * x):
        for wanted, actual in zip(layer.forward_and_log_det(batch), run(batch), strict=True):
            assert torch.allclose(actual, wanted)
    assert compiled.initialised


def test_first_batch_in_a_chain_with_reversible_memory() -> None:
    gradients = []
    for memory in ("autograd", "reversible"):
        torch.manual_seed(1)
        chain = Chain(LULinear(3), ActNorm(3), LULinear(3), ActNorm(3), memory=memory).double()
        z, log_det = chain.forward_and_log_det(_data(20, 3).requires_grad_())
        (z.square().sum() - log_det.sum()).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in chain.parameters()]))  # pyright: ignore
    assert torch.allclose(gradients[0], gradients[1])


def _collecting() -> tuple[nn.Module, ...]:
    return ActNorm(2), BatchNorm(2), AdaptiveWhitening(2)


def _worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    try:
        for share in (0, 10):
            layers = [layer.double() for layer in _collecting()]
            for layer in layers:
                layer(_data(30, 2, 3)[:share] if rank == 0 else _data(30, 2, 3)[share:])
            torch.save([layer.state_dict() for layer in layers], f"{folder}/{rank}-{share}.pt")
    finally:
        torch.distributed.destroy_process_group()


def test_all_processes_agree(tmp_path: Path) -> None:
    """Unequal shares of one batch, down to none, on two processes: both hold what the whole batch gives."""
    multiprocessing.spawn(_worker, (str(tmp_path),), nprocs=2)
    layers = [layer.double() for layer in _collecting()]
    for layer in layers:
        layer(_data(30, 2, 3))
    paths = sorted(tmp_path.glob("*.pt"))
    assert len(paths) == 4
    for path in paths:
        for state, layer in zip(torch.load(path, weights_only=True), layers, strict=True):
            for name, wanted in layer.state_dict().items():
                assert torch.allclose(state[name].double(), wanted.double(), atol=1e-12), name


# BatchNorm


@pytest.mark.shows("0-12")
@pytest.mark.parametrize(
    ("kind", "event"), [(nn.BatchNorm1d, ()), (nn.BatchNorm1d, (5,)), (nn.BatchNorm2d, (4, 3))]
)
def test_evaluation_mode_of_a_trained_layer_is_inverted(kind: type, event: tuple[int, ...]) -> None:
    torch.manual_seed(2)
    module = kind(3).double()
    nn.init.uniform_(module.weight, -2, 2)
    nn.init.normal_(module.bias)
    x = _data(40, 3, *event)
    for _ in range(3):
        module(x)
    module.eval()
    layer = BatchNorm.from_batch_norm(module)
    y, log_det = layer.forward_and_log_det(x)
    assert (y - module(x)).abs().max() <= 1e-12
    assert (layer.inverse(y) - x).abs().max() <= 1e-11
    slope = module.weight / (module.running_var + module.eps).sqrt()
    assert (log_det - x[0, 0].numel() * slope.abs().log().sum()).abs().max() <= 1e-12


@pytest.mark.shows("0-12")
def test_lost_channels_and_missing_statistics_are_refused() -> None:
    module = nn.BatchNorm1d(3)
    with torch.no_grad():
        module.weight[1] = 0
    with pytest.raises(NotInvertibleError, match="1 of 3 weights are 0"):
        BatchNorm.from_batch_norm(module)
    with pytest.raises(NotInvertibleError, match="no running statistics"):
        BatchNorm.from_batch_norm(nn.BatchNorm1d(3, track_running_stats=False))
    plain = BatchNorm.from_batch_norm(nn.BatchNorm1d(3, affine=False, momentum=None))
    assert torch.allclose(plain(torch.ones(1, 3)), torch.ones(1, 3), atol=1e-4)
    for wrong in ({"eps": 0.0}, {"momentum": 2.0}):
        with pytest.raises(ValueError, match="BatchNorm"):
            BatchNorm(3, **wrong)


@pytest.mark.shows("0-12")
def test_training_mode_is_not_certified_but_its_last_pass_is_undone() -> None:
    layer = BatchNorm(2).double()
    x = _data(30, 2, 4)
    first = layer(x)
    mean, deviation = _statistics(first)
    assert mean.abs().max() <= 1e-12
    assert (deviation - 1).abs().max() <= 1e-5
    y = layer(x + 7)
    assert (layer.inverse(y) - (x + 7)).abs().max() <= 1e-11
    with pytest.raises(NotInvertibleError, match=r"call .eval\(\) first"):
        layer.certified_inverse(y)
    before = layer.running_mean.clone()
    layer.inverse(y)
    layer.eval()
    layer(x)
    layer(x[:0])
    assert torch.equal(layer.running_mean, before)


def test_running_averages() -> None:
    """The n-th batch counts 1/n until that is less than the momentum."""
    layer = BatchNorm(1, momentum=0.4).double()
    means = [1.0, 3.0, 8.0, 10.0]
    for mean in means:
        layer(torch.tensor([[mean - 1], [mean + 1]], dtype=torch.float64))
    wanted = 0.6 * (0.6 * 2.0 + 0.4 * 8.0) + 0.4 * 10.0
    assert layer.running_mean.item() == pytest.approx(wanted)
    assert layer.batches == 4


def test_training_mode_in_a_reversible_chain() -> None:
    """Same gradients, and every batch is counted once."""
    gradients = []
    for memory in ("autograd", "reversible"):
        torch.manual_seed(3)
        chain = Chain(LULinear(2), BatchNorm(2), LULinear(2), memory=memory).double()
        for _ in range(2):
            z, log_det = chain.forward_and_log_det(_data(20, 2).requires_grad_())
            (z.pow(3).sum() - log_det.sum()).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in chain.parameters()]))  # pyright: ignore
        assert chain[1].batches == 2  # pyright: ignore
    assert torch.allclose(gradients[0], gradients[1])


def test_training_step_of_batch_norm_compiles() -> None:
    x = _data(20, 3, 4)
    layer, compiled = BatchNorm(3).double(), BatchNorm(3).double()
    run = torch.compile(compiled.forward_and_log_det, fullgraph=True, backend="eager")
    for batch in (x, 3 * x):
        for wanted, actual in zip(layer.forward_and_log_det(batch), run(batch), strict=True):
            assert torch.allclose(actual, wanted)
    assert compiled.batches == 2


# Norms with side information


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


def _two_kinds(rows: int, seed: int) -> Tensor:
    """Rising rows are high and loud, falling rows low and quiet: the values tell the statistics."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(2, (rows, 1), generator=generator).double()
    ramp = torch.linspace(-1, 1, 8, dtype=torch.float64) * (2 * kind - 1)
    noise = 0.2 * torch.randn(rows, 8, generator=generator, dtype=torch.float64)
    return 3 * kind + (1 + 2 * kind) * (ramp + noise)


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
