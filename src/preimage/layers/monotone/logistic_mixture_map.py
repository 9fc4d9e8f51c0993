"""The distribution function of a learned mixture, as a map."""

from __future__ import annotations

from typing import final

from torch import Tensor

from preimage.functional.scalar.bounded import bounded_exp
from preimage.functional.scalar.logistic_mixture import LogisticMixture
from preimage.layers.coupling.affine_map import AffineMap
from preimage.layers.coupling.element_map import ElementMap


@final
class LogisticMixtureMap(ElementMap):
    r"""Mixture-CDF map, :math:`y = e^{a} \big((1 - \lambda) \operatorname{logit} F(x) + \lambda x\big) + b`
    with :math:`F = \sum_k \pi_k\, \sigma\big(\tfrac{x - \mu_k}{s_k}\big)`.

    From the line onto the line: the distribution function of a mixture of logistic distributions, the logit,
    and a scale and shift. Far out it is a straight line. 3 K + 2 parameters an element: K weights (softmax),
    K means, K log-scales, log-scale and shift at the end; zeros give the identity. The small share
    :math:`\lambda` of x bounds the slope from below: between components that lie far apart the logit alone is
    so flat that nothing can be inverted there.

    The inverse is bracketed by what the single components alone would give, in closed form, so that the
    search cannot fail, and has implicit gradients.

    Reference: Ho, Chen, Srinivas, Duan, Abbeel (2019), Flow++, https://arxiv.org/abs/1902.00275

    Args:
        components: number of logistic distributions K, 1 or more.
        sharpness: scales lie between 1 / sharpness and sharpness; above 1.
        line: the share of x lambda, from 0, the map of the paper, to below 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element forward, and some twenty times that in the inverse.

    Example:
        >>> import torch
        >>> mixture = LogisticMixtureMap(components=4)
        >>> x, raw = torch.tensor([0.3, -1e6]), torch.linspace(-1, 1, 28).view(2, 14)
        >>> torch.allclose(mixture.inverse_elements(mixture.forward_elements(x, raw)[0], raw)[0], x)
        True
    """

    def __init__(self, components: int = 8, sharpness: float = 16.0, line: float = 0.01) -> None:
        super().__init__(count=3 * components + 2)
        if components < 1 or not (sharpness > 1 and 0 <= line < 1):
            raise ValueError(
                f"LogisticMixtureMap: {components} components, sharpness {sharpness} and line {line}, wanted"
                " one or more components, a sharpness above 1 and a line from 0 to 1, as in (8, 16.0, 0.01)"
            )
        self.components, self.sharpness, self.line = components, sharpness, line
        self.affine = AffineMap()

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Distribution function, logit, scale and shift."""
        mixture, last = self._unpack(raw)
        value, slope = mixture.blend(x, self.line)
        y, log_scale = self.affine.forward_elements(value, last)
        return y, slope.log() + log_scale

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and scale back, then search."""
        mixture, last = self._unpack(raw)
        value, log_scale = self.affine.inverse_elements(y, last)
        x = mixture.blend_root(value, self.line)
        return x, log_scale - mixture.blend(x, self.line)[1].log()

    def _unpack(self, raw: Tensor) -> tuple[LogisticMixture, Tensor]:
        count = self.components
        weights, means, scales, last = raw.split([count, count, count, 2], dim=-1)
        return LogisticMixture(weights.log_softmax(-1), means, bounded_exp(scales, self.sharpness)), last

    def extra_repr(self) -> str:
        """The settings."""
        return f"components={self.components}, sharpness={self.sharpness:g}, line={self.line:g}"
