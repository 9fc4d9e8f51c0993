"""Bases whose elements are independent, each with its own location and scale."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn

from preimage.checks import Context, reference_tensor
from preimage.domains import Reals
from preimage.errors import ShapeError
from preimage.flows.bases.base import Base, check_temperature
from preimage.flows.bases.standard import Standard, StandardLogistic, StandardNormal, StandardStudentT
from preimage.flows.bases.truncated import TruncatedNormal
from preimage.functional.event import sum_event


class LocationScale(Base, abc.ABC):
    r"""Independent elements, :math:`z_i = \mu_i + \sigma_i u_i` with u of a standard distribution.

    .. math:: \log p(z) = \sum_i \log p_0\left(\frac{z_i - \mu_i}{\sigma_i}\right) - \log \sigma_i

    Args:
        event_shape: shape of one latent.
        standard: the distribution of u.
    """

    def __init__(self, event_shape: tuple[int, ...], standard: Standard) -> None:
        super().__init__(event_shape)
        self.event_shape = event_shape
        self.standard = standard

    @abc.abstractmethod
    def location_and_log_scale(self, context: Context) -> tuple[Tensor, Tensor]:
        """Both, each broadcasting to ``(N, *event)``, in the dtype of the draws."""

    def log_prob(self, z: Tensor, context: Context = None) -> Tensor:
        """The log-density of every row ``(N,)``."""
        location, log_scale = self.location_and_log_scale(context)
        u = (z - location) * torch.exp(-log_scale)
        return sum_event(self.standard.log_density(u) - log_scale)

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw u, scale it and move it ``(N, *event)``."""
        location, log_scale = self.location_and_log_scale(context)
        like = location.new_empty(rows, *self.event_shape)
        return location + log_scale.exp() * self.standard.draw(like, generator)

    def tempered(self, temperature: float) -> Base:
        """The scale multiplied."""
        return _Tempered(self, temperature)

    def truncated(self, bound: float) -> Base:
        """Every element within ``bound`` standard deviations of its location, for normal latents."""
        if isinstance(self.standard, StandardNormal):
            return TruncatedNormal(self, bound)
        return super().truncated(bound)


class _Tempered(LocationScale):
    """Another location-scale base with its scale multiplied."""

    def __init__(self, base: LocationScale, temperature: float) -> None:
        super().__init__(base.event_shape, base.standard)
        check_temperature(f"{type(base).__name__}.tempered", temperature)
        self.base, self.log_temperature = base, math.log(temperature)
        self.domain, self.context_domain = base.domain, base.context_domain

    def location_and_log_scale(self, context: Context) -> tuple[Tensor, Tensor]:
        """Those of the base, the scale multiplied."""
        location, log_scale = self.base.location_and_log_scale(context)
        return location, log_scale + self.log_temperature


class _Unconditional(LocationScale):
    """Location and scale that are the same for every row, fixed at 0 and 1 or learnt."""

    def __init__(self, event_shape: tuple[int, ...], standard: Standard, learn: bool) -> None:
        super().__init__(event_shape, standard)
        for name in ("location", "log_scale"):
            zeros = torch.zeros(event_shape)
            if learn:
                self.register_parameter(name, nn.Parameter(zeros))
            else:
                self.register_buffer(name, zeros)
        self.location: Tensor
        self.log_scale: Tensor

    def location_and_log_scale(self, context: Context) -> tuple[Tensor, Tensor]:
        """The parameters."""
        return self.location, self.log_scale


class Normal(_Unconditional):
    r"""Independent normal latents, :math:`z \sim \mathcal N(\mu, \operatorname{diag} \sigma^2)`.

    Args:
        event_shape: sizes of one latent, ``Normal(8)`` or ``Normal(3, 32, 32)``.
        learn: whether location and scale are parameters, starting at 0 and 1; fixed there otherwise.

    Raises:
        ValueError: a size is not positive.

    Cost: O(numel(z)).

    Example:
        >>> import torch
        >>> Normal(2).log_prob(torch.zeros(1, 2))
        tensor([-1.8379])
    """

    def __init__(self, *event_shape: int, learn: bool = False) -> None:
        super().__init__(event_shape, StandardNormal(), learn)


class Logistic(_Unconditional):
    r"""Independent logistic latents, with heavier tails than the normal distribution.

    Reference: Dinh, Krueger, Bengio (2015), NICE, section 3.4, https://arxiv.org/abs/1410.8516

    Args:
        event_shape: sizes of one latent.
        learn: whether location and scale are parameters.

    Cost: O(numel(z)).

    Example:
        >>> import torch
        >>> Logistic(1).log_prob(torch.zeros(1, 1))
        tensor([-1.3863])
    """

    def __init__(self, *event_shape: int, learn: bool = False) -> None:
        super().__init__(event_shape, StandardLogistic(), learn)


class StudentT(_Unconditional):
    r"""Independent Student-t latents: a flow keeps the tail index of its base, so heavy tails start here.

    Reference: Jaini, Kobyzev, Yu, Brubaker (2020), Tails of Lipschitz triangular flows,
    https://arxiv.org/abs/1907.04481

    Args:
        event_shape: sizes of one latent.
        degrees: degrees of freedom at the start, positive.
        learn: whether location, scale and degrees of freedom are parameters, one each for every element.

    Raises:
        ValueError: ``degrees`` is not a positive number.

    Cost: O(numel(z)).

    Example:
        >>> import torch
        >>> StudentT(1, degrees=1.0).log_prob(torch.zeros(1, 1))
        tensor([-1.1447])
    """

    def __init__(self, *event_shape: int, degrees: float = 5.0, learn: bool = False) -> None:
        check_temperature("StudentT: degrees", degrees)
        super().__init__(event_shape, StandardStudentT(torch.full(event_shape, float(degrees)), learn), learn)


class ConditionalLocationScale(LocationScale):
    r"""Independent latents whose location and scale a network computes from the context.

    .. math:: z \sim \mathcal N(\mu(c), \operatorname{diag} \sigma(c)^2)

    Reference: Winkler, Worrall, Hoogeboom, Welling (2019), Learning likelihoods with conditional normalizing
    flows, https://arxiv.org/abs/1912.00042

    Args:
        event_shape: sizes of one latent.
        network: module from the context to ``(N, 2 * event_shape[0], *event_shape[1:])``, locations first,
            then log-scales.
        context: size of the context ``(N, context)``, or a pattern such as ``Reals(3, ...)``.
        standard: the distribution around the location; normal by default.

    Raises:
        ShapeError: the network returned another shape.

    Cost: one run of the network.

    Example:
        >>> import torch
        >>> base = ConditionalLocationScale(2, network=torch.nn.Linear(3, 4), context=3)
        >>> base.draw(5, torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self, *event_shape: int, network: nn.Module, context: int | Reals, standard: Standard | None = None
    ) -> None:
        super().__init__(event_shape, StandardNormal() if standard is None else standard)
        self.network = network
        self.context_domain = Reals(context) if isinstance(context, int) else context

    def location_and_log_scale(self, context: Context) -> tuple[Tensor, Tensor]:
        """What the network says."""
        raw = self.network(context)  # (N, 2 C, ...)
        wanted = (2 * self.event_shape[0], *self.event_shape[1:])
        if tuple(raw.shape[1:]) != wanted:
            raise ShapeError(
                f"ConditionalLocationScale: the network returned shape {tuple(raw.shape)}, wanted (N, "
                f"{', '.join(map(str, wanted))}): locations, then log-scales"
            )
        reference = reference_tensor(self)
        raw = raw if reference is None else raw.to(reference.dtype)
        location, log_scale = raw.chunk(2, dim=1)
        return location, log_scale
