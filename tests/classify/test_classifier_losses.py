"""Losses of generative classifiers against loops over rows and classes."""

import math

import pytest
import torch
from class_problems import exact_classifier

from preimage.classify import (
    ClassAndBitsLoss,
    ClassAndDensityLoss,
    ClassLoss,
    DensityLoss,
    Evidence,
    InformationBottleneckLoss,
    class_information,
)

DIMENSIONS, TEMPERATURE = 7, 2.5


@pytest.fixture
def evidence():
    generator = torch.Generator().manual_seed(0)
    table = 5 * torch.randn(6, 3, generator=generator, dtype=torch.float64) - 20
    prior = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64).log()
    labels = torch.tensor([0, 2, 1, -1, 2, -1])
    return Evidence(table, prior, torch.tensor(TEMPERATURE, dtype=torch.float64), labels, DIMENSIONS)


def in_loops(evidence, smoothing=0.0):
    """Cross-entropy, minus the log-density, and minus the marginal log-density of every row, by hand."""
    rows = []
    for table, label in zip(evidence.class_log_prob.tolist(), evidence.labels.tolist(), strict=True):
        prior = evidence.log_prior.exp().tolist()
        weights = [p * math.exp(value / TEMPERATURE) for p, value in zip(prior, table, strict=True)]
        logs = [math.log(weight / sum(weights)) for weight in weights]
        marginal = -math.log(sum(p * math.exp(value) for p, value in zip(prior, table, strict=True)))
        target = [smoothing / 3 + (1 - smoothing) * (k == label) for k in range(3)]
        entropy = -sum(t * value for t, value in zip(target, logs, strict=True)) if label >= 0 else 0.0
        rows.append((entropy, -table[label] if label >= 0 else marginal, marginal))
    return torch.tensor(rows, dtype=torch.float64).unbind(1)


@pytest.mark.shows("4-6")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_against_loops(evidence, smoothing):
    entropy, surprise, marginal = in_loops(evidence, smoothing)
    bits = surprise / (DIMENSIONS * math.log(2))
    wanted = {
        ClassAndDensityLoss(smoothing=smoothing): entropy + surprise / DIMENSIONS,
        ClassAndDensityLoss(0.3, smoothing): entropy + 0.3 * surprise,
        ClassAndBitsLoss(1.0, smoothing): (entropy + bits) / 2,
        ClassAndBitsLoss(0.25, smoothing): (entropy + 0.25 * bits) / 1.25,
        InformationBottleneckLoss(2.0, smoothing=smoothing): 2 / 3 * (marginal / DIMENSIONS + 2 * entropy),
        ClassLoss(smoothing): entropy,
        DensityLoss(): surprise / DIMENSIONS,
    }
    for loss, rows in wanted.items():
        torch.testing.assert_close(loss.rows(evidence), rows, rtol=1e-12, atol=1e-12)


@pytest.mark.shows("4-6")
def test_bits_and_density_weigh_alike(evidence):
    factor = 0.7
    alpha = factor / (DIMENSIONS * math.log(2))
    bits, density = ClassAndBitsLoss(factor).rows(evidence), ClassAndDensityLoss(alpha).rows(evidence)
    torch.testing.assert_close((1 + factor) * bits, density)


@pytest.mark.shows("4-6")
def test_temperature_is_in_the_class_term_alone():
    model = exact_classifier()
    x, labels = torch.randn(8, 2), torch.arange(8) % 2
    for loss, moves in ((DensityLoss(), False), (ClassLoss(), True), (ClassAndDensityLoss(), True)):
        rows = loss.rows(model.evidence(x, labels)).sum()
        assert rows.requires_grad == moves


def test_noise_is_for_training_alone():
    model = exact_classifier(loss=InformationBottleneckLoss(noise=0.5))
    x, labels = torch.randn(8, 2), torch.arange(8) % 2
    torch.manual_seed(0)
    model.eval()
    assert torch.equal(model.losses(x, labels), model.losses(x, labels))
    model.train()
    assert not torch.equal(model.losses(x, labels), model.losses(x, labels))


@pytest.mark.shows("4-19")
def test_the_class_says_at_most_its_own_bits(evidence):
    labelled = evidence.labels >= 0
    table, labels = evidence.class_log_prob[labelled], evidence.labels[labelled]
    wanted = 0.0
    for row, label in zip(table.tolist(), labels.tolist(), strict=True):
        prior = evidence.log_prior.exp().tolist()
        marginal = sum(p * math.exp(value) for p, value in zip(prior, row, strict=True))
        wanted += math.log2(math.exp(row[label]) / marginal) / len(labels)
    assert class_information(table, labels, evidence.log_prior) == pytest.approx(wanted, abs=1e-12)
    even = torch.full((3,), -math.log(3), dtype=torch.float64)
    for scale in (0.1, 1.0, 100.0):  # however far the densities are apart
        assert class_information(scale * table, labels, even) <= math.log2(3) + 1e-12
    certain = 1e4 * torch.nn.functional.one_hot(labels, 3).double()
    assert class_information(certain, labels, even) == pytest.approx(math.log2(3))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ClassAndDensityLoss(alpha=-1.0),
        lambda: ClassAndBitsLoss(factor=math.inf),
        lambda: ClassLoss(smoothing=1.0),
        lambda: InformationBottleneckLoss(noise=-0.1),
        lambda: InformationBottleneckLoss(beta=math.nan),
    ],
)
def test_bad_weights_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted a number"):
        wrong()
