"""The comparison with other libraries: its data, its figures, and a run of a second."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture
def benchmarks(monkeypatch):
    """The folder of the benchmarks as a place to import from."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield
    for name in [name for name in sys.modules if name.startswith("flow_")]:
        del sys.modules[name]


@pytest.mark.usefixtures("benchmarks")
def test_a_quick_run_fills_the_report(tmp_path, monkeypatch):
    import flow_comparison

    monkeypatch.setattr(flow_comparison, "SEEDS", (0,))
    file = tmp_path / "report.json"
    words = ["--quick", "--only", "moons", "--libraries", "preimage", "--results", str(file)]
    monkeypatch.setattr(sys, "argv", ["flow_comparison.py", *words])
    flow_comparison.main()
    found = json.loads(file.read_text())
    (row,) = found["runs"]["moons"]["preimage"]
    assert row["seed"] == 0
    assert (
        abs(row["parameters"] - flow_comparison.PLANE.parameters) <= 0.05 * flow_comparison.PLANE.parameters
    )
    assert math.isfinite(row["test"])
    assert row["skipped"] == 0
    assert row["family"] in {one["family"] for one in found["pilots"]["checkerboard"]["preimage"]}
    assert found["fits"]["moons"]["preimage"][0]["steps"] == row["steps"]


@pytest.mark.usefixtures("benchmarks")
def test_figures_of_a_known_density():
    """Standard normal log-densities of standardised rows are those of the fitted normal, in data units."""
    import flow_data

    data = flow_data.DATA["circles"]()
    ready = data.ready(data.test, torch.Generator())
    log_prob = torch.distributions.Normal(0.0, 1.0).log_prob(ready).sum(1)
    exact = torch.distributions.Normal(data.shift, data.scale).log_prob(data.test).sum(1)
    torch.testing.assert_close(data.figure(data.test, ready, log_prob), -exact, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("benchmarks")
def test_bits_of_uniform_bytes():
    """A flow that is exactly uniform over the bytes needs eight bits for each."""
    import flow_data

    train = torch.randint(0, 256, (500, 1, 4, 4), generator=torch.Generator().manual_seed(0)).float()
    data = flow_data.standardised("noise", (train, train, train), whole=True, levels=256)
    ready = data.ready(train, torch.Generator().manual_seed(1))
    raw = ready * data.scale + data.shift
    # The density of logit(u) for a uniform u between the edges, in standardised units.
    log_prob = (data.scale.log() - flow_data.logit_log_slope(raw)).flatten(1).sum(1)
    bits = data.figure(train, ready, log_prob)
    torch.testing.assert_close(bits, torch.full_like(bits, 8.0), rtol=1e-3, atol=1e-3)
