"""A CLIP's image tower with less arithmetic, for export: the same vectors, but for rounding.

It stands in a module of its own that imports torch, so whoever needs it imports it where it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers.activations import QuickGELUActivation
from transformers.models.clip.modeling_clip import CLIPMLP, CLIPEncoderLayer, CLIPModel

QUICK_GELU = 1.702
"""Of x times the sigmoid of 1.702 x, the activation of CLIP (transformers, QuickGELUActivation)."""


class Patches(torch.nn.Linear):
    """A convolution whose windows lie side by side, as a matrix product, which is quantised and multiplied faster."""

    def __init__(self, convolution: torch.nn.Conv2d) -> None:
        weight = convolution.weight.flatten(1)
        super().__init__(weight.shape[1], weight.shape[0], bias=convolution.bias is not None)
        self.weight = torch.nn.Parameter(weight)
        if convolution.bias is not None:
            self.bias = torch.nn.Parameter(convolution.bias)
        self.side = convolution.kernel_size

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        (high, wide), (count, channels, height, width) = self.side, picture.shape
        windows = picture.reshape(count, channels, height // high, high, width // wide, wide)
        return super().forward(windows.permute(0, 2, 4, 1, 3, 5).flatten(3)).permute(0, 3, 1, 2)


class ClassToken(torch.nn.Module):
    """The last layer of an encoder of which the class token alone is asked: keys and values are of all tokens, and
    everything else is of that one."""

    def __init__(self, layer: CLIPEncoderLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, tokens: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        layer, attention = self.layer, self.layer.self_attn
        normal, first = layer.layer_norm1(tokens), tokens[:, :1]
        projected = attention.q_proj(normal[:, :1]), attention.k_proj(normal), attention.v_proj(normal)
        heads = (one.unflatten(2, (-1, attention.head_dim)).transpose(1, 2) for one in projected)
        attended = scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        first = first + attention.out_proj(attended)
        return cast(torch.Tensor, first + layer.mlp(layer.layer_norm2(first)))


def perceptron(original: CLIPMLP) -> torch.nn.Module:
    """Has the weights multiply what quick GELU multiplies, which leaves SiLU: ONNX Runtime has that as one pass."""
    return torch.nn.Sequential(
        _scaled(original.fc1, QUICK_GELU, QUICK_GELU), torch.nn.SiLU(), _scaled(original.fc2, 1 / QUICK_GELU, 1)
    )


def _scaled(linear: torch.nn.Linear, weight: float, bias: float) -> torch.nn.Linear:
    scaled = torch.nn.Linear(linear.in_features, linear.out_features)
    scaled.weight = torch.nn.Parameter(linear.weight * weight)
    scaled.bias = torch.nn.Parameter(linear.bias * bias)
    return scaled


@contextmanager
def rewritten(model: torch.nn.Module) -> Iterator[None]:
    """Puts these in the places of what they stand for, wherever `model` has it."""
    last = [one.vision_model.encoder.layers[-1] for one in model.modules() if isinstance(one, CLIPModel)]
    named = [(owner, name, one) for owner in model.modules() for name, one in owner.named_children()]
    found = [(owner, name, one, other) for owner, name, one in named if (other := _cheaper(one, one in last))]
    for owner, name, _, other in found:
        setattr(owner, name, other)
    try:
        yield
    finally:
        for owner, name, one, _ in found:
            setattr(owner, name, one)


def _cheaper(one: torch.nn.Module, last: bool) -> torch.nn.Module | None:
    if last and isinstance(one, CLIPEncoderLayer):
        return ClassToken(one)
    if isinstance(one, CLIPMLP) and isinstance(one.activation_fn, QuickGELUActivation):
        return perceptron(one)
    if isinstance(one, torch.nn.Conv2d) and (one.padding, one.dilation, one.groups) == ((0, 0), (1, 1), 1):
        return Patches(one) if one.kernel_size == one.stride else None
    return None
