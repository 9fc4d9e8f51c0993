"""The preimage that a user asks for: the methods of an inverse that search."""

from __future__ import annotations

from abc import ABC

from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate
from preimage.inverse.entry import entry
from preimage.inverse.one_shot import OneShot
from preimage.inverse.posterior import ask
from preimage.inverse.posterior.posterior import Posterior
from preimage.inverse.preimages import (
    attainability,
    boxed,
    class_preimage,
    minimum_norm,
    nearest,
    sample,
    solve,
    with_prior,
)
from preimage.inverse.preimages.attainability import Attainable
from preimage.inverse.preimages.class_preimage import Classes, Recipe
from preimage.inverse.preimages.null_space import NullSpace
from preimage.inverse.preimages.priors.gaussian import Gaussian
from preimage.inverse.preimages.priors.objective import Objective
from preimage.inverse.preimages.question import Wanted
from preimage.inverse.preimages.targets import Target
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.watch import Progress, Watch
from preimage.inverse.values import Values


class OnDemand(OneShot, ABC):
    """An inverse that searches for the preimage that is asked for, with a certificate for each sample."""

    @entry
    def solve(
        self,
        y: Wanted,
        tap: str | TapLike | None = None,
        *,
        tol: float = 1e-5,
        start: Values | None = None,
        max_products: int = 200,
        progress: Progress | None = None,
    ) -> tuple[Values, Certificate]:
        """Refine until f(x) = y: damped Gauss-Newton steps that change only what f sees.

        With calibration data the steps are the most probable ones given how the decoder errs; without, the
        shortest ones. See :func:`preimage.inverse.preimages.solve.solve`.

        Args:
            y: values at the tap, ``(N, *event)``; a tuple for a network with several outputs; or a target
                such as ``preimages.Probabilities``.
            tap: label, value or module path; the network's output by default.
            tol: relative residual |f(x) - y| / |y| that counts as solved.
            start: first guess; by default the calibrated answer where there is one, else the data-free one.
            max_products: Jacobian products to spend on any sample in an attempt, each about one forward pass.
            progress: called after each step with its number and the relative residuals ``(N,)``; when it
                returns True the solve stops. ``preimage.ProgressBar()`` draws a bar.

        Returns:
            x and the certificate: converged or not for each sample, and the products used as ``iterations``.
            A solve that is stopped, by ``progress`` or by the interrupt key, returns its best answer so far,
            and the certificate's message says so.

        Example:
            >>> import torch, preimage as pi
            >>> _ = torch.manual_seed(0)
            >>> net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.GELU(), torch.nn.Linear(3, 2))
            >>> inverse = pi.invert(net.double(), torch.zeros(1, 3).double())
            >>> x, certificate = inverse.solve(net(torch.ones(1, 3).double()).detach(), tol=1e-9)
            >>> certificate.ok
            True
        """
        if self.graph.whole and not isinstance(y, Target):
            return self.data_free(y, tap)  # between whole numbers there is nothing to refine
        watch = Watch(progress)
        effort = Effort(tolerance=tol, max_products=max_products, watch=watch)
        return solve.solve(self, y, tap, start, effort)

    @entry
    def minimum_norm(
        self, y: Wanted, tap: str | TapLike | None = None, *, tol: float = 1e-6, steps: int = 50
    ) -> tuple[Values, Certificate]:
        """The smallest x with f(x) = y; see :func:`preimage.inverse.preimages.minimum_norm.minimum_norm`."""
        return minimum_norm.minimum_norm(self, y, tap, tol=tol, steps=steps)

    @entry
    def nearest(
        self, y: Wanted, to: Values, tap: str | TapLike | None = None, *, tol: float = 1e-6, steps: int = 50
    ) -> tuple[Values, Certificate]:
        """The x with f(x) = y nearest to another input.

        See :func:`preimage.inverse.preimages.nearest.nearest`.
        """
        return nearest.nearest(self, y, to, tap, tol=tol, steps=steps)

    @entry
    def boxed(
        self,
        y: Wanted,
        low: Tensor | float = 0.0,
        high: Tensor | float = 1.0,
        tap: str | TapLike | None = None,
        *,
        to: Values | None = None,
        tol: float = 1e-6,
        steps: int = 50,
        max_products: int = 200,
    ) -> tuple[Values, Certificate]:
        """An x with f(x) = y and low <= x <= high; see :func:`preimage.inverse.preimages.boxed.boxed`."""
        return boxed.boxed(self, y, low, high, tap, to=to, tol=tol, steps=steps, max_products=max_products)

    @entry
    def with_prior(
        self,
        y: Wanted,
        prior: Objective,
        tap: str | TapLike | None = None,
        *,
        start: Values | None = None,
        tol: float = 1e-6,
        steps: int = 50,
    ) -> tuple[Values, Certificate]:
        """The x with f(x) = y that a prior likes best.

        See :func:`preimage.inverse.preimages.with_prior.with_prior`.
        """
        return with_prior.with_prior(self, y, prior, tap, start=start, tol=tol, steps=steps)

    @entry
    def attainable(
        self,
        y: Wanted,
        tap: str | TapLike | None = None,
        *,
        low: Tensor | float | None = None,
        high: Tensor | float | None = None,
        tol: float = 1e-6,
        nodes: int = 200,
    ) -> Attainable:
        """An x with f(x) = y, or the proof that there is none, for networks of straight pieces.

        See :func:`preimage.inverse.preimages.attainability.attainable`.
        """
        return attainability.attainable(self, y, tap, low=low, high=high, tol=tol, nodes=nodes)

    @entry
    def null_space(
        self, x: Values, tap: str | TapLike | None = None, *, tol: float | None = None
    ) -> NullSpace:
        """The changes of x that f does not see.

        See :class:`preimage.inverse.preimages.null_space.NullSpace`.
        """
        return NullSpace(self, x, tap, tol=tol)

    @entry
    def sample(
        self,
        y: Wanted,
        count: int,
        tap: str | TapLike | None = None,
        *,
        spread: float = 1.0,
        tol: float = 1e-6,
        seed: int = 0,
    ) -> tuple[Values, Certificate]:
        """Several x with f(x) = y; see :func:`preimage.inverse.preimages.sample.sample`."""
        return sample.sample(self, y, count, tap, spread=spread, tol=tol, seed=seed)

    @entry
    def posterior(
        self, y: Values, tap: str | TapLike | None = None, *, prior: Gaussian | None = None
    ) -> Posterior:
        """The distribution of x given y: a mean, intervals and draws.

        See :func:`preimage.inverse.posterior.ask.posterior`.
        """
        return ask.posterior(self, y, tap, prior=prior)

    @entry
    def class_preimage(
        self,
        classes: Classes,
        tap: str | TapLike | None = None,
        *,
        box: tuple[Tensor, Tensor] | None = None,
        prior: Gaussian | None = None,
        recipe: Recipe | None = None,
        seed: int = 0,
    ) -> tuple[Values, Certificate]:
        """An input that the network calls by a given name.

        See :func:`preimage.inverse.preimages.class_preimage.class_preimage`.
        """
        return class_preimage.class_preimage(
            self, classes, tap, box=box, prior=prior, recipe=recipe, seed=seed
        )
