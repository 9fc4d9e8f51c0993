"""From a decoder and pictures to a decoder that corrects what it paints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast, final

import torch
from torch import Tensor, nn

from preimage.decoders.alternate import CORRECTIONS, FIRST
from preimage.decoders.attached import Attached
from preimage.decoders.blueprint import Blueprint
from preimage.decoders.correct import measured, unrolled
from preimage.decoders.corrector_network import BLOCKS, WIDTHS, CorrectorNetwork
from preimage.decoders.network import Adapter, DecoderNetwork
from preimage.decoders.picture_decoder import PictureDecoder
from preimage.decoders.refine import refine
from preimage.decoders.search_metric import search_metric
from preimage.decoders.train import batches, check_pictures, log_error, slowed_where_wide, split
from preimage.decoders.weighing import principal
from preimage.errors import UnknownTapError
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.training import FitSettings, fit

SEARCH = (5, 18)  # products of the search that comes between trained corrections
WEIGHED = 0.75  # power of the inverse covariance of misfits among channels
FLOOR = 1e-4  # least variance of a combination of channels, relative to the largest
MEASURED = 24  # pictures on which the sizes of misfits are taken

MapTo = Callable[[str], Callable[[Tensor], Tensor]]


def train_corrector(
    attached: Attached,
    pictures: Tensor,
    settings: FitSettings | None = None,
    *,
    taps: Sequence[str] | None = None,
    held: Tensor | None = None,
    widths: Sequence[int] = WIDTHS,
    blocks: Sequence[int] = BLOCKS,
    augment: Callable[[Tensor], Tensor] | None = None,
) -> Attached:
    r"""Train a network that corrects what a decoder paints, from what the features still miss.

    ``x_0 = g(y)``, ``x_{k+1} = x_k + c(x_k, g(y) - g(f(x_k)), J^T W (y - f(x_k)), y, y - f(x_k))``: the
    decoder g stays as it is, c minimises the mean over rounds, taps and pictures of ``log |x_k - x|^2``. Some
    rounds start from the end of a search, since that is where corrections are made later on. In the end as
    much of them is made as serves held-out pictures, from nothing to all.

    Reference: Putzky and Welling 2017, Recurrent inference machines for solving inverse problems
    (https://arxiv.org/abs/1706.04008).

    Args:
        attached: an inverse and the decoder that paints for it.
        pictures: inputs of the network, ``(N, C, H, W)``; hundreds, such as the decoder was trained on.
        settings: of the run; 30 epochs with batches of 8 otherwise. A share of the pictures is held out.
        taps: labels to correct at, all of the decoder by default. Deep taps tell little more than is painted.
        held: pictures to hold out instead.
        widths: channels of the levels, finest first.
        blocks: residual blocks of the levels.
        augment: changes a batch of inputs before each step, such as a random flip.

    Returns:
        The same inverse and decoder: it paints as before, but ``solve`` begins with these corrections. Its
        ``decoder`` is what to save.

    Raises:
        ShapeError: too few pictures, or pictures of another shape.
        UnknownTapError: a tap that the decoder does not have.
        NotConvergedError: the training diverged.

    Cost: a step runs the network about 15 times forward and backward, decoder and corrector four times.

    Example:
        >>> import preimage as pi
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.ReLU())
        >>> generator = torch.Generator().manual_seed(0)
        >>> pictures = torch.nn.functional.interpolate(torch.rand(24, 3, 4, 4, generator=generator), (16, 16))
        >>> inverse = pi.invert(net, pictures[:1], taps=["1"])
        >>> settings = pi.training.FitSettings(epochs=1, batch_size=8, progress=False)
        >>> decoder = pi.decoders.train(inverse, pictures, settings, widths=(8,), blocks=(1,))
        >>> attached = decoder.attach(inverse)
        >>> attached = pi.decoders.train_corrector(attached, pictures, settings, widths=(8,), blocks=(1,))
        >>> attached.decoder.corrected
        ('1',)
    """
    settings = settings or FitSettings(epochs=30, batch_size=8, clip=1.0, average=0.99, patience=0)
    decoder = attached.decoder
    labels = tuple(attached.painted if taps is None else taps)
    unknown = [label for label in labels if label not in attached.painted]
    if unknown or not labels:
        raise UnknownTapError(f"nothing is painted from taps {unknown}; there are {list(attached.painted)}")
    check_pictures(attached.inverse, pictures)
    pictures, held = split(pictures, held, settings)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = made_for(decoder.network, labels, widths, blocks).to(pictures)
    standardise(network, decoder.network, attached.map_to, pictures[:MEASURED])
    objective = Objective(decoder, attached.map_to, augment)
    fit(network, objective, pictures, slowed_where_wide(network, settings), validation=held)
    balance(network, decoder.network, attached.map_to, batches(held))
    return decoder.with_corrector(network.eval()).attach(attached.inverse)


def made_for(
    decoder: DecoderNetwork, labels: Sequence[str], widths: Sequence[int], blocks: Sequence[int]
) -> CorrectorNetwork:
    """A new corrector for some of a decoder's taps, that corrects nothing yet."""
    plan = decoder.blueprint
    shapes = {label: plan.taps[label] for label in labels}
    network = CorrectorNetwork(Blueprint(plan.input_shape, shapes, tuple(widths), tuple(blocks)))
    network.average.copy_(decoder.average)
    network.spread.copy_(decoder.spread)
    for label in labels:
        taken = cast("Adapter", decoder.adapters[decoder.labels[label]])
        network.entry(label).wanted.centre.copy_(taken.centre)
        network.entry(label).wanted.scale.copy_(taken.scale)
    return network


@torch.no_grad()
def standardise(network: CorrectorNetwork, decoder: DecoderNetwork, maps: MapTo, x: Tensor) -> None:
    """Take weights and sizes of the misfits of painted pictures over into the network."""
    for label in network.labels:
        f, entry = maps(label), network.entry(label)
        y = f(x)
        painted = decoder(y, label, (x.shape[2], x.shape[3]))
        missing = decoder.laid_out(y - f(painted), label).transpose(0, 1).flatten(1)  # (c, N h w)
        entry.missing.scale.copy_(_positive(missing.std(1))[:, None, None])
        entry.weights.copy_(weights(missing))
        misfit = measured(f, painted, painted, y, label, decoder, network)
        entry.sizes.copy_(_positive(torch.stack([misfit.echo.std(), misfit.gradient.std()])))


def weights(missing: Tensor) -> Tensor:
    """``S^(-3/4) (c, c)``, at most 1, of misfits ``(c, P)`` with the covariance S.

    If f and g were linear and misfits independent from place to place, ``S^-1`` were the best weights; they
    are not, so combinations of channels with little misfit get somewhat less.
    """
    vectors, sizes = principal(missing.double() / missing.shape[1] ** 0.5)
    sizes = sizes.clamp_min(FLOOR * float(sizes.max()) + 1e-30)
    return ((vectors * (sizes / sizes.min()) ** -WEIGHED) @ vectors.mT).to(missing)


@torch.no_grad()
def balance(network: CorrectorNetwork, decoder: DecoderNetwork, maps: MapTo, held: Iterable[Tensor]) -> None:
    """Make as much of the corrections as serves held-out pictures, from nothing to all.

    The share of least squared error is ``<x - g(y), c> / <c, c>``, c being the first correction.
    """
    sums = torch.zeros(2, len(network.labels), dtype=torch.float64)
    for x in held:
        for i, label in enumerate(network.labels):
            f = maps(label)
            y = f(x)
            painted = decoder(y, label, (x.shape[2], x.shape[3]))
            change = next(unrolled(f, y, label, decoder, network, 1, painted)) - painted
            sums[:, i] += torch.stack([((x - painted) * change).sum(), change.square().sum()]).double().cpu()
    network.gains.copy_((sums[0] / sums[1].clamp_min(1e-30)).clamp(0, 1))


def _positive(sizes: Tensor) -> Tensor:
    return sizes.clamp_min(1e-3 * float(sizes.mean()) + 1e-12)


@final
class Objective:
    """Losses of a batch at one random tap, or at all while validating.

    Args:
        decoder: paints; it stays as it is.
        maps: label -> from inputs to features.
        augment: changes inputs before a training step.
    """

    def __init__(
        self, decoder: PictureDecoder, maps: MapTo, augment: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.decoder, self.maps, self.augment = decoder, maps, augment

    def __call__(self, network: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        """Losses ``(N,)``."""
        corrector = cast("CorrectorNetwork", network)
        x, chosen, products = batch[0], list(corrector.labels), FIRST
        if corrector.training:
            chosen = [chosen[int(torch.randint(len(chosen), ()))]]
            products = int(torch.randint(SEARCH[0], SEARCH[1] + 1, ()))
            x = x if self.augment is None else self.augment(x)
        return torch.stack([self.loss(corrector, x, label, products) for label in chosen]).mean(0)

    def loss(self, corrector: CorrectorNetwork, x: Tensor, tap: str, products: int) -> Tensor:
        """The mean over rounds at one tap, two before a search and two after it, ``(N,)``."""
        f, decoder = self.maps(tap), self.decoder.network
        with torch.no_grad():
            y = f(x)
            painted = decoder(y, tap, (x.shape[2], x.shape[3])).to(x)
        before = list(unrolled(f, y, tap, decoder, corrector, CORRECTIONS, painted))
        metric = search_metric(self.decoder.metric(tap), decoder.spread, decoder.blueprint.taps[tap])
        effort = Effort(max_products=products)
        found, _ = refine(f, y, lambda v: decoder(v, tap), metric, start=before[-1].detach(), effort=effort)
        after = unrolled(f, y, tap, decoder, corrector, CORRECTIONS, painted, start=found)
        return torch.stack([log_error(z, x) for z in (*before, *after)]).mean(0)
