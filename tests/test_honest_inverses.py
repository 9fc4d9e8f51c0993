"""No inverse of a random network claims what a dense float64 check denies."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import honest_inverses


def _assert_honest(networks: int) -> None:
    report = honest_inverses.run(networks)
    counts = report["counts"]
    assert report["wrong"] == []
    assert report["crashed"] == []
    assert counts["networks"] >= 0.9 * networks
    assert counts["every number called certain"] > 0.1 * networks  # doubting everything would be no feat


@pytest.mark.filterwarnings("ignore")
def test_fifty_random_networks_are_judged_honestly() -> None:
    _assert_honest(50)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_thousand_random_networks_are_judged_honestly() -> None:
    _assert_honest(1000)


def test_convolutions_that_step_over_inputs_are_not_promised_exact() -> None:
    import torch

    import preimage as pi

    for layer, shape in (
        (torch.nn.Conv1d(1, 2, 1, stride=2), (1, 6)),
        (torch.nn.Conv2d(2, 4, 2, stride=2, padding=1, groups=2), (2, 4, 6)),
        (torch.nn.ConvTranspose1d(3, 1, 1, stride=2), (3, 4)),
    ):
        promise = pi.invert(layer, torch.zeros(1, *shape)).plan().guarantee
        assert promise not in (pi.Guarantee.EXACT, pi.Guarantee.LEFT)
