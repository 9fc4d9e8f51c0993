"""EEG-InvNet: sizes, the identity at the start, inverses after training, any shape of data."""

import math

import pytest
import torch
from torch import nn

from preimage.classify import ClassAndBitsLoss, DensityLoss, load_classifier, save_classifier
from preimage.eeg import (
    AdditiveBlock,
    AffineBlock,
    AffineEEGInvNet,
    BlockSettings,
    ConvolutionConditioner,
    EEGInvNet,
    GlowEEGInvNet,
    NoisyLoss,
    down_and_up,
    downwards,
    noise_log_prob,
)
from preimage.errors import ShapeError
from preimage.layers import Affine, MaskedLULinear

SMALL = {"blocks": 1, "hidden_channels": 8, "kernel_size": 3}
EVERY = [EEGInvNet, AffineEEGInvNet, GlowEEGInvNet]


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def moved(model, size=0.1, seed=0):
    """The model with all parameters away from their start."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(size * noise.to(parameter.dtype))
    return model


@pytest.mark.shows("4-7")
@pytest.mark.parametrize(
    ("make", "wanted"), [(EEGInvNet, 3_913_272), (AffineEEGInvNet, 5_570_256), (GlowEEGInvNet, 3_913_272)]
)
def test_sizes_are_those_of_the_published_network(make, wanted):
    model = make(channels=21, times=128)
    assert parameters(model.flow.bijection) == wanted
    assert parameters(model.flow.base) == 5_376
    assert parameters(model) == wanted + 5_376 + 1
    assert model.temperature.item() == pytest.approx(200, rel=1e-6)
    assert torch.equal(model.base.class_centres(), torch.zeros_like(model.base.class_centres()))


@pytest.mark.shows("4-7")
def test_stages_see_42_by_64_84_by_32_and_168_by_16():
    seen = []
    model = EEGInvNet(hidden_channels=4, blocks=1)
    for module in model.modules():
        if isinstance(module, ConvolutionConditioner):
            module.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape[1:])))
    model.eval().flow.encode(torch.zeros(1, 21, 128))
    assert seen == [(21, 64), (42, 32), (84, 16)]  # the half that is kept of 42, 84 and 168 channels


@pytest.mark.shows("4-7")
@pytest.mark.parametrize("make", [EEGInvNet, AffineEEGInvNet])
@pytest.mark.parametrize("training", [True, False])
def test_the_network_starts_as_the_identity(make, training):
    torch.manual_seed(0)
    model = make(channels=5, times=32, **(SMALL | {"blocks": 2})).double().train(training)
    x = 3 + torch.randn(4, 5, 32, dtype=torch.float64)
    z, log_det = model.flow.bijection.forward_and_log_det(x)
    assert (z - x).abs().max() <= 1e-12
    assert log_det.abs().max() <= 1e-12
    again = model.flow.bijection(2 * x)  # no layer has adapted to the first batch
    assert (again - 2 * x).abs().max() <= 1e-12


@pytest.mark.shows("4-7")
@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize(("channels", "times"), [(1, 8), (3, 16)])
def test_log_det_is_that_of_the_jacobian(make, channels, times):
    torch.manual_seed(1)
    model = moved(make(channels, times, **SMALL).double()).eval()
    x = torch.randn(2, channels, times, dtype=torch.float64)
    z, log_det = model.flow.bijection.forward_and_log_det(x)
    for row in range(2):
        jacobian = torch.autograd.functional.jacobian(
            lambda one: model.flow.bijection(one.view(1, channels, times)).flatten(), x[row].flatten()
        )
        assert torch.linalg.slogdet(jacobian).logabsdet.item() == pytest.approx(log_det[row].item(), abs=1e-9)
    assert (model.flow.bijection.inverse(z) - x).abs().max() <= 1e-10


@pytest.mark.shows("4-7")
@pytest.mark.parametrize("make", [EEGInvNet, AffineEEGInvNet])
@pytest.mark.parametrize("times", [8, 9, 13, 127, 129])
def test_any_length_has_an_exact_density_and_no_sample_is_left_out(make, times):
    torch.manual_seed(2)
    model = moved(make(1, times, **SMALL).double()).eval()
    x = torch.randn(2, 1, times, dtype=torch.float64)
    z, log_det = model.flow.bijection.forward_and_log_det(x)
    jacobian = torch.autograd.functional.jacobian(
        lambda one: model.flow.bijection(one.view(1, 1, times)).flatten(), x[0].flatten()
    )
    assert torch.linalg.slogdet(jacobian).logabsdet.item() == pytest.approx(log_det[0].item(), abs=1e-9)
    assert (model.flow.bijection.inverse(z) - x).abs().max() <= 1e-10
    assert ((jacobian - torch.eye(times).double()).abs().amax(dim=1) > 1e-6).all()


@pytest.mark.shows("4-7")
def test_inverse_after_training_in_single_precision():
    torch.manual_seed(3)
    model = EEGInvNet(21, 128, hidden_channels=16, blocks=4)
    x = torch.randn(32, 21, 128)
    x[:16, 3] += torch.sin(torch.arange(128) / 3)
    labels = torch.arange(32) // 16
    model.fit(x, labels, epochs=6, batch_size=16, hold_out=0.0, learning_rate=5e-3, progress=False)
    model.eval()
    z = model.flow.encode(x)
    assert (z - x).abs().max() > 0.1  # it has moved
    assert (model.flow.decode(z) - x).abs().max() <= 1e-4
    prototypes = model.prototypes()
    again = model.flow.encode(prototypes.x) - model.base.class_centres()
    assert again.abs().max() <= 1e-4


@pytest.mark.shows("4-7")
def test_evidence_is_linear_in_the_latent():
    torch.manual_seed(4)
    model = moved(EEGInvNet(2, 16, **SMALL).double()).eval()
    x = torch.randn(6, 2, 16, dtype=torch.float64)
    means = model.base.class_centres().flatten(1)
    z = model.flow.encode(x).flatten(1)
    wanted = z @ (means[1] - means[0]) - 0.5 * (means[1] @ means[1] - means[0] @ means[0])
    log_prob = model.class_log_prob(x)
    assert (log_prob[:, 1] - log_prob[:, 0] - wanted).abs().max() <= 1e-10


def test_gradients_reach_every_parameter_that_can_matter():
    torch.manual_seed(5)
    model = moved(AffineEEGInvNet(2, 16, **SMALL))
    model.losses(torch.randn(8, 2, 16), torch.arange(8) % 2).mean().backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not missing


@pytest.mark.parametrize("make", EVERY)
def test_several_classes_names_and_priors(make):
    model = make(2, 16, classes=("rest", "left", "right"), priors=[0.5, 0.25, 0.25], **SMALL)
    assert model.predict_proba(torch.zeros(3, 2, 16)).shape == (3, 3)
    assert model.class_names == ("rest", "left", "right")


def test_settings_of_a_network_can_be_saved_and_loaded():
    first, second = (moved(EEGInvNet(2, 16, **SMALL), seed=seed) for seed in (0, 1))
    second.load_state_dict(first.state_dict())
    x = torch.randn(3, 2, 16)
    assert torch.equal(first.eval().class_log_prob(x), second.eval().class_log_prob(x))


@pytest.mark.parametrize("make", EVERY)
def test_a_saved_classifier_comes_back(make, tmp_path):
    model = moved(make(2, 16, classes=("healthy", "other"), **SMALL)).eval()
    again = load_classifier(save_classifier(model, tmp_path / "model"))
    x = torch.randn(3, 2, 16)
    assert torch.equal(again.class_log_prob(x), model.class_log_prob(x))
    assert again.class_names == ("healthy", "other")
    assert again.temperature.item() == model.temperature.item()


@pytest.mark.parametrize("make", [EEGInvNet, AffineEEGInvNet, GlowEEGInvNet])
def test_too_few_samples_are_refused(make):
    with pytest.raises(ShapeError, match=r"8 samples|multiple of 8"):
        make(21, 7)
    with pytest.raises(ShapeError):
        make(0, 128)


def test_lengths_that_the_plain_chain_cannot_take_are_refused_with_advice():
    with pytest.raises(ShapeError, match="take a window of 96 samples"):
        GlowEEGInvNet(2, 100)
    with pytest.raises(ValueError, match="0 or more"):
        downwards(Affine, 2, 16, stages=-1)
    with pytest.raises(ValueError, match="0 or more"):
        down_and_up(Affine, 2, 16, blocks=-1)


def test_recordings_of_another_shape_are_refused():
    model = EEGInvNet(2, 16, **SMALL)
    with pytest.raises(ShapeError, match="has shape"):
        model.class_log_prob(torch.zeros(1, 3, 16))


@pytest.mark.parametrize("settings", [{"kernel_size": 4}, {"hidden_channels": 0}])
def test_impossible_conditioners_are_refused(settings):
    with pytest.raises(ValueError, match="odd kernel"):
        EEGInvNet(2, 16, **(SMALL | settings))


def test_blocks_need_an_even_number_of_channels():
    with pytest.raises(ValueError, match="an even number"):
        AdditiveBlock(3)


@pytest.mark.parametrize("block", [AdditiveBlock, AffineBlock])
def test_a_block_is_its_parts_one_after_the_other(block):
    """Against the formula, written out with dense matrices."""
    torch.manual_seed(6)
    layer = moved(block(4, BlockSettings(3, 3, 0.0)).double()).eval()
    norm, mix, turned = layer
    rotation, coupling = turned.change.matrix, turned.inner
    x = torch.randn(2, 4, 10, dtype=torch.float64)
    scale = torch.sigmoid(norm.raw_scale) * 1.98 + 0.01
    h = scale[:, None] * (x + norm.shift[:, None])
    h = torch.einsum("ij,njt->nit", rotation @ mix.matrix, h)
    raw = coupling.conditioner(h[:, 2:])
    if block is AdditiveBlock:
        first = h[:, :2] + raw
    else:
        first = (torch.sigmoid(raw[:, 0::2]) * 1.98 + 0.01) * (h[:, :2] + raw[:, 1::2])
    wanted = torch.linalg.solve(rotation, torch.cat([first, h[:, 2:]], dim=1))
    assert (layer(x) - wanted).abs().max() <= 1e-12


def test_the_conditioner_is_two_convolutions_with_a_gain():
    torch.manual_seed(7)
    net = ConvolutionConditioner(3, 2, 5, kernel_size=11, dropout=0.5)
    kinds = [type(layer) for layer in net.layers]
    assert kinds == [nn.Conv1d, nn.ELU, nn.Dropout, nn.Conv1d]
    assert net(torch.randn(1, 3, 20)).abs().max() == 0
    assert all(p.abs().max() > 0 for p in net.layers.parameters())


def test_every_block_holds_two_masked_lu_maps():
    found = [module for module in AdditiveBlock(6).modules() if isinstance(module, MaskedLULinear)]
    assert [module.features for module in found] == [6, 6]
    assert torch.equal(found[0].matrix, torch.eye(6))
    turn = found[1].matrix
    assert (turn @ turn.mT - torch.eye(6)).abs().max() <= 1e-5


@pytest.mark.shows("4-8")
def test_noise_is_added_in_training_and_worth_its_density():
    loss = NoisyLoss(ClassAndBitsLoss(), deviation=0.005)
    torch.manual_seed(8)
    added = loss.disturbed(torch.zeros(100, 200))
    assert added.std().item() == pytest.approx(0.005, rel=0.02)
    wanted = torch.distributions.Normal(0.0, 0.005).log_prob(added).sum(1)
    assert noise_log_prob(added, 0.005).tolist() == pytest.approx(wanted.tolist(), rel=1e-5)
    for deviation in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="0 or more"):
            NoisyLoss(DensityLoss(), deviation=deviation)
    with pytest.raises(ValueError, match="positive"):
        noise_log_prob(added, 0.0)


@pytest.mark.shows("4-8")
def test_noise_keeps_a_density_bounded_where_channels_depend_on_each_other():
    """Average reference: the channels add up to zero, and the likelihood has no upper bound without noise."""
    torch.manual_seed(9)
    x = torch.randn(64, 2, 8)
    x = torch.stack([x[:, 0], -x[:, 0]], dim=1)
    labels = torch.arange(64) % 2
    found = {}
    for name, loss in {"plain": DensityLoss(), "noisy": NoisyLoss(DensityLoss(), 0.1)}.items():
        torch.manual_seed(10)
        model = EEGInvNet(2, 8, loss=loss, **(SMALL | {"blocks": 2}))
        model.fit(x, labels, epochs=60, learning_rate=0.03, hold_out=0.0, batch_size=64, progress=False)
        found[name] = model.eval().log_prob(x, labels).mean().item()
    assert found["plain"] > found["noisy"] + 10
