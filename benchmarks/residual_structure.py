"""A mobile residual block as a plain function, with its Jacobian in closed form."""

from itertools import product

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
        rows = range(x.shape[2])
        found = self._coupling(self._slopes(x), rows, rows)
        return found.permute(2, 0, 1, 5, 3, 4).reshape(x.numel(), x.numel())

    def newton_step(self, x: Tensor, miss: Tensor) -> Tensor:
        """J^-1 miss at one sample, by elimination of one strip of rows after the other.

        Strips as high as the depthwise kernel reaches are coupled to their neighbours alone, so the Jacobian
        is block tridiagonal: ``7 C^3 W^3 H reach^2`` operations instead of ``0.7 C^3 W^3 H^3``.
        """
        channels, (height, width) = x.shape[1], x.shape[2:]
        slopes = self._slopes(x)
        strips = [range(height)[i : i + self.reach] for i in range(0, height, self.reach)]

        def block(to: range, source: range) -> Tensor:
            return self._coupling(slopes, to, source).reshape(
                len(to) * width * channels, len(source) * width * channels
            )

        right = [miss[0, :, list(rows)].permute(1, 2, 0).reshape(-1, 1) for rows in strips]
        solved, above = [], []
        for index, rows in enumerate(strips):
            own, value = block(rows, rows), right[index]
            if index:
                below = block(rows, strips[index - 1])
                own, value = own - below @ above[-1], value - below @ solved[-1]
            coupled = [block(rows, strips[index + 1])] if index + 1 < len(strips) else []
            both = torch.linalg.solve_ex(own, torch.cat([value, *coupled], 1)).result
            solved.append(both[:, :1])
            above.append(both[:, 1:])
        for index in range(len(strips) - 2, -1, -1):
            solved[index] = solved[index] - above[index] @ solved[index + 1]
        return torch.cat(solved).view(height, width, channels).permute(2, 0, 1)[None]

    def _slopes(self, x: Tensor) -> list[Tensor]:
        """Derivatives of the first and of the second ReLU6, ``(H, W, 6 C)``."""
        return [((a > 0) & (a < 6)).to(x)[0].permute(1, 2, 0) for a in self.inner(x)]

    def _coupling(self, slopes: list[Tensor], to: range, source: range) -> Tensor:
        """Derivatives of rows of the output by rows of the input, ``(to, W, C, source, W, C)``."""
        (first, second), channels = slopes, len(self.project)
        width = first.shape[1]
        found = first.new_zeros(len(to), width, channels, len(source), width, channels)
        for (i, high), (k, low) in product(enumerate(to), enumerate(source)):
            for right in range(-self.reach, self.reach + 1) if abs(low - high) <= self.reach else ():
                j = torch.arange(width)[max(0, -right) : max(0, width - right)]
                weight = self.depthwise[:, 0, low - high + self.reach, right + self.reach]
                gain = second[high, j] * weight * first[low, j + right]
                found[i, j, :, k, j + right] = (self.project * gain[:, None, :]) @ self.expand
            if high == low:
                j = torch.arange(width)
                found[i, j, :, k, j] += torch.eye(channels).to(first)
        return found
