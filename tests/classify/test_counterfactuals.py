"""Counterfactuals: moved by class means, and by the least that changes the class."""

import pytest
import torch
from class_problems import exact_classifier, small_classifier
from scipy.optimize import minimize

from preimage.classify import GenerativeClassifier, mean_shift, smallest_move
from preimage.classify.counterfactuals.half_spaces import nearest_point
from preimage.errors import ContextError, ShapeError
from preimage.flows import ClassConditionalNormal, Flow


def rows(count, seed=0):
    return torch.randn(count, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_mean_shift_moves_latents_by_the_difference_of_the_means():
    model = small_classifier()
    x = rows(6)
    own = model.predict(x)
    found = mean_shift(model, x, 2)
    means = model.base.class_centres()
    torch.testing.assert_close(model.flow.encode(found.x), model.flow.encode(x) + means[2] - means[own])
    assert found.certificate.ok
    torch.testing.assert_close(found.distance, (means[2] - means[own]).norm(dim=1))
    torch.testing.assert_close(found.probability, model.predict_proba(found.x)[:, 2])
    back = mean_shift(model, found.x, own, source=2)
    torch.testing.assert_close(back.x, x)


def test_smallest_move_reaches_the_class_and_no_shorter_move_does():
    model = small_classifier(classes=4)
    x = rows(12)
    target = torch.arange(12) % 4
    found = smallest_move(model, x, target, margin=0.1)
    assert torch.equal(model.predict(found.x), target)
    logits = model.logits(found.x)
    lead = (
        logits.gather(1, target[:, None])[:, 0] - logits.scatter(1, target[:, None], -torch.inf).max(1).values
    )
    moved = found.distance > 1e-9
    torch.testing.assert_close(lead[moved], torch.full_like(lead[moved], 0.1), rtol=1e-6, atol=1e-6)
    z, means = model.flow.encode(x).detach().numpy(), model.base.class_centres().detach().numpy()
    for row in range(4):  # an optimiser that knows nothing of half-spaces

        def ahead(move, row=row):
            logits = -0.5 * ((z[row] + move - means) ** 2).sum(1)
            return [logits[target[row]] - logits[k] - 0.1 for k in range(4) if k != target[row]]

        best = minimize(lambda m: m @ m, [1.0, 1.0], constraints={"type": "ineq", "fun": ahead}, tol=1e-12)
        assert found.distance[row].item() == pytest.approx(best.fun**0.5, abs=1e-5)


def test_rounding_in_float32_does_not_lead_astray():
    model = small_classifier(classes=4).float()
    found = smallest_move(model, rows(12).float(), torch.arange(12) % 4, margin=1.0)
    exact = smallest_move(model.double(), rows(12), torch.arange(12) % 4, margin=1.0)
    torch.testing.assert_close(found.distance.double(), exact.distance, rtol=1e-3, atol=1e-4)


def test_curved_boundaries_are_reached_step_by_step():
    torch.manual_seed(3)
    flow = small_classifier(classes=2).flow
    base = ClassConditionalNormal(2, classes=2)
    with torch.no_grad():
        base.log_scale.copy_(torch.tensor([[0.0, 0.0], [0.7, -0.4]]))
    model = GenerativeClassifier(Flow(flow.bijection, base), 2).double().eval()
    found = smallest_move(model, rows(8), 1, steps=50)
    assert torch.equal(model.predict(found.x), torch.ones(8).long())
    stay = smallest_move(model, found.x, 1, margin=0.05)
    assert stay.distance.max() == 0


def test_half_spaces_against_projection():
    normals = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]], dtype=torch.float64)
    offsets = torch.tensor([[2.0, -1.0, 5.0]], dtype=torch.float64)
    torch.testing.assert_close(nearest_point(normals, offsets), torch.tensor([[2.0, 0.0, 0.0]]).double())


@pytest.mark.parametrize(
    ("target", "error"), [(5, ContextError), ([0, 1], ShapeError), (0.5, ShapeError), (-1, ContextError)]
)
def test_unknown_targets_are_refused(target, error):
    with pytest.raises(error):
        mean_shift(exact_classifier(), torch.zeros(3, 2), target)
