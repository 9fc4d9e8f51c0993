"""Activation norm: scales, first batch, several processes."""

import copy
import io
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, multiprocessing, nn

from preimage import Chain
from preimage.errors import NonFiniteError, NotInvertibleError
from preimage.layers import (
    ActNorm,
    AdaptiveWhitening,
    BatchNorm,
    EluScale,
    ExpScale,
    LULinear,
    PositiveScale,
    TwiceSigmoidScale,
)

SCALES = [ExpScale(), TwiceSigmoidScale(), EluScale()]


def _data(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 5 + 3 * torch.randn(*shape, generator=generator, dtype=torch.float64)


def _statistics(y: Tensor) -> tuple[Tensor, Tensor]:
    rows = y.movedim(1, -1).reshape(-1, y.shape[1])
    return rows.mean(0), rows.std(0, correction=0)


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
