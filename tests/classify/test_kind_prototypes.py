"""Prototypes of the kinds of a class: groups that are known, and the mean of latents."""

import pytest
import torch
from class_problems import exact_classifier, small_classifier

from preimage.classify import kind_prototypes
from preimage.errors import ShapeError


def grouped(rows=40):
    """Two classes, each of two tight groups of unequal size, far apart."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[-4.0, 3.0], [-4.0, -3.0], [4.0, 2.0], [4.0, -5.0]])
    own = torch.cat([torch.full((rows,), k) for k in (0, 0, 0, 1, 2, 3, 3)])
    return centres[own] + 0.1 * torch.randn(len(own), 2, generator=generator), own // 2, centres


def test_groups_are_found_the_largest_first():
    x, labels, centres = grouped()
    found = kind_prototypes(exact_classifier(), x, labels, kinds=2)
    assert (found.prototypes.x - centres[[0, 1, 3, 2]]).abs().max() < 0.1
    assert found.prototypes.labels.tolist() == [0, 0, 1, 1]
    assert found.share.tolist() == pytest.approx([3 / 4, 1 / 4, 2 / 3, 1 / 3])
    assert (x[found.nearest] - found.prototypes.x).norm(dim=1).max() < 0.1
    assert (labels[found.nearest] == found.prototypes.labels).all()


def test_one_kind_is_the_inverse_of_the_mean_latent():
    model = small_classifier(classes=2)
    x = torch.randn(30, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30) % 3 - 1  # a third without a class
    found = kind_prototypes(model, x, labels)
    z = model.flow.encode(x)
    means = torch.stack([z[labels == label].mean(0) for label in (0, 1)])
    assert torch.allclose(model.flow.encode(found.prototypes.x), means, atol=1e-9)
    assert found.prototypes.certificate.ok
    wanted = model.class_log_prob(found.prototypes.x).diagonal()
    assert torch.allclose(found.prototypes.log_prob, wanted)
    assert found.share.tolist() == [1.0, 1.0]


def test_as_many_kinds_as_rows_are_the_rows():
    model = small_classifier(classes=2)
    x = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = kind_prototypes(model, x, torch.tensor([0, 0, 0, 1, 1, 1]), kinds=3)
    assert torch.allclose(found.prototypes.x, x[found.nearest], atol=1e-8)


def test_what_does_not_fit():
    x = torch.randn(4, 2)
    with pytest.raises(ShapeError, match="2 or more"):
        kind_prototypes(exact_classifier(), x, torch.tensor([0, 0, 0, 1]), kinds=2)
    with pytest.raises(ShapeError, match="labels"):
        kind_prototypes(exact_classifier(), x, torch.tensor([0, 1]))
    with pytest.raises(ShapeError, match="1 kind or more"):
        kind_prototypes(exact_classifier(), x, torch.tensor([0, 0, 1, 1]), kinds=0)
