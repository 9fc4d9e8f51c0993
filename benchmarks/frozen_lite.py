"""EfficientNet-Lite0 with folded batch norms, read at all its taps at once, for pictures of any size."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from preimage import zoo

PAIRS = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
LOGITS = zoo.Tap("logits", "_fc")


def taps(network: zoo.Network) -> dict[str, zoo.Tap]:
    """The taps of the zoo and the logits."""
    return {**network.taps, "logits": LOGITS}


class Frozen:
    """The features of EfficientNet-Lite0, a quarter faster than its own forward pass.

    Args:
        network: as the zoo loads it; it is copied.
    """

    def __init__(self, network: zoo.Network) -> None:
        self.module = copy.deepcopy(network.module).eval()
        for block in self.module._blocks:
            for convolution, norm in PAIRS:
                _fold(block, convolution, norm)
        _fold(self.module, "_conv_stem", "_bn0")
        _fold(self.module, "_conv_head", "_bn1")
        self.module.to(memory_format=torch.channels_last)
        self.labels = tuple(taps(network))

    def until(self, x: Tensor, label: str) -> Tensor:
        """Features at one tap up to the head, differentiably."""
        m, depth = self.module, self.labels.index(label)
        x = m._swish(m._conv_stem(x.contiguous(memory_format=torch.channels_last)))
        for block in m._blocks[:depth]:
            x = block(x)
        return x

    @torch.no_grad()
    def __call__(self, x: Tensor, labels: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Features by label, of inputs ``(N, 3, H, W)``; nothing deeper than asked for is computed."""
        wanted = set(self.labels if labels is None else labels)
        found, m = {}, self.module
        x = x.contiguous(memory_format=torch.channels_last)
        steps = [
            lambda x: m._swish(m._conv_stem(x)),
            *m._blocks,
            lambda x: m._swish(m._conv_head(x)),
            lambda x: x.mean((2, 3), keepdim=True),
            lambda x: m._fc(x.flatten(1)),
        ]
        for label, step in zip(self.labels, steps, strict=True):
            if wanted <= set(found):
                break
            x = step(x)
            if label in wanted:
                found[label] = x
        return found


def _fold(parent: nn.Module, convolution: str, norm: str) -> None:
    if hasattr(parent, convolution):
        folded = fuse_conv_bn_eval(getattr(parent, convolution), getattr(parent, norm))
        setattr(parent, convolution, folded)
        setattr(parent, norm, nn.Identity())
