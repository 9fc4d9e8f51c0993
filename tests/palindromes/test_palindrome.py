"""Whole palindromes: identities, monitors, penalties, training."""

import itertools

import pytest
import torch
from torch import nn

import preimage as pi
from preimage import palindromes
from preimage.errors import DomainError, NotConvergedError, ShapeError
from preimage.palindromes import (
    GramMonitor,
    HiddenConsistency,
    LeakyRange,
    Orthonormal,
    Palindrome,
    PseudoInverse,
    Reconstruction,
    Transpose,
    Untied,
    cross_entropy,
    gram_penalty,
    mean_square,
    palindrome,
    start_at_principal_components,
)
from preimage.training import FitSettings


def encoder(*sizes, activation=lambda: nn.LeakyReLU(0.3)):
    parts = []
    for size, following in itertools.pairwise(sizes):
        parts += [nn.Linear(size, following), activation()]
    return nn.Sequential(*parts[:-1])


def quiet(**settings):
    return FitSettings(**({"epochs": 5, "batch_size": 64, "progress": False} | settings))


def curved_data(rows=600, size=16):
    """Points on a curved surface of three dimensions, in [0, 1]."""
    hidden = torch.rand(rows, 3)
    return torch.sigmoid(4 * torch.sin(hidden @ torch.randn(3, size)) - 1)


@pytest.mark.shows("1-7")
@pytest.mark.parametrize(
    ("tie", "wanted"),
    [
        (PseudoInverse(), 183_680),
        (Transpose(), 183_680),
        (Orthonormal(), 183_680),
        (Untied(), 183_680 + 183_296),
    ],
    ids=["tied", "transposed", "orthonormal", "untied"],
)
def test_parameters_of_the_seeds_case(tie, wanted):
    network = pi.palindrome(encoder(784, 192, 128, 64), torch.zeros(1, 784), tie)
    assert sum(p.numel() for p in network.parameters()) == wanted
    assert network(torch.rand(2, 784)).shape == (2, 784)


@pytest.mark.shows("1-8")
@pytest.mark.parametrize(
    "tie", [PseudoInverse(), Orthonormal(), Untied()], ids=["tied", "orthonormal", "untied"]
)
def test_encoding_what_was_decoded_gives_the_code_again(tie):
    network = palindrome(encoder(30, 20, 12, 6).double(), torch.zeros(1, 30), tie)
    code = torch.randn(5, 6).double()
    torch.testing.assert_close(network.encode(network.decode(code)), code, rtol=1e-5, atol=1e-5)
    x, certificate = network.certified_decode(code)
    assert certificate.ok
    assert certificate.residual.max() < 1e-8
    assert torch.equal(x, network.decode(code))


def test_a_decoder_that_is_no_inverse_is_reported():
    network = palindrome(encoder(30, 20, 6), torch.zeros(1, 30), Transpose())
    with pytest.raises(NotConvergedError, match="residual"):
        network.certified_decode(torch.randn(5, 6))


@pytest.mark.shows("1-8")
def test_hidden_states_are_those_of_nested_networks():
    network = palindrome(encoder(10, 6, 4), torch.zeros(1, 10))
    x = torch.rand(7, 10)
    first = nn.functional.leaky_relu(network.layers[0](x), 0.3)
    code = network.layers[2](first)
    second = network.layers[2].mirror(code)
    (_, _), (a, b) = network.hidden(x)
    assert torch.equal(a, first)
    assert torch.equal(b, second)
    monitor = HiddenConsistency(network, x)
    assert monitor.now()["1: BijectionMirror"] == (first - second).abs().mean().item()


@pytest.mark.shows("1-8")
def test_states_before_the_first_weight_are_inputs():
    network = palindrome(nn.Sequential(LeakyRange(), nn.Dropout(0.3), encoder(10, 6, 4)), torch.zeros(1, 10))
    assert network.hidden_names() == ["2: Linear", "3: BijectionMirror"]
    assert len(network.hidden(torch.rand(3, 10))) == 2


def test_monitors_listen_to_training():
    x = curved_data()
    network = palindrome(nn.Sequential(nn.Dropout(0.3), encoder(16, 8, 3)), x[:1], Untied())
    hidden, gram = HiddenConsistency(network, x[:50]), GramMonitor(network)
    history = network.fit(x, quiet(epochs=4), listeners=[hidden, gram])
    assert len(hidden.curve) == len(gram.curve) == len(history) == 4
    assert gram.curve[-1] == gram.now()
    weights = [(layer.mirror_weight(), layer.weight) for layer in (network.layers[1], network.layers[3])]
    wanted = [(w @ v - torch.eye(len(w))).abs().mean().item() for v, w in weights]
    assert list(gram.now().values()) == pytest.approx(wanted)
    assert network.training


@pytest.mark.parametrize("loss", [mean_square, cross_entropy])
@pytest.mark.parametrize(
    "tie", [PseudoInverse(), Transpose(), Orthonormal(), Untied()], ids=lambda t: type(t).__name__
)
def test_training_lowers_the_loss(loss, tie):
    x = curved_data()
    network = palindrome(encoder(16, 8, 3), x[:1], tie)
    before = loss(network(x), x).mean()
    history = network.fit(x, quiet(learning_rate=1e-2), objective=Reconstruction(loss))
    assert loss(network(x), x).mean() < 0.9 * before
    assert min(history.column("validation_loss")) < 0.9 * before


@pytest.mark.shows("1-10")
def test_the_gram_penalty_holds_the_halves_together_and_the_determinant_does_not():
    x = curved_data()

    def trained(**weights):
        torch.manual_seed(3)
        network = palindrome(encoder(16, 8, 3), x[:1], Untied())
        network.fit(x, quiet(epochs=15, learning_rate=1e-2), objective=Reconstruction(mean_square, **weights))
        return sum(GramMonitor(network).now().values()), gram_penalty(network).item()

    free, held = trained(), trained(gram=0.1)
    assert held[0] < free[0] / 5
    assert held[1] < free[1] / 10

    torch.manual_seed(3)  # the penalty of the determinant, written out here because the library has none
    network = palindrome(encoder(16, 8, 3), x[:1], Untied())
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        losses = [torch.linalg.det(gram).abs().sqrt() for _, gram in network.grams()]
        ((network(x) - x).square().mean() + sum(losses)).backward()
        optimiser.step()
    smallest = min(torch.linalg.svdvals(gram)[-1].item() for _, gram in network.grams())
    assert smallest < 0.1  # singular, where the identity was wanted
    assert not any("det" in name for name in dir(palindromes))


def test_the_hidden_penalty_brings_the_halves_nearer():
    x = curved_data()

    def delta(weight):
        torch.manual_seed(3)
        network = palindrome(encoder(16, 8, 3), x[:1])
        network.fit(
            x, quiet(epochs=10, learning_rate=1e-2), objective=Reconstruction(mean_square, hidden=weight)
        )
        return sum(HiddenConsistency(network, x).now().values())

    assert delta(1.0) < 0.7 * delta(0.0)


@pytest.mark.parametrize("sizes", [(12, 4), (12, 8, 4), (12, 12, 5, 4)])
def test_the_start_is_the_projection_on_principal_components(sizes):
    x = (torch.randn(300, 12) * torch.arange(1, 13) + 3).double()
    network = encoder(*sizes).double()
    start_at_principal_components(network, x, edge=20)
    v = torch.linalg.svd(x, full_matrices=False)[2][:4].mT
    torch.testing.assert_close(palindrome(network, x)(x), x @ v @ v.mT, rtol=1e-6, atol=1e-6)


@pytest.mark.shows("1-9")
def test_a_start_that_passes_on_little_beside_the_code_has_small_hidden_deltas():
    x = (torch.randn(300, 12) * torch.arange(1, 13) + 3).double()
    networks, deltas, pictures = (encoder(12, 8, 4).double(), encoder(12, 8, 4).double()), [], []
    for network, beyond in zip(networks, (1.0, 0.1), strict=True):
        torch.manual_seed(3)  # the same rotations
        start_at_principal_components(network, x, edge=20, beyond=beyond)
        made = palindrome(network, x)
        deltas.append(max(HiddenConsistency(made, x).now().values()))
        pictures.append(made(x))
    torch.testing.assert_close(*pictures, rtol=1e-6, atol=1e-6)
    assert deltas[1] == pytest.approx(0.1 * deltas[0], rel=1e-3)


@pytest.mark.parametrize("beyond", [0.0, -1.0, 1.5, float("nan")])
def test_a_scale_that_cannot_be_is_refused(beyond):
    with pytest.raises(DomainError, match="above 0 and at most 1"):
        start_at_principal_components(encoder(12, 4), torch.randn(100, 12), beyond=beyond)


@pytest.mark.parametrize(
    ("network", "rows", "size"),
    [
        (encoder(12, 4), 100, 9),
        (encoder(12, 4, 6), 100, 12),
        (encoder(12, 8, 4), 6, 12),
        (nn.Sequential(nn.Tanh()), 9, 3),
        (nn.Sequential(nn.Linear(4, 2, bias=False)), 100, 4),
    ],
)
def test_a_start_that_cannot_be_is_refused(network, rows, size):
    with pytest.raises(ShapeError, match="wanted"):
        start_at_principal_components(network, torch.randn(rows, size))


def test_convolutional_palindromes_train():
    x = torch.rand(64, 1, 8, 8)
    network = palindrome(
        nn.Sequential(
            nn.Conv2d(1, 4, 2, stride=2), nn.LeakyReLU(0.3), nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10)
        ),
        x[:1],
    )
    assert network(x).shape == x.shape
    before = mean_square(network(x), x).mean()
    network.fit(x, quiet(learning_rate=3e-3))
    assert mean_square(network(x), x).mean() < before


def test_weights_are_shared_saved_and_loaded():
    first = encoder(10, 6, 4)
    network = palindrome(first, torch.zeros(1, 10))
    assert network.layers[0].weight is first[0].weight
    again = palindrome(encoder(10, 6, 4), torch.zeros(1, 10))
    again.load_state_dict(network.state_dict())
    x = torch.rand(3, 10)
    assert torch.equal(again(x), network(x))


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="does not take"):
        palindrome(encoder(10, 4), torch.zeros(1, 9))
    with pytest.raises(ShapeError, match="no layers"):
        Palindrome()


def test_sequences_are_mirrored_along_the_last_axis():
    network = palindrome(encoder(6, 4, 2).double(), torch.zeros(1, 5, 6))
    code = torch.randn(2, 5, 2).double()
    torch.testing.assert_close(network.encode(network.decode(code)), code)
