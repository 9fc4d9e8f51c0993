"""Which mirror image a layer gets: a registry by class."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from preimage.bijection import Bijection
from preimage.errors import NotInvertibleError
from preimage.layers import BatchNorm, from_activation
from preimage.layers.elementwise.dip import Dip
from preimage.layers.surjection.one_sided import OneSided
from preimage.palindromes.mirror import Mirror
from preimage.palindromes.tie import Tie
from preimage.palindromes.unweighted import BijectionMirror, DipMirror, OneWay, RectifierMirror, ReshapeMirror


@functools.singledispatch
def mirror_of(module: nn.Module, tie: Tie, input_shape: Sequence[int]) -> Mirror:
    """The layer with its mirror image.

    For a layer of your own write ``@mirror_of.register(MyLayer)`` over a function of the same arguments.

    Args:
        module: dense layer, convolution, activation, flatten, dropout, batch norm, or a bijection of the
            library.
        tie: how weights get their mirror image.
        input_shape: event shape of its input.

    Returns:
        The mirror; weights are shared with the module.

    Raises:
        NotInvertibleError: no mirror image is known for the class.

    Cost: none.

    Example:
        >>> from preimage.palindromes import PseudoInverse
        >>> type(mirror_of(nn.Tanh(), PseudoInverse(), (3,))).__name__
        'BijectionMirror'
    """
    try:
        bijection = from_activation(module)
    except NotInvertibleError as error:
        raise NotInvertibleError(f"palindrome: no mirror image for {module}: {error}") from error
    return _of_bijection(bijection)


def _of_bijection(bijection: Bijection | OneSided) -> Mirror:
    return DipMirror(bijection) if isinstance(bijection, Dip) else BijectionMirror(bijection)


@mirror_of.register(Bijection)
@mirror_of.register(OneSided)
def _(module: Bijection | OneSided, tie: Tie, input_shape: Sequence[int]) -> Mirror:
    return _of_bijection(module)


@mirror_of.register
def _(module: Mirror, tie: Tie, input_shape: Sequence[int]) -> Mirror:
    return module


@mirror_of.register
def _(module: nn.Linear, tie: Tie, input_shape: Sequence[int]) -> Mirror:
    return tie.dense(module)


@mirror_of.register(nn.Conv1d)
@mirror_of.register(nn.Conv2d)
@mirror_of.register(nn.Conv3d)
def _(module: nn.Conv1d | nn.Conv2d | nn.Conv3d, tie: Tie, input_shape: Sequence[int]) -> Mirror:
    return tie.convolution(module, input_shape)


@mirror_of.register
def _(module: nn.ReLU, tie: Tie, input_shape: Sequence[int]) -> Mirror:
    return RectifierMirror()


@mirror_of.register(nn.Flatten)
@mirror_of.register(nn.Unflatten)
def _(module: nn.Module, tie: Tie, input_shape: Sequence[int]) -> Mirror:
    return ReshapeMirror(module, input_shape)


@mirror_of.register(nn.Identity)
@mirror_of.register(_DropoutNd)
def _(module: nn.Module, tie: Tie, input_shape: Sequence[int]) -> Mirror:
    return OneWay(module)


@mirror_of.register
def _(module: _BatchNorm, tie: Tie, input_shape: Sequence[int]) -> Mirror:
    return BijectionMirror(BatchNorm.from_batch_norm(module))
