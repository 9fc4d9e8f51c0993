"""Evaluation on several windows: two ways to vote, intervals, recalls, bits per dimension."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from preimage.classify import GenerativeClassifier
from preimage.eeg import EEGCosNet, EEGInvNet, evaluate
from preimage.errors import ShapeError
from preimage.flows import FixedClassConditionalNormal, Flow
from preimage.layers import Affine


class Table(nn.Module):
    """Logits that a window carries itself: its first samples."""

    def __init__(self, classes=2):
        super().__init__()
        self.classes = classes

    def logits(self, x):
        return x[:, 0, : self.classes]


def table(*rows):
    """Recordings of three windows of four samples, which hold logits of two classes."""
    return torch.tensor([[[value for pair in row for value in (*pair, 0.0, 0.0)]] for row in rows])


@pytest.mark.shows("4-9")
def test_mean_log_density_and_mean_probability_can_disagree():
    """One window that is very sure outvotes two others by log-density, not by probability."""
    x = table([(0.0, 30.0), (3.0, 0.0), (3.0, 0.0)], [(2.0, 0.0), (2.0, 0.0), (2.0, 0.0)])
    found = evaluate(Table(), x, torch.tensor([0, 0]), times=4, noise=0.0)
    assert found.predictions.tolist() == [1, 0]
    assert found.by_log_density.successes == 1
    assert found.by_probability.successes == 2
    assert (found.by_window.successes, found.by_window.trials) == (5, 6)
    sigmoid = 1 / (1 + math.exp(-3))
    assert found.probabilities[0, 0].item() == pytest.approx(2 * sigmoid / 3, abs=1e-6)
    assert found.bits_per_dim is None


@pytest.mark.shows("4-9")
def test_sensitivity_and_specificity_come_with_exact_intervals():
    logits = [(1.0, 0.0)] * 9 + [(0.0, 1.0)] + [(0.0, 1.0)] * 6 + [(1.0, 0.0)] * 4
    x = torch.tensor([[[a, b, 0.0, 0.0]] for a, b in logits])
    labels = torch.tensor([0] * 10 + [1] * 10)
    found = evaluate(Table(), x, labels, crops=1)
    assert str(found.specificity) == "90.0 % (55.5 to 99.7 %, 9 of 10)"
    wanted = stats.binomtest(6, 10).proportion_ci(method="exact")
    assert (found.sensitivity.low, found.sensitivity.high) == pytest.approx(
        (wanted.low, wanted.high), abs=1e-9
    )
    assert found.accuracy.successes == 15
    wanted = stats.binomtest(15, 20).proportion_ci(method="exact")
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


@pytest.mark.shows("4-9")
def test_bits_per_dim_are_corrected_for_the_noise():
    """The corrected figure bounds the true one from above, and comes close as the noise becomes small."""
    torch.manual_seed(0)
    means = torch.tensor([[[-1.0] * 4], [[1.0] * 4]])
    model = GenerativeClassifier(Flow(Affine(1), FixedClassConditionalNormal(means)), classes=2)
    labels = torch.arange(4000) % 2
    x = means[labels] + torch.randn(4000, 1, 4)
    entropy = 0.5 * math.log2(2 * math.pi * math.e)
    found = [evaluate(model, x, labels, crops=1, noise=noise).bits_per_dim for noise in (0.0, 0.005, 0.5)]
    assert found[0] == pytest.approx(entropy, abs=0.02)
    # A density that does not change within the noise: the correction brings the noise's own entropy along.
    for noise, bits in zip((0.005, 0.5), found[1:], strict=True):
        own = 0.5 * math.log2(2 * math.pi * math.e * noise**2)
        spread = 0.5 * noise**2 / math.log(2)
        assert bits == pytest.approx(entropy + spread - own, abs=0.03)


def test_the_model_is_left_in_its_mode_and_only_evaluated():
    model = EEGInvNet(2, 16, stages=1, blocks=1, hidden_channels=4, dropout=0.9)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x, labels = torch.randn(6, 2, 40), torch.arange(6) % 2
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    found = [evaluate(model.train(), x, labels, generator=g) for g in generators]
    assert model.training
    assert torch.equal(found[0].probabilities, found[1].probabilities)
    assert found[0].bits_per_dim == found[1].bits_per_dim


def test_recordings_in_double_precision_and_whole_recordings_are_taken():
    net = EEGCosNet(2, filters=3, window=8)
    found = evaluate(net, torch.randn(5, 2, 40).double().numpy(), [0, 1, 0, 1, 0], crops=1)
    assert found.accuracy.trials == 5


def test_more_classes_have_recalls_but_no_sensitivity():
    found = evaluate(Table(3), torch.eye(3)[:2, None], torch.tensor([0, 1]), crops=1)
    assert [recall and recall.value for recall in found.recalls] == [1.0, 1.0, None]
    with pytest.raises(ValueError, match="use recalls"):
        _ = found.sensitivity


def test_labels_that_are_no_classes_are_refused():
    with pytest.raises(ShapeError, match="labels run from 0 to 2, the model has 2"):
        evaluate(Table(), torch.zeros(2, 1, 4), torch.tensor([0, 2]), crops=1)
    with pytest.raises(ShapeError, match="wanted real numbers"):
        evaluate(Table(), torch.zeros(2, 4), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="0 or more"):
        evaluate(Table(), torch.zeros(2, 1, 4), torch.tensor([0, 1]), noise=-1.0)
    with pytest.raises(ValueError, match="1 or more"):
        evaluate(Table(), torch.zeros(2, 1, 4), torch.tensor([0, 1]), crops=0)
