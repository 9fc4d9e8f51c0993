"""Batch norm in evaluation and in training."""

import pytest
import torch
from torch import Tensor, nn

from preimage import Chain
from preimage.errors import NotInvertibleError
from preimage.layers import (
    BatchNorm,
    LULinear,
)


def _data(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 5 + 3 * torch.randn(*shape, generator=generator, dtype=torch.float64)


def _statistics(y: Tensor) -> tuple[Tensor, Tensor]:
    rows = y.movedim(1, -1).reshape(-1, y.shape[1])
    return rows.mean(0), rows.std(0, correction=0)


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
