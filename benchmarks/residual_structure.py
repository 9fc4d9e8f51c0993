"""A mobile residual block as a plain function, with its Jacobian in closed form."""

import torch
from torch import Tensor, nn


def folded(convolution: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution and the batch norm behind it."""
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
    weight = convolution.weight.detach() * scale.view(-1, 1, 1, 1)
    return weight, (norm.bias - norm.running_mean * scale).detach()


class MobileBlock:
    """x + P relu6(D relu6(E x)): a 1x1 expansion E, a depthwise convolution D, a 1x1 projection P.

    Args:
        block: of EfficientNet-Lite, stride 1, with a shortcut, in double precision.
    """

    def __init__(self, block: nn.Module) -> None:
        expand, self.expand_bias = folded(block._expand_conv, block._bn0)
        self.depthwise, self.depthwise_bias = folded(block._depthwise_conv, block._bn1)
        project, self.project_bias = folded(block._project_conv, block._bn2)
        self.expand, self.project = expand[:, :, 0, 0], project[:, :, 0, 0]  # (6 C, C), (C, 6 C)
        self.reach = self.depthwise.shape[-1] // 2

    def inner(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What goes into the first and into the second ReLU6, ``(N, 6 C, H, W)``."""
        first = torch.einsum("hc,nc...->nh...", self.expand, x) + self.expand_bias.view(-1, 1, 1)
        second = nn.functional.conv2d(
            first.clamp(0, 6),
            self.depthwise,
            self.depthwise_bias,
            padding=self.reach,
            groups=len(self.depthwise),
        )
        return first, second

    def __call__(self, x: Tensor) -> Tensor:
        branch = torch.einsum("ch,nh...->nc...", self.project, self.inner(x)[1].clamp(0, 6))
        return x + branch + self.project_bias.view(-1, 1, 1)

    def jacobian(self, x: Tensor) -> Tensor:
        """The derivative at one sample ``(1, C, H, W)``, rows and columns in the order of x."""
        channels, (height, width) = x.shape[1], x.shape[2:]
        first, second = (((a > 0) & (a < 6)).to(x)[0].flatten(1).T for a in self.inner(x))  # (H W, 6 C)
        places = torch.arange(height * width).view(height, width)
        found = x.new_zeros(len(first), len(first), channels, channels)
        for down in range(-self.reach, self.reach + 1):
            for right in range(-self.reach, self.reach + 1):
                to = places[_span(down, height), _span(right, width)].flatten()
                source = to + down * width + right
                weight = self.depthwise[:, 0, down + self.reach, right + self.reach]
                gain = second[to] * weight * first[source]
                found[to, source] = (self.project * gain[:, None, :]) @ self.expand
        own = places.flatten()
        found[own, own] += torch.eye(channels).to(x)
        return found.permute(2, 0, 3, 1).reshape(x.numel(), x.numel())


def _span(step: int, size: int) -> slice:
    """Places whose neighbour so many steps on lies inside."""
    return slice(max(0, -step), size - max(0, step))
