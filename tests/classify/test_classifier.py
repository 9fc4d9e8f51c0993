"""A generative classifier is Bayes' rule, and learns to be."""

import math

import pytest
import torch
from class_problems import blobs, exact_classifier, small_classifier
from torch.utils.data import TensorDataset

import preimage as pi
from preimage import flows
from preimage.bijection import Chain
from preimage.classify import (
    ClassAndBitsLoss,
    ClassAndDensityLoss,
    ClassLoss,
    DensityLoss,
    GenerativeClassifier,
    InformationBottleneckLoss,
    class_frequencies,
    load_classifier,
    picture_classifier,
    save_classifier,
    vector_classifier,
)
from preimage.errors import ContextError, ModelFileError, ShapeError
from preimage.flows import (
    ClassConditionalJoint,
    FixedClassConditionalNormal,
    Flow,
    Normal,
    UnitClassConditionalNormal,
    equidistant_means,
    glow,
    maf,
    realnvp,
)
from preimage.layers import Affine, LULinear


def test_probabilities_are_those_of_bayes():
    model = exact_classifier(priors=[0.8, 0.2])
    x, _ = blobs(50)
    ahead = 3.0 * x[:, 0] + math.log(0.2 / 0.8)
    torch.testing.assert_close(model.predict_proba(x)[:, 1], torch.sigmoid(ahead))
    assert torch.equal(model.predict(x), (ahead > 0).long())


def test_temperature_divides_the_densities_and_not_the_priors():
    cold, warm = exact_classifier(priors=[0.8, 0.2]), exact_classifier(priors=[0.8, 0.2], temperature=5.0)
    x, _ = blobs(20)
    torch.testing.assert_close(warm.logits(x), cold.class_log_prob(x) / 5 + cold.log_prior)
    torch.testing.assert_close(warm.log_prob(x), cold.log_prob(x))


def test_densities_of_classes_against_the_flow():
    model = small_classifier(priors=[0.5, 0.3, 0.2])
    x = torch.randn(6, 2, dtype=torch.float64)
    table = model.class_log_prob(x)
    for label in range(3):
        labels = torch.full((6,), label)
        torch.testing.assert_close(table[:, label], model.flow.log_prob(x, labels), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(table[:, label], model.log_prob(x, label), rtol=1e-12, atol=1e-12)
    mixed = (table.exp() * torch.tensor([0.5, 0.3, 0.2])).sum(1).log()
    torch.testing.assert_close(model.log_prob(x), mixed, rtol=1e-6, atol=1e-6)  # priors came in float32


@pytest.mark.shows("4-5")
def test_log_odds_are_linear_in_the_latent():
    model = small_classifier(classes=2)
    x = torch.randn(40, 2, dtype=torch.float64)
    z, means = model.flow.encode(x), model.base.class_centres()
    table = model.class_log_prob(x)
    wanted = z @ (means[1] - means[0]) - (means[1].square().sum() - means[0].square().sum()) / 2
    torch.testing.assert_close(table[:, 1] - table[:, 0], wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "loss", [ClassAndDensityLoss(), ClassAndBitsLoss(), InformationBottleneckLoss(noise=0.05), DensityLoss()]
)
def test_learns_two_clouds(loss):
    x, labels = blobs(400, distance=4.0)
    torch.manual_seed(0)
    bijection = realnvp(2, transforms=2, hidden_features=(16,)).bijection
    start = equidistant_means(2, 2, distance=1.0)
    base = UnitClassConditionalNormal(2, classes=2, means=start)
    model = GenerativeClassifier(Flow(bijection, base), 2, loss=loss)
    model.fit(x, labels, epochs=20, batch_size=32, learning_rate=2e-2, progress=False)
    held, truth = blobs(400, seed=1, distance=4.0)
    right = (model.predict(held) == truth).double().mean()
    assert right > 0.95  # the best possible is 0.977
    assert len(model.history) == 20


@pytest.mark.shows("4-6")
def test_rows_without_labels_make_a_few_labels_go_further():
    x, labels = blobs(600, distance=4.0)
    known = torch.full_like(labels, -1)
    known[:10] = labels[:10]
    torch.manual_seed(1)
    bijection = Chain(LULinear(2), Affine(2))
    base = FixedClassConditionalNormal(torch.tensor([[-2.0, 0.0], [2.0, 0.0]]))
    model = GenerativeClassifier(Flow(bijection, base), 2)
    model.fit(x[:10], labels[:10], epochs=60, batch_size=10, hold_out=0.0, learning_rate=2e-2, progress=False)
    held, truth = blobs(500, seed=1, distance=4.0)
    with torch.no_grad():
        before = model.log_prob(held, truth).mean()
    model.fit(x, known, epochs=20, batch_size=60, learning_rate=2e-2, progress=False)
    with torch.no_grad():
        assert model.log_prob(held, truth).mean() > before + 0.1
    assert (model.predict(held) == truth).double().mean() > 0.95  # the best possible is 0.977


def test_temperature_is_learnt_where_the_loss_uses_it():
    x, labels = blobs(300)
    fitted = exact_classifier(temperature=4.0, loss=ClassLoss())
    fitted.fit(x, labels, epochs=40, batch_size=100, learning_rate=5e-2, progress=False)
    assert fitted.temperature.item() == pytest.approx(1.0, abs=0.35)
    still = exact_classifier(temperature=4.0, loss=DensityLoss())
    assert not still.losses(x, labels).requires_grad


def test_training_mode_and_data_sets():
    x, labels = blobs(64)
    model = vector_classifier(2, 2, transforms=1, hidden_features=(4,)).eval()
    model.fit(TensorDataset(x, labels), epochs=1, progress=False, validation=(x, labels))
    assert not model.training
    with pytest.raises(ShapeError, match="wanted data and labels"):
        model.fit(x, epochs=1, progress=False)


def test_several_latents():
    flow = glow((2, 8), levels=2, steps=1, hidden_features=(4,))
    base = ClassConditionalJoint(level_2=UnitClassConditionalNormal(4, 2, classes=2), level_1=Normal(2, 4))
    model = GenerativeClassifier(Flow(flow.bijection, base), 2)
    x = torch.randn(10, 2, 8)
    model.fit(x, torch.arange(10) % 2, epochs=1, batch_size=5, progress=False)
    model.eval()
    table = model.class_log_prob(x)
    torch.testing.assert_close(table[:, 1], model.log_prob(x, 1))
    assert model.prototypes().x.shape == (2, 2, 8)
    assert model.sample(3, 1).shape == (3, 2, 8)


def test_samples_are_of_their_class():
    model = exact_classifier(distance=8.0, priors=[0.7, 0.3])
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(model.predict(model.sample(200, 1, generator=generator)), torch.ones(200).long())
    mixed = model.predict(model.sample(2000, generator=generator)).double().mean()
    assert mixed == pytest.approx(0.3, abs=0.04)


@pytest.mark.shows("4-11")
def test_inverted_class_means_encode_to_the_means():
    model = small_classifier()
    found = model.prototypes()
    torch.testing.assert_close(model.flow.encode(found.x), model.base.class_centres(), rtol=1e-9, atol=1e-9)
    assert found.certificate.ok
    assert found.certificate.residual.max() <= 1e-4
    torch.testing.assert_close(found.log_prob, model.log_prob(found.x, torch.arange(3)))
    every = torch.arange(3)
    torch.testing.assert_close(found.probability, model.predict_proba(found.x)[every, every])


def test_pictures_of_bytes():
    torch.manual_seed(0)
    sizes = {"steps": (1, 1), "hidden_channels": (4, 4), "readout_channels": 8}
    model = picture_classifier((1, 8, 8), ("a", "b"), **sizes).double()
    x = torch.randint(0, 256, (32, 1, 8, 8), dtype=torch.uint8)
    model.fit(x, torch.arange(32) % 2, epochs=1, batch_size=16, progress=False)
    model.eval()
    found = model.prototypes()
    assert found.certificate.ok
    assert found.x.min() >= -0.02
    assert found.x.max() <= 1.02
    assert model.predict_proba(x).sum(1).sub(1).abs().max() < 1e-5
    assert model.sample(2, 0).max() <= 255


def test_signals_and_bad_sizes():
    model = picture_classifier(
        (3, 16), 2, steps=(1,), hidden_channels=(4,), readout_channels=4, grey_levels=0
    )
    assert model.class_log_prob(torch.rand(5, 3, 16)).shape == (5, 2)
    with pytest.raises(ValueError, match="multiples of 4"):
        picture_classifier((1, 6, 6), 2, steps=(1, 1), hidden_channels=(4, 4))


def test_files(tmp_path):
    model = vector_classifier(2, ("cat", "dog"), transforms=1, priors=[0.9, 0.1], temperature=3.0)
    model.eval()
    x = torch.randn(5, 2)
    again = load_classifier(save_classifier(model, tmp_path / "model"))
    assert again.class_names == ("cat", "dog")
    assert torch.equal(again.logits(x), model.logits(x))
    save_classifier(model, tmp_path / "model")  # over itself
    with pytest.raises(ModelFileError):
        load_classifier(tmp_path)
    with pytest.raises(ModelFileError, match="put together by hand"):
        save_classifier(exact_classifier(), tmp_path / "other")


def test_class_frequencies():
    torch.testing.assert_close(
        class_frequencies([0, 0, 1, -1], 3, pseudo_count=0.5), torch.tensor([2.5, 1.5, 0.5]) / 4.5
    )


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda: GenerativeClassifier(Flow(Chain(), Normal(2)), 2), ContextError, "ClassConditionalNormal"),
        (lambda: exact_classifier(priors=[0.5, 0.6]), ValueError, "add up"),
        (lambda: exact_classifier(priors=[1.0, 0.0]), ValueError, "positive"),
        (lambda: exact_classifier(temperature=0.0), ValueError, "positive"),
        (
            lambda: GenerativeClassifier(Flow(Chain(), UnitClassConditionalNormal(2, classes=3)), 2),
            ContextError,
            "write classes=3",
        ),
        (
            lambda: GenerativeClassifier(
                Flow(maf(2, context=1).bijection, UnitClassConditionalNormal(2, classes=2)), 2
            ),
            ContextError,
            "without",
        ),
        (lambda: exact_classifier().log_prob(torch.zeros(1, 2), 2), ContextError, "wanted 0 to 1"),
        (lambda: exact_classifier().predict([[0.0, 1.0]]), ShapeError, "as_tensor"),
        (lambda: vector_classifier(2, 2, bijection="none"), ValueError, "wanted one of"),
    ],
)
def test_bad_arguments_are_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        wrong()


def test_bytes_get_the_same_answer_at_every_call() -> None:
    base = flows.UnitClassConditionalNormal(4, classes=2, means=torch.tensor([[-0.1] * 4, [0.1] * 4]))
    model = GenerativeClassifier(
        flows.Flow(pi.layers.Affine(4), base, surjection=pi.layers.Dequantisation(4)), classes=2
    ).eval()
    x = torch.randint(0, 4, (20, 4))
    torch.testing.assert_close(model.predict_proba(x), model.predict_proba(x), rtol=0, atol=0)
    wanted = model.base.class_log_prob(model.flow.bijection((x + 0.5) / 4)).softmax(1)
    torch.testing.assert_close(model.predict_proba(x), wanted)
    assert not torch.equal(model.class_log_prob(x), model.class_log_prob(x))


def test_other_surjections_answer_with_one_fixed_draw() -> None:
    surjection = pi.layers.ArgmaxSurjection(pi.layers.GaussianNoise(3))
    base = flows.UnitClassConditionalNormal(3, classes=2)
    model = GenerativeClassifier(flows.Flow(pi.layers.Affine(3), base, surjection=surjection), classes=2)
    x = torch.tensor([0, 2, 1])
    torch.testing.assert_close(model.predict_proba(x), model.predict_proba(x), rtol=0, atol=0)
