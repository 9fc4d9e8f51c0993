"""Small problems with known answers."""

import torch

from preimage.bijection import Chain
from preimage.classify import GenerativeClassifier
from preimage.flows import FixedClassConditionalNormal, Flow, UnitClassConditionalNormal, realnvp


def blobs(rows, seed=0, distance=3.0):
    """Two round clouds, ``distance`` apart along the first axis, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % 2
    x = torch.randn(rows, 2, generator=generator)
    return x + distance * (labels[:, None] - 0.5) * torch.tensor([1.0, 0.0]), labels


def exact_classifier(distance=3.0, **arguments):
    """The classifier that :func:`blobs` are drawn from: the identity and two fixed normals."""
    means = torch.tensor([[-distance / 2, 0.0], [distance / 2, 0.0]])
    return GenerativeClassifier(Flow(Chain(), FixedClassConditionalNormal(means)), 2, **arguments)


def small_classifier(classes=3, seed=0, **arguments):
    """A random nonlinear classifier of pairs, in float64."""
    torch.manual_seed(seed)
    bijection = realnvp(2, transforms=2, hidden_features=(8,)).bijection
    base = UnitClassConditionalNormal(2, classes=classes, means=torch.randn(classes, 2))
    model = GenerativeClassifier(Flow(bijection, base), classes, **arguments).double()
    with torch.no_grad():
        for parameter in model.flow.bijection.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()
