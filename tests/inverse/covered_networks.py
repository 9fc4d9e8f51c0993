"""Networks of every kind, for the tests of coverage."""

import torch
import torch.nn.functional as F
from torch import nn


class UNet(nn.Module):
    """Two levels with a skip connection by concatenation."""

    def __init__(self):
        super().__init__()
        self.first, self.down = nn.Conv2d(2, 12, 3, padding=1), nn.Conv2d(12, 16, 3, 2, 1)
        self.up, self.last = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(20, 20, 1)

    def forward(self, x):
        a = self.first(x).relu()
        return self.last(torch.cat([a, self.up(self.down(a).relu())], 1))


class Decoder(nn.Module):
    """A causal transformer block as language models write it: RMS norm, gated MLP, rotary positions."""

    def __init__(self, width=8, heads=2):
        super().__init__()
        self.heads = heads
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv_proj, self.o_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.gate_proj, self.up_proj = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)
        self.down_proj, self.lm_head = nn.Linear(2 * width, width), nn.Linear(width, 11)

    def attend(self, x):
        rows, length, width = x.shape
        q, k, v = self.qkv_proj(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = self.rotate(q), self.rotate(k)
        ahead = torch.ones(length, length, dtype=torch.bool).triu(1)
        weight = (q @ k.transpose(-1, -2) / 2).masked_fill(ahead, float("-inf")).softmax(-1)
        return self.o_proj((weight @ v).transpose(1, 2).reshape(rows, length, width))

    def rotate(self, x):
        angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * torch.tensor([1.0, 0.1], dtype=x.dtype)
        a, b = x.chunk(2, -1)
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)

    def forward(self, x):
        x = x + 0.3 * self.attend(self.input_layernorm(x))
        h = self.post_attention_layernorm(x)
        x = x + 0.3 * self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))
        return self.lm_head(x)


class Windows(nn.Module):
    """Shifted-window attention: windows folded into the batch axis, heads before samples."""

    def __init__(self, width=6):
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, width, 2, 2), nn.LayerNorm(width)
        self.qkv, self.out, self.head = (
            nn.Linear(width, 3 * width),
            nn.Linear(width, width),
            nn.Linear(width, 9),
        )

    def forward(self, x):
        x = self.embed(x).permute(0, 2, 3, 1)
        rows, high, wide, width = x.shape
        w = self.norm(x).roll((-1, -1), (1, 2)).view(rows, high // 2, 2, wide // 2, 2, width)
        w = w.permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, width)
        q, k, v = self.qkv(w).reshape(w.shape[0], 4, 3, 2, width // 2).permute(2, 0, 3, 1, 4).unbind(0)
        w = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, 4, width))
        w = w.view(rows, high // 2, wide // 2, 2, 2, width).permute(0, 1, 3, 2, 4, 5)
        x = x + 0.3 * w.reshape(rows, high, wide, width).roll((1, 1), (1, 2))
        return self.head(x)


class SequenceFirst(nn.Module):
    """A transformer that keeps the batch on axis 1."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, norm_first=True)
        self.embed, self.head = nn.Linear(5, 8), nn.Linear(8, 9)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x):
        return self.head(self.encoder(self.embed(x.transpose(0, 1)))).transpose(0, 1)


class Mixer(nn.Module):
    """An MLP-mixer block with LayerScale."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, 48, 4, 4), nn.LayerNorm(48)
        self.tokens, self.channels = nn.Linear(4, 4), nn.Linear(48, 48)
        self.scale, self.head = nn.Parameter(torch.full((48,), 0.2)), nn.Linear(48, 7)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = x + 0.3 * self.tokens(self.norm(x).transpose(1, 2)).transpose(1, 2)
        x = torch.addcmul(x, F.gelu(self.channels(self.norm(x))), self.scale)
        return self.head(x.mean(1))


class Recurrent(nn.Module):
    """A recurrent network read at every step."""

    def __init__(self, cell, **options):
        super().__init__()
        self.cell, self.head = cell(3, 6, batch_first=True, **options), nn.LazyLinear(4)

    def forward(self, x):
        return self.head(self.cell(x)[0])


class Several(nn.Module):
    """Two inputs that meet, a dictionary of two outputs."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.head = nn.Linear(3, 6), nn.Linear(2, 6), nn.Linear(6, 4)

    def forward(self, x, z):
        hidden = self.left(x) + self.right(z)
        return {"hidden": hidden, "answer": self.head(hidden.tanh())}


def convolutions(dimensions):
    conv, norm = getattr(nn, f"Conv{dimensions}d"), getattr(nn, f"BatchNorm{dimensions}d")
    average = getattr(nn, f"AdaptiveAvgPool{dimensions}d")
    pool = getattr(nn, f"MaxPool{dimensions}d")
    return nn.Sequential(
        conv(2, 8, 3, padding=1), norm(8), nn.ReLU(), pool(2), conv(8, 6, 3, padding=1), nn.SiLU(),
        nn.GroupNorm(2, 6), average(2), nn.Flatten(), nn.Linear(6 * 2**dimensions, 5),
    )  # fmt: skip
