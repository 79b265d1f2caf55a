"""Small networks of the kinds that users bring, with random weights. Needs PyTorch."""

from __future__ import annotations

from typing import Any

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]


def conv(inside: int, outside: int, size: int = 1, stride: int = 1, groups: int = 1) -> Any:
    layer = nn.Conv2d(inside, outside, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outside))


class RegNetBlock(nn.Module):
    """1x1, grouped 3x3, squeeze and excite, 1x1, and a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first, self.last = conv(inside, outside), conv(outside, outside)
        self.middle = conv(outside, outside, 3, stride, 2)
        self.squeeze, self.excite = nn.Conv2d(outside, 4, 1), nn.Conv2d(4, outside, 1)
        self.short = conv(inside, outside, 1, stride)

    def forward(self, x: Any) -> Any:
        y = F.relu(self.middle(F.relu(self.first(x))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        return F.relu(self.last(y * gate) + self.short(x))


class Pyramid(nn.Module):
    """Two levels of a trunk, fused downwards and upwards, and heads: a HydraNet in small."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 8, 3, 2)
        self.fine, self.coarse = RegNetBlock(8, 16, 1), RegNetBlock(16, 16, 2)
        self.weight = nn.Parameter(torch.rand(2))
        self.up = nn.Sequential(
            nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.Conv2d(16, 16, 1), nn.SiLU()
        )
        self.heat, self.norm = nn.Conv2d(16, 4, 1), nn.GroupNorm(4, 16)

    def forward(self, x: Any) -> dict[str, Any]:
        fine = self.fine(F.relu(self.stem(x)))
        coarse = self.coarse(fine)
        share = F.relu(self.weight) / (F.relu(self.weight).sum() + 1e-4)
        wide = F.interpolate(coarse, size=fine.shape[-2:], mode="nearest")
        fine = self.up(share[0] * fine + share[1] * wide)
        heat = torch.sigmoid(self.heat(fine))
        peaks = torch.where(F.max_pool2d(heat, 3, 1, 1) == heat, heat, torch.zeros_like(heat))
        best, where = peaks.flatten(2).amax(1).topk(4, dim=1)
        pooled = self.norm(coarse + F.max_pool2d(fine, 3, 2, 1)).mean((2, 3))
        smooth = F.interpolate(heat, scale_factor=2.0, mode="bilinear", align_corners=False)
        return {"best": best, "where": where, "pooled": pooled, "smooth": smooth}


class Decoder(nn.Module):
    """Token and place embeddings, causal blocks, logits by the tied table."""

    def __init__(self, vocabulary: int = 64, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(16, width)
        self.norm, self.rest = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 64), nn.GELU(approximate="tanh"), nn.Linear(64, width)
        )
        self.heads = heads

    def forward(self, ids: Any) -> Any:
        batch, count = ids.shape
        x = self.tokens(ids) + self.places(torch.arange(count))
        parts = self.qkv(self.norm(x)).view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(*parts.unbind(), is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, count, -1))
        return (x + self.mlp(self.rest(x))) @ self.tokens.weight.T


class Map(nn.Module):
    """Cross-attention to a map, aligned by motion, of which a window is written."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 24, 16) * 0.1)
        self.attend = nn.MultiheadAttention(16, 4, batch_first=True)
        self.mix = nn.Conv3d(16, 16, (2, 1, 1))
        self.lift = nn.ConvTranspose2d(16, 8, 4, 2, 1)

    def forward(self, image: Any, past: Any, motion: Any, state: Any, row: Any) -> Any:
        keys = image.flatten(2).transpose(1, 2)
        seen = self.attend(self.query, keys, keys, need_weights=False)[0]
        seen = seen.transpose(1, 2).reshape(1, 16, 4, 6)
        grid = F.affine_grid(motion[None], [1, 16, 4, 6], align_corners=False)
        past = F.grid_sample(past, grid, align_corners=False)
        mixed = self.mix(torch.stack([past, seen], 2))[:, :, 0]
        state = state.index_put((torch.arange(16)[:, None], row[None]), mixed[0, :, :2, 0])
        return self.lift(mixed), state


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.lstm = nn.Embedding(20, 8), nn.LSTM(8, 12, 2, batch_first=True)
        self.gru, self.out = nn.GRU(12, 6, bidirectional=True, batch_first=True), nn.Linear(12, 5)

    def forward(self, ids: Any) -> Any:
        return self.out(self.gru(self.lstm(self.table(ids))[0])[0])


def encoder() -> Any:
    layer = nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def build(name: str) -> tuple[Any, tuple[Any, ...]]:
    """(module, example inputs)."""
    torch.manual_seed(0)
    ids = torch.randint(0, 20, (2, 7))
    match name:
        case "pyramid":
            return Pyramid().eval(), (torch.randn(2, 3, 32, 48),)
        case "decoder":
            return Decoder().eval(), (ids,)
        case "map":
            motion = torch.eye(2, 3) + 0.05 * torch.randn(2, 3)
            inputs = (torch.randn(1, 16, 3, 5), torch.randn(1, 16, 4, 6), motion)
            return Map().eval(), (*inputs, torch.randn(16, 9), torch.tensor([2, 5]))
        case "recurrent":
            return Recurrent().eval(), (ids,)
    return encoder().eval(), (torch.randn(2, 6, 32),)


MODELS = ("pyramid", "decoder", "map", "recurrent", "encoder")
