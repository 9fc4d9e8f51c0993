"""An input that the network, and others of its kind, call by a given name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from preimage.capture.interpret import evaluate
from preimage.capture.taps import TapLike
from preimage.certificate import Certificate, relative_residual
from preimage.errors import DomainError, NotInvertibleError, ShapeError
from preimage.inverse.preimages.priors.gaussian import Gaussian
from preimage.inverse.preimages.priors.norm_statistics import divergence, norms_of
from preimage.inverse.preimages.priors.views import look
from preimage.inverse.preimages.question import Question
from preimage.inverse.preimages.targets import Probabilities
from preimage.inverse.smooth import is_spatial
from preimage.inverse.solvers.nonlinear.adam import Adam
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot

INSISTENCE = 40
"""Further steps for samples that the network itself does not call by the name."""

Classes = int | Sequence[int] | Tensor | Probabilities


@final
@dataclass(frozen=True)
class Recipe:
    """How class preimages are looked for.

    Args:
        steps: descent steps, one forward and backward pass each.
        rate: of a step, in standard deviations of the prior.
        statistics: weight of the batch norm statistics.
        prior: weight of the prior of inputs.
        shift, zoom: how far random looks move and magnify, as a part of the width.
    """

    steps: int = 150
    rate: float = 0.2
    statistics: float = 6.0
    prior: float = 0.02
    shift: float = 0.08
    zoom: float = 0.25


def class_preimage(
    inverse: OneShot,
    classes: Classes,
    tap: str | TapLike | None = None,
    *,
    box: tuple[Tensor, Tensor] | None = None,
    prior: Gaussian | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> tuple[Values, Certificate]:
    """Descend on ``cross-entropy(f(view(x)), classes) + a statistics(x) + b prior(x)``.

    The statistics are those of the batch norms, see :class:`NormStatistics`; random views make that the
    answer does not hang on the pixel grid of one network. Data-free unless a prior of data is given. The
    unknown is what a normal prior calls noise, so that low frequencies move first, as in pictures.

    Reference: H. Yin et al. (2020), Dreaming to distill, https://arxiv.org/abs/1912.08795, for the
    statistics; C. Olah and others (2017), https://doi.org/10.23915/distill.00007, for the views.

    Args:
        inverse: of a classifier whose output is a row of logits for each input.
        classes: a number, several, or ``Probabilities``.
        tap: the logits; the network's output when None.
        box: lowest and highest input, broadcastable to ``(N, *event)``; approached, never left.
        prior: what inputs look like: ``Gaussian.of_data(inputs)`` is calibrated; data-free when None.
        recipe: weights and number of steps.
        seed: of start and views.

    Returns:
        x ``(N, *event)``, and a certificate: converged where the network's first answer to x itself is the
        class asked for; the residual compares the probabilities.

    Raises:
        DomainError: for a class that the network does not have.
        NotInvertibleError: for outputs that are no row of logits, or several inputs.

    Cost: ``recipe.steps`` forward and backward passes.

    Example:
        >>> import torch, preimage as pi
        >>> _ = torch.manual_seed(0)
        >>> net = torch.nn.Sequential(torch.nn.Linear(20, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
        >>> x, certificate = pi.invert(net, torch.zeros(1, 20)).class_preimage([0, 1, 2, 3])
        >>> certificate.ok, net(x).argmax(1).tolist()
        (True, [0, 1, 2, 3])
    """
    recipe = recipe or Recipe()
    question = Question(inverse, _probabilities(inverse, classes, tap), tap)
    descent = _Descent(inverse, question, prior or _data_free(question), recipe, box)
    x = descent.run(torch.Generator().manual_seed(seed))
    with torch.no_grad():
        found = question.f(x).square()
    wanted = question.wanted.square()
    right = found.argmax(1) == wanted.argmax(1)
    message = "" if bool(right.all()) else "the network's first answer is not the class asked for"
    used = torch.full_like(right, recipe.steps, dtype=torch.long)
    residual = relative_residual(found, wanted)
    return question.unpack(x), Certificate(residual, right, iterations=used, message=message)


@final
class _Descent:
    """The loss of a batch, and the way down."""

    def __init__(
        self,
        inverse: OneShot,
        question: Question,
        prior: Gaussian,
        recipe: Recipe,
        box: tuple[Tensor, Tensor] | None,
    ) -> None:
        self.graph, self.recipe, self.prior = inverse.graph, recipe, prior
        self.output = inverse.graph.outputs[0] if question.tap is None else inverse.node(question.tap)
        self.wanted, self.zeros = question.wanted.square(), question.zeros()
        self.norms = norms_of(self.graph)
        self.box = None if box is None else tuple(bound.to(self.zeros) for bound in box)
        name = self.graph.inputs[0]
        self.evaluate = lambda x: evaluate(self.graph, {name: x}, dict.fromkeys((self.output, *self.norms)))

    def run(self, generator: torch.Generator) -> Tensor:
        """From noise of the prior to an input."""
        rows = [torch.randn(row.shape, generator=generator, dtype=torch.float64) for row in self.zeros]
        u = (0.5 * torch.stack(rows)).to(self.zeros)
        adam = Adam(u, self.recipe.rate, self.recipe.steps)
        for _ in range(self.recipe.steps):
            with torch.enable_grad():
                point = u.detach().requires_grad_()
                (gradient,) = torch.autograd.grad(self.loss(point, generator), point)
            u = adam.step(u.detach(), gradient)
        return self.input(self._insist(u)).detach()

    def _insist(self, u: Tensor) -> Tensor:
        """Further, for samples that the network itself does not call by the name."""
        adam = Adam(u, self.recipe.rate, INSISTENCE)
        for _ in range(INSISTENCE):
            with torch.enable_grad():
                point = u.detach().requires_grad_()
                logits = self.evaluate(self.input(point))[self.output]
                wrong = logits.argmax(1) != self.wanted.argmax(1)
                if not bool(wrong.any()):
                    return u
                (gradient,) = torch.autograd.grad(self._misnamed(logits).sum(), point)
            u = torch.where(wrong.view(-1, *[1] * (u.dim() - 1)), adam.step(u, gradient), u)
        return u

    def _misnamed(self, logits: Tensor) -> Tensor:
        """Cross-entropy, ``(N,)``."""
        return -(self.wanted * logits.log_softmax(1)).sum(1)

    def input(self, u: Tensor) -> Tensor:
        """What an unknown means, inside the box."""
        x = self.prior.mean.to(u) + self.prior.metric.root(u)
        if self.box is None:
            return x
        low, high = self.box
        half = (high - low) / 2
        return low + half + half * ((x - low - half) / half).tanh()

    def loss(self, u: Tensor, generator: torch.Generator) -> Tensor:
        """The sum over the batch, so that no sample depends on another."""
        recipe, x = self.recipe, self.input(u)
        view = look(x, recipe.shift, recipe.zoom, generator)
        values = self.evaluate(view)
        parts = [divergence(values[name], *moments) for name, moments in self.norms.items()]
        loss = self._misnamed(values[self.output])
        loss = loss + recipe.prior * u.flatten(1).square().mean(1)
        return (loss + recipe.statistics * torch.stack(parts).mean(0) if parts else loss).sum()


def _data_free(question: Question) -> Gaussian:
    shape = question.shape
    return Gaussian.smooth(shape) if is_spatial(shape) else Gaussian.standard(shape)


def _probabilities(inverse: OneShot, classes: Classes, tap: str | TapLike | None) -> Probabilities:
    """Ones at the classes, as probabilities."""
    graph = inverse.graph
    names = graph.outputs if tap is None else (inverse.node(tap),)
    if len(names) != 1 or len(graph.shape(names[0])) != 1 or len(graph.inputs) != 1:
        raise NotInvertibleError(
            "a class preimage needs a network with one input and one row of logits; name the logits as tap="
        )
    if graph.fixed_batch not in (None, 1):
        raise NotInvertibleError("the network was captured for one batch size alone; give an example of one")
    if isinstance(classes, Probabilities):
        return classes
    count = graph.shape(names[0])[0]
    try:
        labels = torch.as_tensor(classes).reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ShapeError(f"got the classes {classes!r}; their numbers were wanted, such as [0, 3]") from error
    if len(labels) and (labels.is_floating_point() or labels.is_complex()):
        raise ShapeError("got numbers that are no classes; write Probabilities(values) for probabilities")
    if not len(labels) or int(labels.min()) < 0 or int(labels.max()) >= count:
        raise DomainError(f"got classes {labels.tolist()}; numbers from 0 to {count - 1} were wanted")
    return Probabilities(torch.nn.functional.one_hot(labels.long(), count).float())
