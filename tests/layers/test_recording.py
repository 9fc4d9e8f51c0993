"""Side outputs and losses: nested, per thread, readable afterwards, in both directions."""

import threading

import pytest
import torch
from torch import Tensor

from preimage import Chain
from preimage.errors import ShapeError
from preimage.layers import Affine, LeakyReLU, MeanPool, Recording, Tap, TapLoss


def _excess(x: Tensor) -> Tensor:
    return (x.abs() - 1).clamp_min(0).sum(1)


NET = Chain(LeakyReLU(0.5), Tap("hidden"), TapLoss("excess", _excess), LeakyReLU(0.5))


@pytest.mark.shows("3-11")
def test_values_and_losses_are_recorded_both_ways_and_readable_after_exit() -> None:
    x = torch.tensor([[-4.0, 3.0]])
    with Recording() as recording:
        y = NET(x)
        NET.inverse(y)
    hidden = torch.tensor([[-2.0, 3.0]])
    for records in (recording.forward, recording.inverse):
        assert torch.equal(records.values["hidden"][0], hidden)
        assert torch.equal(records.losses["excess"][0], torch.tensor([3.0]))
        assert torch.equal(records.loss, torch.tensor([3.0]))


@pytest.mark.shows("3-11")
def test_recordings_nest_and_close_after_an_error() -> None:
    with Recording() as outer:
        NET(torch.ones(1, 2))
        with Recording() as inner:
            NET(torch.ones(1, 2))
        with pytest.raises(ShapeError), Recording():
            NET(torch.ones(1, 2).long())
        NET(torch.ones(1, 2))
    NET(torch.ones(1, 2))
    assert len(outer.forward.values["hidden"]) == 3
    assert len(inner.forward.values["hidden"]) == 1


@pytest.mark.shows("3-11")
def test_a_recording_belongs_to_its_thread() -> None:
    together = threading.Barrier(2, timeout=30)
    found: dict[int, list[Tensor]] = {}

    def work(number: int) -> None:
        with Recording() as recording:
            together.wait()
            for _ in range(20):
                NET(torch.full((1, 1), float(number)))
            together.wait()
        found[number] = recording.forward.values["hidden"]

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
    with Recording() as here:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not here.forward.values
    assert all(len(values) == 20 for values in found.values())
    assert all(bool((value == number).all()) for number, values in found.items() for value in values)


@pytest.mark.shows("3-11")
def test_losses_keep_their_gradient() -> None:
    net = Chain(Affine(2), TapLoss("excess", _excess))
    with Recording() as recording:
        net(torch.full((3, 2), 2.0))
    recording.forward.loss.sum().backward()
    assert net.get_parameter("layers.0.shift").grad is not None


@pytest.mark.shows("3-11", "3-12")
def test_up_sampling_records_its_loss() -> None:
    x = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    pool = MeanPool((2,), name="detail")
    with Recording() as recording:
        pool(x)
    assert torch.equal(recording.forward.losses["detail"][0], pool.reconstruction_loss(x))


def test_without_a_recording_nothing_is_computed_and_no_loss_is_zero() -> None:
    def fail(x: Tensor) -> Tensor:
        raise AssertionError("computed")

    x = torch.ones(1, 2)
    assert TapLoss("never", fail)(x) is x
    with Recording() as recording:
        pass
    assert torch.equal(recording.forward.loss, torch.zeros(()))
