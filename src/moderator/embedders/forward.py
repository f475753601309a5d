"""The forward pass of a sentence-transformers CLIP from bytes: what torch runs, and what is exported to ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
