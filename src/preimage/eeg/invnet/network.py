"""EEG-InvNet: an invertible network that classifies recordings by their density under every class."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

from preimage.classify import ClassAndBitsLoss, ClassifierLoss, GenerativeClassifier
from preimage.eeg.invnet.flows import affine_invnet_flow, glow_invnet_flow, invnet_flow
from preimage.eeg.recipe.noise import NoisyLoss
from preimage.flows import Flow


class InvNet(GenerativeClassifier, abc.ABC):
    r"""Invertible networks for signals of several channels, with one normal distribution a class.

    .. math:: \log p(x \mid c) = \log \mathcal N(f(x);\, \mu_c, I)
        + \log\left|\det \frac{\partial f}{\partial x}\right|

    The spreads are 1, so the evidence for a class is linear in the latent. Subclasses choose the block and
    how the blocks are arranged.

    Args:
        channels: channels C of a recording, such as electrodes.
        times: samples T of a window, ``2 ** stages`` or more; the rate is free.
        classes: number of classes, or their names.
        stages: number of time scales; stage i sees windows of :math:`2^i` samples as one.
        blocks: blocks in a stage.
        hidden_channels: channels inside the networks of the couplings.
        kernel_size: odd number of samples that their kernels cover.
        dropout: share of their hidden values set to zero in training, in [0, 1).
        priors: probabilities of the classes, equal by default.
        temperature: of the class probabilities at the start; learnt.
        loss: what ``fit`` minimises; half cross-entropy, half bits per dimension, with noise of standard
            deviation 0.005, by default.

    Example:
        >>> issubclass(EEGInvNet, InvNet)
        True
    """

    def __init__(
        self,
        channels: int = 21,
        times: int = 128,
        classes: int | Sequence[str] = 2,
        *,
        stages: int = 3,
        blocks: int = 4,
        hidden_channels: int = 256,
        kernel_size: int = 11,
        dropout: float = 0.5,
        priors: Any = None,
        temperature: float = 200.0,
        loss: ClassifierLoss | None = None,
    ) -> None:
        count = classes if isinstance(classes, int) else len(classes)
        flow = self.built(channels, times, count, stages, blocks, hidden_channels, kernel_size, dropout)
        loss = NoisyLoss(ClassAndBitsLoss(factor=1.0), deviation=0.005) if loss is None else loss
        super().__init__(flow, classes, priors=priors, temperature=temperature, loss=loss)
        self.channels, self.times = channels, times

    @staticmethod
    @abc.abstractmethod
    def built(
        channels: int,
        times: int,
        classes: int,
        stages: int,
        blocks: int,
        hidden_channels: int,
        kernel_size: int,
        dropout: float,
    ) -> Flow:
        """The invertible network from ``(N, channels, times)`` with its class-conditional base."""


class EEGInvNet(InvNet):
    r"""EEG-InvNet with additive couplings: three stages of Haar steps, four blocks and inverse Haar steps.

    For 21 electrodes and 128 samples the stages see 42 x 64, 84 x 32 and 168 x 16 numbers; the network has
    3,913,272 parameters, the class means 5,376, the temperature 1. It starts as the identity. See
    :class:`InvNet` for the density, and :func:`fit_by_recipe` for how it is trained.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks; Dinh, Krueger, Bengio (2015), NICE, https://arxiv.org/abs/1410.8516

    Args:
        channels: channels C of a recording, such as electrodes.
        times: samples T of a window, ``2 ** stages`` or more; a T that does not divide is not padded, see
            :func:`down_and_up`. The rate is free: 128 samples are 2 s at 64 Hz.
        classes: number of classes, or their names.
        stages, blocks, hidden_channels, kernel_size, dropout: sizes, see :class:`InvNet`.
        priors: probabilities of the classes, equal by default.
        temperature: of the class probabilities at the start; learnt.
        loss: what ``fit`` minimises, see :class:`InvNet`.

    Returns:
        As every :class:`~preimage.classify.GenerativeClassifier`: ``class_log_prob(x)``, ``predict(x)``,
        ``prototypes()`` and so on, for x ``(N, C, T)``.

    Raises:
        ShapeError: too few samples, or x has another shape.
        ValueError: a size is out of range.

    Cost: 1.9e8 multiplications a window of 21 x 128, in either direction.

    Example:
        >>> import torch
        >>> model = EEGInvNet(channels=4, times=32, blocks=1, hidden_channels=8).eval()
        >>> x = torch.randn(5, 4, 32)
        >>> model.class_log_prob(x).shape, torch.allclose(model.flow.encode(x), x, atol=1e-4)
        (torch.Size([5, 2]), True)
    """

    built = staticmethod(invnet_flow)


class AffineEEGInvNet(InvNet):
    r"""EEG-InvNet with affine couplings, :math:`s (x + t)` with scales from 0.01 to 1.99.

    5,570,256 parameters for 21 x 128, beside means and temperature. Everything else as
    :class:`EEGInvNet`.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks; Dinh, Sohl-Dickstein, Bengio (2017), Real NVP,
    https://arxiv.org/abs/1605.08803

    Args:
        channels, times, classes: of the data, see :class:`EEGInvNet`.
        stages, blocks, hidden_channels, kernel_size, dropout: sizes, see :class:`InvNet`.
        priors, temperature, loss: see :class:`InvNet`.

    Raises:
        ShapeError: too few samples, or x has another shape.
        ValueError: a size is out of range.

    Cost: 2.8e8 multiplications a window of 21 x 128, in either direction.

    Example:
        >>> model = AffineEEGInvNet(channels=3, times=17, blocks=1, hidden_channels=8)
        >>> model.sample(2, label=1).shape
        torch.Size([2, 3, 17])
    """

    built = staticmethod(affine_invnet_flow)


class GlowEEGInvNet(InvNet):
    """The blocks of :class:`EEGInvNet` in the plain order of Glow: Haar steps between the stages, none back.

    The same number of parameters; latents of 168 x 16 for data of 21 x 128, and a little less copying.

    Reference: Kingma, Dhariwal (2018), Glow, https://arxiv.org/abs/1807.03039

    Args:
        channels, times, classes: of the data; times must be a multiple of ``2 ** stages``.
        stages, blocks, hidden_channels, kernel_size, dropout: sizes, see :class:`InvNet`.
        priors, temperature, loss: see :class:`InvNet`.

    Raises:
        ShapeError: the number of samples does not divide, or x has another shape.
        ValueError: a size is out of range.

    Cost: as :class:`EEGInvNet`.

    Example:
        >>> model = GlowEEGInvNet(channels=3, times=16, blocks=1, hidden_channels=8)
        >>> model.base.class_centres().shape
        torch.Size([2, 24, 2])
    """

    built = staticmethod(glow_invnet_flow)
