"""The forward pass of a sentence-transformers CLIP from bytes: what torch runs, and what is exported to ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    import torch

    from moderator.embedders.processor import Processor


def embed_pixels(loaded: torch.nn.Module, processor: Processor, pixels: torch.Tensor) -> torch.Tensor:
    """Returns the embeddings `[n, dimension]` of uint8 RGB `[n, height, width, 3]` at the model's size."""
    scaled = pixels.permute(0, 3, 1, 2).float() * processor.factor
    mean, deviation = (scaled.new_tensor(one).view(1, 3, 1, 1) for one in (processor.mean, processor.deviation))
    return _embedding(loaded, {"pixel_values": (scaled - mean) / deviation, "modality": "image"})


def embed_tokens(loaded: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Returns the embeddings `[n, dimension]` of token ids and their mask, int64 `[n, length]`."""
    return _embedding(loaded, {"input_ids": ids, "attention_mask": mask, "modality": "text"})


def _embedding(loaded: torch.nn.Module, features: dict[str, torch.Tensor | str]) -> torch.Tensor:
    embedding: torch.Tensor = loaded(features)["sentence_embedding"]
    return embedding


@contextmanager
def patches_multiplied(model: torch.nn.Module) -> Iterator[None]:
    """Makes matrix products of convolutions whose windows lie side by side, as that of CLIP's patches: the same sums,
    and matrix products are quantised."""
    import torch

    class Product(torch.nn.Linear):
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

    def apart(one: torch.nn.Module) -> TypeGuard[torch.nn.Conv2d]:
        plain = isinstance(one, torch.nn.Conv2d) and (one.padding, one.dilation, one.groups) == ((0, 0), (1, 1), 1)
        return plain and one.kernel_size == one.stride

    found = [(owner, name, one) for owner in model.modules() for name, one in owner.named_children() if apart(one)]
    for owner, name, one in found:
        setattr(owner, name, Product(one))
    try:
        yield
    finally:
        for owner, name, one in found:
            setattr(owner, name, one)
