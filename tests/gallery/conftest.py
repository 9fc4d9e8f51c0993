"""A small network with a small engine, so that the gallery is tested apart from the real inverse."""

import numpy as np
import pytest
import torch
from fake_engine import TAPS, FakeEngine
from torch import nn

from preimage import gallery
from preimage.gallery import Job
from preimage.zoo import Network, Preprocessing


@pytest.fixture
def model():
    torch.manual_seed(0)
    layers = [("first", nn.Conv2d(3, 4, 2, stride=2)), ("second", nn.Conv2d(4, 8, 2, stride=2))]
    network = nn.Sequential()
    for name, layer in layers:
        network.add_module(name, layer)
    return network.eval().requires_grad_(False)


@pytest.fixture
def network(model):
    return Network("small & fake", model, Preprocessing(32, 32, (127.0,) * 3, (128.0,) * 3))


@pytest.fixture
def engine(model):
    return FakeEngine(model, TAPS)


@pytest.fixture
def job(network):
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 256, (40, 50, 3), dtype=np.uint8) for name in ("sea <1>", "hill")}
    return Job(
        network,
        pictures,
        ("shallow", "deep"),
        calibration={"pictures": ["lake", "wood"]},
    )


@pytest.fixture
def engine_class():
    return FakeEngine


@pytest.fixture
def record(engine, job, tmp_path):
    """The record of one finished job."""
    return gallery.run(engine, job, tmp_path / "out")
