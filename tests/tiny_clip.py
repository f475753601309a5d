"""Makes a CLIP of the real architecture, small or of the full size, saved in the hub's sentence-transformers layout.

The weights are random, of a fixed seed: it shows that the loading code is the real one, and nothing of quality.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

DIMENSION = 64


@dataclass(frozen=True, slots=True)
class Size:
    """Widths and depths of the two towers: (width, layers, heads)."""

    dimension: int
    picture: tuple[int, int, int]
    text: tuple[int, int, int]


TINY = Size(DIMENSION, (32, 2, 2), (32, 2, 2))
VIT_B_32 = Size(512, (768, 12, 12), (512, 12, 8))
SIDE = 224
_MEAN = [0.48145466, 0.4578275, 0.40821073]
_STD = [0.26862954, 0.26130258, 0.27577711]
_MERGES = ("c a", "ca t</w>", "d o", "do g</w>")


def make_tiny_clip(folder: Path, seed: int = 0, size: Size = TINY) -> Path:
    """Writes the model to `folder` (made where it is missing) and returns the folder."""
    transformer = folder / "0_CLIPModel"
    transformer.mkdir(parents=True)
    _write(folder / "modules.json", [_module()])
    _write(folder / "config_sentence_transformers.json", {"__version__": {"sentence_transformers": "2.0.0"}})
    _write(transformer / "preprocessor_config.json", _preprocessor())
    vocabulary = _write_tokenizer(transformer)
    _write_weights(transformer, vocabulary, seed, size)
    return folder


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")


def _module() -> dict[str, object]:
    return {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}


def _preprocessor() -> dict[str, object]:
    return {
        "crop_size": {"height": SIDE, "width": SIDE},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": _MEAN,
        "image_processor_type": "CLIPImageProcessor",
        "image_std": _STD,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": SIDE},
    }


def _write_tokenizer(folder: Path) -> dict[str, int]:
    letters = [chr(code) for code in range(33, 127)]
    merged = [merge.replace(" ", "") for merge in _MERGES]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *merged, "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    _write(folder / "vocab.json", vocabulary)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *_MERGES]) + "\n", encoding="utf-8")
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "CLIPTokenizer",
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
            "model_max_length": 77,
        },
    )
    return vocabulary


def _tower(dimension: int, width: int, layers: int, heads: int) -> dict[str, int]:
    ratio = 2 if width < 512 else 4
    return {
        "hidden_size": width,
        "intermediate_size": ratio * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "projection_dim": dimension,
    }


def _write_weights(folder: Path, vocabulary: dict[str, int], seed: int, size: Size) -> None:
    import torch
    from transformers import CLIPConfig, CLIPModel

    ends = {name: vocabulary[f"<|{name}oftext|>"] for name in ("start", "end")}
    text = {
        **_tower(size.dimension, *size.text),
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 77,
        "bos_token_id": ends["start"],
        "eos_token_id": ends["end"],
        "pad_token_id": ends["end"],
    }
    config = CLIPConfig(
        text_config=text,
        vision_config={**_tower(size.dimension, *size.picture), "image_size": SIDE, "patch_size": 32},
        projection_dim=size.dimension,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIPModel(config)
    model.save_pretrained(folder)
