"""A layer that starts as the identity is put into a chain, and what is none is refused."""

import pytest
import torch
from torch import nn

from preimage import Chain
from preimage.classify import ClassAndBitsLoss
from preimage.eeg import AdditiveBlock, AffineBlock, BlockSettings, EEGInvNet
from preimage.errors import NotInvertibleError
from preimage.layers import Affine, Coupling, LeakyReLU, LULinear, Split, grow_chain
from preimage.nets import MLP


@pytest.mark.shows("4-21")
@pytest.mark.parametrize("block", [AdditiveBlock, AffineBlock])
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_block_put_into_a_trained_network_keeps_its_function(block, stage):
    torch.manual_seed(stage)
    model = EEGInvNet(3, 32, blocks=1, hidden_channels=8)
    x, labels = torch.randn(16, 3, 32), torch.arange(16) % 2
    model.fit(x, labels, epochs=3, learning_rate=5e-3, batch_size=16, hold_out=0.0, progress=False)
    model.eval()
    before = model.class_log_prob(x)
    haar_steps = stage + 1
    added = block(3 * 2**haar_steps, BlockSettings(hidden_channels=8))
    grown = grow_chain(model.flow.bijection, (stage, haar_steps + 1), added, x)
    z = model.flow.bijection(x)
    assert (grown(x) - z).abs().max() <= 1e-6 * max(1.0, z.abs().max())
    model.flow.bijection = grown
    change = (model.class_log_prob(x) - before).abs().max() / (x[0].numel())
    assert change <= 1e-6
    model.loss = ClassAndBitsLoss()
    model.train().losses(x, labels).mean().backward()
    assert added[2].inner.conditioner.gain.grad.any()  # it can learn from the first step on


@pytest.mark.shows("4-21")
def test_every_place_of_a_plain_chain():
    torch.manual_seed(0)
    chain = Chain(LULinear.from_matrix(torch.randn(4, 4)), LeakyReLU(0.5), Affine(4))
    x = torch.randn(5, 4)
    for place in range(4):
        net = Coupling(torch.tensor([True, True, False, False]), MLP(2, 4, (8,)))
        grown = grow_chain(chain, place, net, x)
        assert len(grown) == 4
        assert grown[place] is net
        assert torch.allclose(grown(x), chain(x), atol=1e-6)
    assert len(chain) == 3


def test_modes_stay_as_they_were():
    chain = Chain(Affine(2), LeakyReLU(0.5)).train()
    chain[1].eval()
    grown = grow_chain(chain, 0, Affine(2).eval(), torch.zeros(1, 2))
    assert [layer.training for layer in grown] == [False, True, False]
    assert grown.training
    assert chain.training


def test_what_changes_the_function_is_refused():
    with pytest.raises(NotInvertibleError, match="starts as the identity"):
        grow_chain(Chain(Affine(2)), 0, LeakyReLU(0.5), -torch.ones(1, 2))
    scaled = Affine(2)
    nn.init.constant_(next(scaled.parameters()), 0.5)
    with pytest.raises(NotInvertibleError, match="log_det"):
        grow_chain(Chain(Affine(2)), 1, scaled, torch.zeros(1, 2))


@pytest.mark.parametrize("place", [-1, 3, (0, 0), (2, 0), ()])
def test_places_that_do_not_exist_are_refused(place):
    with pytest.raises(IndexError, match="leads"):
        grow_chain(Chain(Affine(2), Affine(2)), place, Affine(2), torch.zeros(1, 2))


def test_chains_that_give_several_tensors():
    chain = Chain(Affine(3), Split([1, 2]))
    grown = grow_chain(chain, 1, LULinear(3), torch.randn(2, 3))
    assert len(grown(torch.randn(2, 3))) == 2
