"""A small network with a small engine, so that the gallery is tested apart from the real inverse."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from preimage import gallery
from preimage.certificate import Certificate
from preimage.errors import NotInvertibleError
from preimage.gallery import Job
from preimage.zoo import Network, Preprocessing

TAPS = {"shallow": "first", "deep": "second"}


class FakeLedger:
    def to_dict(self):
        return {"rows": [{"name": "conv", "guarantee": "right inverse"}]}

    def __str__(self):
        return "region <conv>: right inverse"


class FakeEngine:
    """Brings the picture back by enlarging the features; refuses where it is told to."""

    def __init__(self, model, taps=TAPS, refuses=()):
        self.model, self.taps, self.refuses = model, taps, refuses
        self.report = SimpleNamespace(ledger=FakeLedger())

    def features(self, x, taps):
        values = {}
        for name, layer in self.model.named_children():
            x = layer(x)
            values[name] = x
        return {tap: values[self.taps[tap]] for tap in taps}

    def data_free(self, y, *, tap):
        return self._enlarged(y, 0.1), self._certificate(y, 0.5)

    def calibrated(self, y, *, tap):
        if tap in self.refuses:
            raise NotInvertibleError(f"no calibration <for> {tap}")
        return self._enlarged(y, 0.05), self._certificate(y, 0.1)

    def solve(self, y, *, tap, tol, start, max_products):
        return start * 0.99, self._certificate(y, tol / 10)

    def _enlarged(self, y, wrong):
        small = y.mean(1, keepdim=True).expand(-1, 3, -1, -1)
        return functional.interpolate(small, size=(32, 32)) + wrong

    def _certificate(self, y, residual):
        found = torch.full((len(y),), residual)
        return Certificate(found, found < 1e-4, message="" if residual < 1e-4 else "far from it")


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
