"""Networks and fractions for the splines of several peers."""

from torch import Tensor, nn
from torch.nn.functional import softmax

LEAST = 1e-3


class Net(nn.Module):
    """Two layers, for vectors or pictures."""

    def __init__(self, features: int, outputs: int, *, space: int = 0) -> None:
        super().__init__()
        linear = nn.Linear if space == 0 else lambda a, b: nn.Conv2d(a, b, 3, padding=1)
        self.layers = nn.Sequential(linear(features, 7), nn.Tanh(), linear(7, outputs))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return 3 * self.layers(x)


def fractions(raw: Tensor) -> Tensor:
    return LEAST + (1 - LEAST * raw.shape[-1]) * softmax(raw, -1)
